#pragma once

/// What `TransferEngine` is to those who use it; `transfer_engine.hpp` has the insides.

#include <mooncake/core/runtime_fwd.hpp>
#include <mooncake/engine/batch.hpp>
#include <mooncake/engine/fwd.hpp>
#include <mooncake/engine/prepared_batch.hpp>
#include <mooncake/engine/report.hpp>
#include <mooncake/engine/segment.hpp>
#include <mooncake/engine/spread_config.hpp>
#include <mooncake/engine/traits.hpp>
#include <mooncake/memory/region_table.hpp>
#include <mooncake/transport/notification.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace mooncake {

template <class Traits>
struct EngineConfig {
    std::string name = {}; ///< of the segment; empty: one nobody else has
    std::shared_ptr<typename Traits::Metadata> metadata =
        {}; ///< shared with others and closed by them; empty: one of its own
    typename Traits::Transports::Configs transports = {};
    std::uint64_t slice_bytes = 1 * MiB; ///< 4 KiB … 1 GiB: requests are cut into slices of at most this
    Duration path_rest = std::chrono::milliseconds{500}; ///< a path that failed is tried last for so long, or longer
    Duration path_patience =
        std::chrono::milliseconds{500}; ///< what a path may take beyond 50 us a KiB, if there is another
    SpreadConfig spread = {};           ///< over several paths of one transport
    Duration record_ttl =
        std::chrono::seconds{10}; ///< how long this segment's record outlives a process that dies, at least
                                  ///< 100 ms; where metadata backends have leases
    Log log = {};

    /// The configuration of one of the transports.
    template <class T>
    config_of<T>& transport() noexcept {
        return std::get<config_of<T>>(transports);
    }
};

/// Moves bytes between this process's memory and the segments of others.
///
/// It owns this process's segment: regions registered with it can be read and written by peers that hold a key. It opens
/// the segments of others and moves batches of requests, over the cheapest transport that reaches them, and over the next
/// when that fails.
///
/// Thread: everything from any executor. Lifetime: the runtime outlives it; the destructor closes what `close` has not,
/// and then must not run on one of the runtime's threads. Source: FAST'25 §3.
template <class Traits>
class TransferEngine {
    static_assert(
        requires {
            typename Traits::Transports;
            typename Traits::Metadata;
        }, "EngineTraits name their Transports, a TransportSet, and their Metadata: inherit them from "
           "DefaultEngineTraits");

  public:
    using Config = EngineConfig<Traits>;
    using Segment = BasicSegment<typename Traits::Transports>;
    using Batch = mooncake::Batch<TransferEngine>;
    using PreparedBatch = mooncake::PreparedBatch<TransferEngine>;

    /// Binds what the transports need, and serves from then on. Throws `boost::system::system_error`: `address_in_use`, …
    TransferEngine(Runtime& runtime, Config config);
    explicit TransferEngine(Runtime& runtime); ///< with the default configuration
    TransferEngine(const TransferEngine&) = delete;
    TransferEngine& operator=(const TransferEngine&) = delete;
    ~TransferEngine();

    [[nodiscard]] const std::string& name() const noexcept;
    [[nodiscard]] std::uint64_t generation() const noexcept;
    [[nodiscard]] Runtime& runtime() const noexcept;
    /// What others pass to `open` to get at this engine's segment; with `PeerMetadata` it is `name@host:port`.
    [[nodiscard]] std::string locator() const;
    [[nodiscard]] std::vector<TransportStatistics> statistics() const;

    /// Appends an arena to the segment. Over shm, peers map it; the region keeps it alive.
    /// Errors: `invalid_argument`, `conflict` (another process holds the segment's name), those of the metadata backend.
    Task<RegionPin> register_arena(std::shared_ptr<Arena> arena, Rights rights,
                                   KeySharing sharing = KeySharing::in_record);

    /// Appends memory of somebody else's. Over shm, peers of the same user reach it where it is, if the kernel allows that
    /// (`kernel.yama.ptrace_scope`, seccomp), and over tcp otherwise.
    /// Lifetime: `memory` stays until `unregister` has returned, or the engine is closed.
    Task<RegionPin> register_memory(MutableBytes memory, Rights rights, KeySharing sharing = KeySharing::in_record);

    /// Takes the region back: no access begins any more, and when this returns none is in progress and no peer maps it. Copies
    /// of `region` that the caller keeps do not count.
    /// Errors: `timed_out`, `cancelled`: a peer still holds on to it; it is out of the segment all the same.
    Task<void> unregister(RegionPin region, Deadline deadline = Deadline::usual());

    /// No write of `epoch`, or of an older one, to these bytes of the own segment begins any more; whether none that had
    /// begun is under way, so that the space can be somebody else's. Ask again while it is false.
    [[nodiscard]] bool fence(std::uint64_t offset, std::uint64_t length, std::uint64_t epoch);

