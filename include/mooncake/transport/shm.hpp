#pragma once

#include <mooncake/core/gate.hpp>
#include <mooncake/core/with_deadline.hpp>
#include <mooncake/memory/copier.hpp>
#include <mooncake/transport/copy_group.hpp>
#include <mooncake/transport/shm_config.hpp>
#include <mooncake/transport/shm_link.hpp>
#include <mooncake/transport/shm_server.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace mooncake {

/// Choose this when: both processes run on one host. The peer's arena is mapped, after its key was shown, and bytes move
/// by plain one-sided copies that cost the peer nothing. Memory that is not an arena's, and such as may not be mapped, is
/// reached where it is, at the price of a system call (`ForeignProcess`), if the kernel allows that; otherwise, and that of a
/// private arena always, it is refused with `not_mapped`.
template <class C>
class BasicShmTransport {
    static_assert(Copier<C>);

  public:
    static constexpr std::string_view name = "shm";
    static constexpr unsigned cost = 2;
    static constexpr auto capabilities =
        TransportCapabilities{.maps = true, .immediate = true, .one_sided = true, .self_verifying = true};

    using Config = ShmTransportConfig;
    using Link = std::shared_ptr<transport::detail::ShmLink>;

    explicit BasicShmTransport(TransportContext context, Config config = {})
        : context_(std::move(context)), scope_(context_.runtime.next_executor()), server_(context_, config.trust),
          host_(transport::detail::host_identity()) {}

    void start() { server_.start(); }

    [[nodiscard]] std::string describe() const { return host_ + " " + server_.address(); }

    [[nodiscard]] bool reaches(std::string_view description) const {
        return description.size() > host_.size() && description.starts_with(host_) && description[host_.size()] == ' ';
    }

    Task<Link> connect(PeerDescription peer, Deadline deadline) {
        const auto pass = gate_.enter();
        if (!pass) co_return Errc::closed;
        if (!reaches(peer.description)) co_return Error(Errc::unreachable, "that segment is on another host");
        auto address = peer.description.substr(host_.size() + 1);
        const auto which = std::pair(address, peer.generation);
        if (auto open = find_link(which)) co_return open;
        auto link = co_await with_deadline(
            transport::detail::ShmLink::connect(std::move(address), peer.generation, scope_), deadline);
        if (!link) co_return link.error();
        const auto lock = std::lock_guard(mutex_);
        std::erase_if(links_, [](const auto& old) { return old.second.expired(); });
        links_.insert_or_assign(which, *link);
        co_return std::move(*link);
    }

    Task<void> transfer(Link link, SliceGroup group) {
        const auto pass = gate_.enter();
        if (!pass) {
            set_outcome(group.slices, Errc::closed);
            co_return Errc::closed;
        }
        const auto needed = group.direction == Direction::read ? Rights::read : Rights::write;
        auto remotes = std::vector<std::byte*>(group.slices.size());
        auto windows = link->windows();
        auto held = std::vector(1, windows); // all that `remotes` point into, should a region be revoked meanwhile
        auto passages = std::vector<WriteFence::Passage>();
        auto foreign = std::vector<std::byte*>(); // as `remotes`, of what is not mapped
        auto hint = std::size_t{0};
        for (std::size_t i = 0; i < group.slices.size(); ++i) {
            auto& slice = group.slices[i];
            const auto wanted = Wanted{slice.remote, slice.length, slice.key, needed};
            slice.outcome = locate(*windows, hint, wanted, remotes[i]);
            if (slice.outcome == Errc::not_mapped) {
                slice.outcome = co_await map_region(*link, wanted, group.deadline);
                if (slice.outcome != Errc::ok) continue;
                windows = link->windows();
                held.push_back(windows);
                slice.outcome = locate_mapped(*windows, hint, wanted, remotes[i]);
            }
            if (slice.outcome == Errc::ok && group.direction == Direction::write && slice.epoch != 0)
                slice.outcome = enter(*link, *(*windows)[hint], slice, passages);
            if (slice.outcome == Errc::ok && !(*windows)[hint]->mapped()) {
                foreign.resize(group.slices.size());
                foreign[i] = remotes[i];
            }
            if (slice.outcome != Errc::ok || !(*windows)[hint]->mapped()) remotes[i] = nullptr;
        }
        if (!link->broken() && !foreign.empty())
            co_await transport::detail::move_group(link->process(), group, foreign);
        if (!link->broken()) co_await transport::detail::copy_group<C>(context_.runtime, group, remotes);
        // A peer that died meanwhile leaves bytes that nobody vouches for.
        if (!link->broken()) co_return ok;
        set_outcome(group.slices, Errc::connection_lost);
        co_return Error(Errc::connection_lost, "the process that shared its memory is gone");
    }

    /// See `ImmediateTransport`.
    [[nodiscard]] bool transfer_now(const Link& link, SliceGroup group) {
        if (!transport::detail::is_immediate(group) || link->broken()) return false;
        const auto needed = group.direction == Direction::read ? Rights::read : Rights::write;
        const auto windows = link->windows();
        auto passages = std::vector<WriteFence::Passage>();
        auto hint = std::size_t{0};
        auto* remote = static_cast<std::byte*>(nullptr);
        for (const auto& slice : group.slices) {
            const auto wanted = Wanted{slice.remote, slice.length, slice.key, needed};
            if (locate(*windows, hint, wanted, remote) != Errc::ok || !(*windows)[hint]->mapped()) return false;
            const auto fenced = group.direction == Direction::write && slice.epoch != 0;
            if (fenced && enter(*link, *(*windows)[hint], slice, passages) != Errc::ok) return false;
        }
        for (auto& slice : group.slices) {
            const auto wanted = Wanted{slice.remote, slice.length, slice.key, needed};
            if (group.slices.size() != 1) (void)locate(*windows, hint, wanted, remote); // as it was a moment ago
            transport::detail::copy_slice<C>(slice, remote, group.direction, Digest::none);
        }
        return !link->broken(); // a peer that died meanwhile leaves bytes that nobody vouches for
    }

