#pragma once

#include <mooncake/core/log.hpp>
#include <mooncake/core/runtime_fwd.hpp>
#include <mooncake/core/task_fwd.hpp>
#include <mooncake/transport/notification.hpp>
#include <mooncake/transport/slice.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mooncake {

class Handshakes;
class Inbox;
class RegionTable;
struct Region;
using RegionPin = std::shared_ptr<const Region>;

/// What the engine makes a transport from.
struct TransportContext {
    Runtime& runtime;
    std::shared_ptr<RegionTable> regions; ///< this process's segment: what peers may reach
    Log log;
    std::shared_ptr<Inbox> inbox = {};           ///< what peers say to this process; none: nobody listens
    std::shared_ptr<Handshakes> handshakes = {}; ///< who answers peers' handshakes; none: nobody
};

/// What an engine knows of a peer's end of a transport: from the segment's record.
struct PeerDescription {
    std::string description;      ///< what the peer's `describe` said
    std::uint64_t generation = 0; ///< of the segment when its record was read
    /// Asks the peer's end of the same transport, for transports that claim `handshakes`; the engine carries question and answer,
    /// each at most 16 KiB, over another way. It may be kept, and asked again as long as the segment is open.
    /// Errors: what the peer's `accept` says; `no_path` (nothing carries it), `closed`, those of the way.
    std::function<Task<std::string>(std::string question, Deadline deadline)> handshake = {};
};

/// What a transport declares of itself. Nothing is decided by its name.
struct TransportCapabilities {
    bool maps = false;          ///< a peer's memory can be this process's memory: `MappingTransport`
    bool immediate = false;     ///< a small group can be moved without a wait: `ImmediateTransport`
    bool one_sided = false;     ///< bytes are moved by this process alone; the peer's need not run
    bool notifies = false;      ///< it carries words as well as bytes: `NotifyingTransport`
    bool several_paths = false; ///< peers reach it over several devices: `SeveralPathsTransport`
    bool registers = false; ///< memory must be made known to a device before peers can reach it: `RegisteringTransport`
    bool handshakes = false;     ///< its two ends agree on something before bytes move: `HandshakingTransport`
    bool carries = false;        ///< it carries the handshakes of others: `CarryingTransport`
    bool self_verifying = false; ///< what arrives is what the memory held: nothing on the way could change it
};

/// Moves groups of slices between this process's memory and the segments of peers along one path. It knows nothing of
/// metadata, retries or other transports.
///
/// | expression | effect | errors | thread |
/// |---|---|---|---|
/// | `T::name` | a short constant word, unique in an engine | | |
/// | `T::capabilities` | `TransportCapabilities`; what it claims it has | | |
/// | `T::cost` | what a byte costs compared with other transports; the cheapest that reaches is tried first | | |
/// | `T(context, config)` | acquires what serving needs (ports, sockets) | throws `boost::system::system_error` | any |
/// | `t.start()` | begins to serve peers | | any |
/// | `t.describe()` | text for the segment's record by which peers reach this end | | any |
/// | `t.reaches(description)` | whether `connect` has a chance; looks at the text only | | any |
/// | `t.connect(peer, deadline)` | a `T::Link` to the peer; default-constructible, copyable, cheap | `unreachable`, `stale_generation`, `version_mismatch`, `timed_out`, `cancelled` | any executor |
/// | `t.transfer(link, group)` | moves the slices and sets every `outcome` (and `digest`) | an error says that the path failed, with a sentence; slices that were refused on their own (`out_of_range`, `access_denied`, `stale_generation`, `not_mapped`) are no error | any executor |
/// | `t.close()` | ends serving and every link; idempotent | none | any executor |
///
/// Cancellation of `transfer` is partial, its deadline the same with `timed_out`: slices say what became of them. When it
/// returns, for whatever reason, nothing reads or writes the caller's memory any more.
/// Complexity of `transfer`: one await per group; no allocation and no coroutine per slice.
/// Lifetime: closed before it is destroyed; the context's runtime outlives it.
template <class T>
concept Transport =
    std::default_initializable<typename T::Config> && std::copyable<typename T::Link> &&
    std::default_initializable<typename T::Link> && std::constructible_from<T, TransportContext, typename T::Config> &&
    requires(T& transport, const T& constant, const typename T::Link& link, PeerDescription peer, SliceGroup group,
             std::string_view text, Deadline deadline) {
        { T::name } -> std::convertible_to<std::string_view>;
        { T::cost } -> std::convertible_to<unsigned>;
        { T::capabilities } -> std::convertible_to<TransportCapabilities>;
        { transport.start() } -> std::same_as<void>;
        { constant.describe() } -> std::same_as<std::string>;
        { constant.reaches(text) } -> std::same_as<bool>;
        { transport.connect(peer, deadline) } -> std::same_as<Task<typename T::Link>>;
        { transport.transfer(link, group) } -> std::same_as<Task<void>>;
        { transport.close() } -> std::same_as<asio::awaitable<void, Executor>>;
    };

namespace transport::detail {
/// Of a transport around another that passes on its slices and nothing else.
[[nodiscard]] constexpr TransportCapabilities without_maps(TransportCapabilities of) noexcept {
    of.maps = of.immediate = of.notifies = of.carries = false;
    return of;
}
} // namespace transport::detail

/// A peer's bytes as memory of this process.
struct MappedWindow {
    std::byte* bytes = nullptr;
    std::shared_ptr<const void> hold; ///< the window is valid as long as this lives
};