    /// Looks a segment up and finds the ways to it. `locator`: what `locator()` says at the segment's owner.
    /// Errors: `not_found`, `unreachable`, `timed_out`; `no_path` (names what the segment offers and what this engine has).
    Task<Segment> open(std::string locator, Deadline deadline = Deadline::usual());

    [[nodiscard]] Batch batch() noexcept { return Batch(*this); }

    /// Reads `local.size()` bytes of the segment from `offset` on. A report that comes back is of a success.
    /// Errors: those that `submit` has in its reports, with a sentence; `invalid_argument` (no segment).
    Task<TransferReport> read(MutableBytes local, Segment segment, std::uint64_t offset, TransferOptions options = {});

    /// Writes `local` to the segment from `offset` on. As `read`.
    Task<TransferReport> write(ConstBytes local, Segment segment, std::uint64_t offset, TransferOptions options = {});

    /// Moves what the batch holds, and reports on every request; the result itself is an error only for a batch that
    /// cannot be carried out at all.
    /// Errors: `invalid_argument` (a digest of a request with several spans), `closed`. In the reports: `out_of_range`,
    /// `access_denied`, `stale_generation` (open the segment again), `timed_out`, `cancelled`, and what the last path said.
    /// Cancellation: partial, as the reports say. Lifetime: the batch and its memory outlive the call, and nothing touches
    /// that memory after it.
    Task<BatchReport> submit(const Batch& batch, TransferOptions options);

    /// A batch that is to be submitted many times; it is planned once.
    [[nodiscard]] PreparedBatch prepare(Batch batch) { return PreparedBatch(*this, std::move(batch)); }
    /// As `submit`. Errors: also `conflict`: it is under way already.
    Task<BatchReport> submit(PreparedBatch& prepared, TransferOptions options);

    /// `length` bytes of the segment from `offset` on as memory of this process, where a transport can do that: no copy.
    /// `key`: 0 for the one that the segment's record shows. The owner may change the bytes at any time.
    /// Errors: `invalid_argument` (no segment), `not_mapped` (no transport can), `out_of_range`, `access_denied`, `stale_generation`, `timed_out`, `cancelled`.
    Task<MappedWindow> map(Segment segment, std::uint64_t offset, std::uint64_t length, Direction direction,
                           std::uint64_t key = 0, Deadline deadline = Deadline::usual());

    /// Tells the segment's owner about `length` of its bytes from `offset` on, after what this task's caller has seen done: whoever
    /// takes the notification finds the bytes there. `key`: 0 for the one that the segment's record shows; it may be for any
    /// right. It is said at most once.
    /// Errors: `no_space` (nobody takes what is in the inbox: try again later), `too_large` (above 4 KiB), `not_supported`,
    /// `access_denied`, `out_of_range`, `stale_generation`, `connection_lost` (it may have come), `timed_out`, `cancelled`.
    Task<void> notify(Segment segment, std::uint64_t offset, std::uint64_t length, std::string text,
                      std::uint64_t key = 0, Deadline deadline = Deadline::usual());

    /// `write`, and when all of it is there `notify` with `text`.
    Task<TransferReport> write_and_notify(ConstBytes local, Segment segment, std::uint64_t offset, std::string text,
                                          TransferOptions options = {});

    /// The next of what peers said to this segment, in the order in which it came.
    /// Errors: `timed_out`, `cancelled`, `closed`. Cancellation: total.
    Task<Notification> next_notification(Deadline deadline);

    /// What the cheapest way to the segment costs, for choosing between replicas. Requires: it was opened.
    [[nodiscard]] unsigned cost(const Segment& segment) const;

    /// How long `bytes` to or from the segment would take, by what transfers took of late over the way that is tried first; those
    /// beside others, and behind them, count as they were. Nothing where none has gone that way yet, or all were copied at once.
    /// Requires: it was opened.
    [[nodiscard]] std::optional<Duration> expected_time(const Segment& segment, std::uint64_t bytes) const;

    /// Tries all ways to the segment, whatever is known of them, at the same time: who cannot reach a peer finds out why.
    /// Errors: `invalid_argument` (no segment), `closed`. What became of each way is in its report.
    Task<std::vector<PathProbe>> probe(Segment segment, Deadline deadline = Deadline::usual());

    /// Stops serving, ends transfers in progress and waits for them, closes links. Idempotent, and over when it is closed,
    /// whoever else closes it.
    asio::awaitable<void> close();

  private:
    struct Parts;

    static Error closed() { return {Errc::closed, "the transfer engine was closed"}; }
    Task<BatchReport> carry_out(const Batch& batch, TransferOptions options, typename PreparedBatch::Parts* prepared);
    Task<TransferReport> submit_one(Batch one, TransferOptions options);

    const std::unique_ptr<Parts> parts_;
};

} // namespace mooncake