    Task<MappedWindow> map(Link link, std::uint64_t offset, std::uint64_t length, std::uint64_t key,
                           Direction direction, Deadline deadline) {
        const auto pass = gate_.enter();
        if (!pass) co_return Errc::closed;
        const auto wanted = Wanted{offset, length, key, direction == Direction::read ? Rights::read : Rights::write};
        auto windows = link->windows();
        auto hint = std::size_t{0};
        auto window = MappedWindow();
        auto outcome = locate(*windows, hint, wanted, window.bytes);
        if (outcome == Errc::not_mapped) {
            outcome = co_await map_region(*link, wanted, deadline);
            windows = link->windows();
            if (outcome == Errc::ok) outcome = locate_mapped(*windows, hint, wanted, window.bytes);
        }
        if (outcome == Errc::ok && !(*windows)[hint]->mapped()) outcome = Errc::not_mapped;
        if (outcome != Errc::ok) co_return outcome;
        window.hold = (*windows)[hint];
        co_return window;
    }

    /// See `FencingTransport`.
    [[nodiscard]] bool fence(std::uint64_t offset, std::uint64_t length, std::uint64_t epoch) {
        return server_.fence(offset, length, epoch);
    }

    asio::awaitable<void> close() {
        gate_.shut();
        for (const auto& link : open_links()) link->close(); // whoever asks gets an answer
        co_await scope_.close();
        co_await gate_.wait();
        co_await server_.close();
    }

  private:
    using Windows = transport::detail::ShmLink::Windows;
    using Which = std::pair<std::string, std::uint64_t>; ///< a peer's address and generation

    std::vector<Link> open_links() {
        auto open = std::vector<Link>();
        const auto lock = std::lock_guard(mutex_);
        for (const auto& [which, weak] : links_)
            if (auto link = weak.lock()) open.push_back(std::move(link));
        return open;
    }

    /// The link to that peer that somebody uses already.
    Link find_link(const Which& which) {
        const auto lock = std::lock_guard(mutex_);
        const auto found = links_.find(which);
        auto link = found == links_.end() ? Link() : found->second.lock();
        return link && !link->broken() ? link : Link();
    }

    struct Wanted {
        std::uint64_t offset, length, key;
        Rights rights;
    };

    /// `not_mapped` where no window holds the bytes under their key. `hint`: the window that was right last time.
    static Errc locate(const Windows& windows, std::size_t& hint, const Wanted& wanted, std::byte*& remote) noexcept {
        for (std::size_t i = 0; i < windows.size(); ++i) {
            const auto at = (hint + i) % windows.size();
            const auto& window = *windows[at];
            // A region's end may be the next one's beginning.
            if (window.key != wanted.key || !window.at(wanted.offset, wanted.length == 0 ? 0 : 1)) continue;
            hint = at;
            if (!includes(window.rights, wanted.rights)) return Errc::access_denied;
            remote = window.at(wanted.offset, wanted.length);
            return remote ? Errc::ok : Errc::out_of_range;
        }
        return Errc::not_mapped;
    }

    /// The right to write what `slice` says, held while the bytes are copied. `not_mapped`: what was fenced before the window
    /// was mapped is not known here, and the slice goes another way, where it is.
    static Errc enter(transport::detail::ShmLink& link, const transport::detail::ShmWindow& window, const Slice& slice,
                      std::vector<WriteFence::Passage>& passages) {
        if (slice.epoch <= window.floor) return Errc::not_mapped;
        auto passage = link.fence().enter(slice.remote, slice.length, slice.epoch);
        if (!passage) return Errc::stale_epoch;
        passages.push_back(std::move(*passage));
        return Errc::ok;
    }

    /// The same after `map_region`: a window that has gone again was revoked with its region.
    static Errc locate_mapped(const Windows& windows, std::size_t& hint, const Wanted& wanted,
                              std::byte*& remote) noexcept {
        const auto outcome = locate(windows, hint, wanted, remote);
        return outcome == Errc::not_mapped ? Errc::out_of_range : outcome;
    }

    static asio::awaitable<Errc> map_region(transport::detail::ShmLink& link, Wanted wanted, Deadline deadline) {
        if (link.is_refused(wanted.offset, wanted.key)) co_return Errc::not_mapped;
        const auto turn = co_await link.turn(deadline);
        if (!turn) co_return turn.error().code();
        if (link.broken()) co_return Errc::connection_lost;
        if (link.is_refused(wanted.offset, wanted.key)) co_return Errc::not_mapped;
        auto hint = std::size_t{0};
        auto* ignored = static_cast<std::byte*>(nullptr);
        if (locate(*link.windows(), hint, wanted, ignored) != Errc::not_mapped) co_return Errc::ok; // by now it is
        const auto mapped = co_await link.map(wanted.offset, wanted.key, deadline);
        co_return mapped ? Errc::ok : mapped.error().code();
    }

    const TransportContext context_;
    Gate gate_; ///< of the operations in progress
    TaskScope scope_;
    transport::detail::ShmServer server_;
    const std::string host_;
    std::mutex mutex_;
    std::map<Which, std::weak_ptr<transport::detail::ShmLink>> links_; ///< those in use
};

} // namespace mooncake