/// What a transport can do beyond moving slices, if the peer's memory can be this process's memory too.
///
/// | expression | effect | errors | thread |
/// |---|---|---|---|
/// | `t.map(link, offset, length, key, direction, deadline)` | those bytes of the segment, to read or to read and write | `not_mapped`, `out_of_range`, `access_denied`, `stale_generation`, `connection_lost`, `timed_out`, `cancelled` | any executor |
template <class T>
concept MappingTransport = Transport<T> && requires(T& transport, const typename T::Link& link, std::uint64_t number,
                                                    Direction direction, Deadline deadline) {
    { transport.map(link, number, number, number, direction, deadline) } -> std::same_as<Task<MappedWindow>>;
};

/// What a transport can do whose links lead to memory that is at hand: small requests then cost little more than their bytes.
///
/// | expression | effect | errors | thread |
/// |---|---|---|---|
/// | `t.transfer_now(link, group)` | moves all slices, asking nobody for no digest, and sets their outcomes to `ok`; or gives false, where it would have to wait, ask the peer or refuse one: then `transfer` is called for the same group | none | any; until `close` has returned |
template <class T>
concept ImmediateTransport = Transport<T> && requires(T& transport, const typename T::Link& link, SliceGroup group) {
    { transport.transfer_now(link, group) } -> std::same_as<bool>;
};

/// What a transport can do that carries words as well.
///
/// | expression | effect | errors | thread |
/// |---|---|---|---|
/// | `t.notify(link, notification, key, deadline)` | it is in the peer's inbox; `key` is that of the region it speaks of, for whatever rights | `no_space` (the inbox is full), `access_denied`, `out_of_range`, `stale_generation`, `not_supported` (the peer does not listen), `connection_lost` (it may be there), `timed_out`, `cancelled` | any executor |
template <class T>
concept NotifyingTransport = Transport<T> && requires(T& transport, const typename T::Link& link,
                                                      Notification notification, std::uint64_t key, Deadline deadline) {
    { transport.notify(link, notification, key, deadline) } -> std::same_as<Task<void>>;
};

/// What a transport can do whose devices have to know memory before peers reach it, as an RDMA card does.
///
/// | expression | effect | errors | thread |
/// |---|---|---|---|
/// | `t.attach(region)` | the devices know it, and peers that show its key may come; before the segment's record shows it. The pin is not kept beyond `detach` | `out_of_memory`, `system`, `closed`: the region is not registered at all | any executor |
/// | `t.detach(region)` | they know it no more, and move none of its bytes: what is under way is over or fails; idempotent | | any |
///
/// Which keys a device needs is between the two ends of the transport: a peer asks for them by a handshake, and shows the region's
/// access key. `close` detaches all.
template <class T>
concept RegisteringTransport = Transport<T> && requires(T& transport, RegionPin region, const Region& known) {
    { transport.attach(region) } -> std::same_as<Task<void>>;
    { transport.detach(known) } -> std::same_as<void>;
};

/// What a transport does whose ends agree on something before bytes move: queue pairs, tokens, keys of devices.
///
/// | expression | effect | errors | thread |
/// |---|---|---|---|
/// | `t.accept(question)` | the answer to what a peer's end asked through `PeerDescription::handshake`. The question is hostile: anybody who can connect may ask, as often as he likes, and may be gone the next moment, of which nobody tells; what an end keeps of it has a bound of its own | go to the peer, with their sentence | any, one at a time; until `close` is called |
template <class T>
concept HandshakingTransport = Transport<T> && requires(T& transport, std::string question) {
    { transport.accept(question) } -> std::same_as<Result<std::string>>;
};

/// What a transport can do that carries the handshakes of others.
///
/// | expression | effect | errors | thread |
/// |---|---|---|---|
/// | `t.ask(link, transport, question, deadline)` | what the peer's end of the transport of that name answers | what that says; `not_supported` (there is none), `too_large`, `stale_generation`, `connection_lost`, `timed_out`, `cancelled` | any executor |
template <class T>
concept CarryingTransport =
    Transport<T> && requires(T& transport, const typename T::Link& link, std::string text, Deadline deadline) {
        { transport.ask(link, text, text, deadline) } -> std::same_as<Task<std::string>>;
    };

/// What a transport says of its other devices. The engine connects to each of them, and moves one request over all at once.
///
/// | expression | effect | errors | thread |
/// |---|---|---|---|
/// | `t.describe_others()` | as `describe`, for each further device that peers reach this end by; the same segment is behind all | | any |
/// | `t.ways(description)` | optional: the ways to one device of a peer, such as one from each device of this end: what `connect` is given as its description; without it there is one, the description | | any |
template <class T>
concept SeveralPathsTransport = Transport<T> && requires(const T& constant) {
    { constant.describe_others() } -> std::same_as<std::vector<std::string>>;
};

namespace transport::detail {

template <class T>
[[nodiscard]] std::vector<std::string> ways_to(const T& transport, const std::string& description) {
    if constexpr (requires { transport.ways(description); }) return transport.ways(description);
    else return std::vector(1, description);
}

} // namespace transport::detail

/// What a transport has to do whose peers write into this process's memory by themselves, where the `RegionTable`'s fence does
/// not see them.
///
/// | expression | effect | errors | thread |
/// |---|---|---|---|
/// | `t.fence(offset, length, epoch)` | no peer begins a write to these bytes of the own segment for an allocation of that epoch or an older one any more; whether none is under way either. To be called again until it is true | none | any |
template <class T>
concept FencingTransport = Transport<T> && requires(T& transport, std::uint64_t number) {
    { transport.fence(number, number, number) } -> std::same_as<bool>;
};

} // namespace mooncake
