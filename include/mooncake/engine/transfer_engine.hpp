#pragma once

#include <mooncake/core/closing.hpp>
#include <mooncake/core/combine.hpp>
#include <mooncake/core/end_program.hpp>
#include <mooncake/core/gate.hpp>
#include <mooncake/core/hash.hpp>
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/engine/batch.hpp>
#include <mooncake/engine/mover.hpp>
#include <mooncake/engine/plan.hpp>
#include <mooncake/engine/publisher.hpp>
#include <mooncake/engine/region_handle.hpp>
#include <mooncake/engine/transports.hpp>
#include <mooncake/net/codec.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mooncake {

template <EngineTraits Traits>
struct EngineConfig {
    std::string name = {}; ///< of the segment; empty: one nobody else has
    std::shared_ptr<typename Traits::Metadata> metadata =
        {}; ///< shared with others and closed by them; empty: one of its own
    typename Traits::Transports::Configs transports = {};
    std::uint64_t slice_bytes = 1 * MiB; ///< 4 KiB … 1 GiB: requests are cut into slices of at most this
    Duration path_rest = std::chrono::milliseconds{500}; ///< a path that failed is tried last for so long, or longer
    Duration path_patience =
        std::chrono::milliseconds{500}; ///< what a path may take beyond 50 us a KiB, if there is another
    Log log = {};

    /// The configuration of one of the transports.
    template <Transport T>
    typename T::Config& transport() noexcept {
        return std::get<typename T::Config>(transports);
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
template <EngineTraits Traits = DefaultEngineTraits>
class TransferEngine {
  public:
    using Config = EngineConfig<Traits>;
    using Segment = BasicSegment<typename Traits::Transports>;
    using Batch = mooncake::Batch<TransferEngine>;

    /// Binds what the transports need, and serves from then on. Throws `boost::system::system_error`: `address_in_use`, …
    explicit TransferEngine(Runtime& runtime, Config config = {});
    TransferEngine(const TransferEngine&) = delete;
    TransferEngine& operator=(const TransferEngine&) = delete;
    ~TransferEngine();

    [[nodiscard]] const std::string& name() const noexcept { return config_.name; }
    [[nodiscard]] std::uint64_t generation() const noexcept { return regions_->generation(); }
    [[nodiscard]] Runtime& runtime() const noexcept { return runtime_; }
    /// What others pass to `open` to get at this engine's segment; with `PeerMetadata` it is `name@host:port`.
    [[nodiscard]] std::string locator() const;
    [[nodiscard]] std::vector<TransportStatistics> statistics() const;

    /// Appends an arena to the segment. Over shm, peers map it; the region keeps it alive.
    /// Errors: `invalid_argument`, `conflict` (another process holds the segment's name), those of the metadata backend.
    Task<RegionPin> register_arena(std::shared_ptr<Arena> arena, Rights rights,
                                   KeySharing sharing = KeySharing::in_record);

    /// Appends memory of somebody else's, which peers reach over loopback and tcp.
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

    /// `length` bytes of the segment from `offset` on as memory of this process, where a transport can do that: no copy.
    /// `key`: 0 for the one that the segment's record shows. The owner may change the bytes at any time.
    /// Errors: `invalid_argument` (no segment), `not_mapped` (no transport can), `out_of_range`, `access_denied`, `stale_generation`, `timed_out`, `cancelled`.
    Task<MappedWindow> map(Segment segment, std::uint64_t offset, std::uint64_t length, Direction direction,
                           std::uint64_t key = 0, Deadline deadline = Deadline::usual());

    /// What the cheapest way to the segment costs, for choosing between replicas. Requires: it was opened.
    [[nodiscard]] unsigned cost(const Segment& segment) const { return mover_.cost(*segment.state()); }

    /// Stops serving, ends transfers in progress and waits for them, closes links. Idempotent, and over when it is closed,
    /// whoever else closes it.
    asio::awaitable<void> close();

  private:
    asio::awaitable<void> close_now();

    using Metadata = typename Traits::Metadata;
    using Pool = engine::detail::TransportPool<typename Traits::Transports>;
    using State = typename Pool::State;

    static Config checked(Config config);

    std::shared_ptr<Metadata> make_metadata();

    SegmentRecord empty_record() const;

    static Error closed() { return {Errc::closed, "the transfer engine was closed"}; }

    /// Keys come with the segment's record. A region that was registered after it was read has none in it: it is read again,
    /// once for a batch.
    asio::awaitable<void> refresh_keys(const Batch& batch, Deadline deadline);
    static constexpr Duration refresh_pause = std::chrono::milliseconds{50};

    Task<RegionPin> add(Region region, KeySharing sharing);

    Task<TransferReport> submit_one(Batch one, TransferOptions options);

    Runtime& runtime_;
    std::optional<Runtime::Tenant> tenant_; ///< until it is closed
    const Config config_;
    const std::shared_ptr<RegionTable> regions_;
    const std::shared_ptr<Metadata> metadata_;
    Pool transports_;
    engine::detail::Mover<Pool> mover_;
    engine::detail::Publisher<Metadata> publisher_;
    Gate gate_; ///< of the operations in progress
    Closing closing_;
};

// Below the class, and not in it: what is `inline` is compiled by everybody, whatever `extern template` says.

template <EngineTraits Traits>
TransferEngine<Traits>::TransferEngine(Runtime& runtime, Config config)
    : runtime_(runtime), tenant_(std::in_place, runtime), config_(checked(std::move(config))),
      regions_(std::make_shared<RegionTable>(random_secret())),
      metadata_(config_.metadata ? config_.metadata : make_metadata()),
      transports_(TransportContext{runtime, regions_, config_.log}, config_.transports),
      mover_(transports_, {.rest = config_.path_rest, .patience = config_.path_patience}),
      publisher_(empty_record(), metadata_, config_.log) {
    transports_.start();
    if (!config_.metadata) metadata_->start();
}

template <EngineTraits Traits>
TransferEngine<Traits>::~TransferEngine() {
    if (closing_.is_over()) return;
    if (runtime_.on_own_thread())
        core::detail::end_program("a TransferEngine was destroyed on a thread of its own Runtime, where it cannot wait "
                                  "for its end: co_await engine.close() before");
    sync_wait(runtime_.executor(), close());
}

template <EngineTraits Traits>
std::string TransferEngine<Traits>::locator() const {
    return metadata_->locator(config_.name);
}

template <EngineTraits Traits>
std::vector<TransportStatistics> TransferEngine<Traits>::statistics() const {
    return transports_.statistics();
}

template <EngineTraits Traits>
Task<RegionPin> TransferEngine<Traits>::register_arena(std::shared_ptr<Arena> arena, Rights rights,
                                                       KeySharing sharing) {
    arena->settle_rights(rights);
    auto region = Region{
        .bytes = arena->bytes(), .rights = rights, .keys = make_keys(rights), .location = "cpu:0", .arena = arena};
    return add(std::move(region), sharing);
}

template <EngineTraits Traits>
Task<RegionPin> TransferEngine<Traits>::register_memory(MutableBytes memory, Rights rights, KeySharing sharing) {
    auto region =
        Region{.bytes = memory, .rights = rights, .keys = make_keys(rights), .location = "cpu:0", .arena = nullptr};
    return add(std::move(region), sharing);
}

template <EngineTraits Traits>
Task<void> TransferEngine<Traits>::unregister(RegionPin region, Deadline deadline) {
    const auto pass = gate_.enter();
    if (!pass) co_return closed();
    const auto pinned = engine::detail::RegionHandle::pins_of(region);
    regions_->remove(region);
    publisher_.hide(*region);
    const auto published = co_await publisher_.publish();
    auto pause = Event();
    // Rare and short: peers answer within a round trip.
    for (auto wait = std::chrono::microseconds{500}; !pinned.only_by_handles();
         wait = std::min(wait * 2, std::chrono::microseconds{50'000})) {
        const auto wake = co_await pause.wait(Deadline(wait).or_sooner(deadline));
        if (wake == Wake::cancelled || deadline.passed())
            co_return Error(wake == Wake::cancelled ? Errc::cancelled : Errc::timed_out,
                            "a region is still in use by a peer");
    }
    co_return published;
}

template <EngineTraits Traits>
bool TransferEngine<Traits>::fence(std::uint64_t offset, std::uint64_t length, std::uint64_t epoch) {
    regions_->fence().raise(offset, length, epoch);
    return regions_->fence().quiet(offset, length, epoch) && transports_.fence(offset, length, epoch);
}

template <EngineTraits Traits>
auto TransferEngine<Traits>::open(std::string locator, Deadline deadline) -> Task<Segment> {
    const auto pass = gate_.enter();
    if (!pass) co_return closed();
    if (deadline.passed()) co_return Error(Errc::timed_out, "opening segment " + in_quotes(locator, 256));
    const auto document = co_await metadata_->get(locator, deadline);
    if (!document) co_return document.error();
    auto record = engine::detail::decode_record(document->value);
    if (!record)
        co_return Error(Errc::protocol_error, "the record of " + in_quotes(locator, 256) + " could not be decoded");
    auto state = std::make_shared<State>(std::move(*record), locator);
    if (!transports_.find_paths(*state)) {
        auto offers = std::string();
        for (const auto& endpoint : state->record().endpoints) offers += " " + endpoint.protocol;
        auto has = std::string();
        for (const auto known : Pool::names) has += " " + std::string(known);
        co_return Error(Errc::no_path, "segment " + in_quotes(locator, 256) + " offers" + offers + "; this engine has" +
                                           has + ", and none of them gets there");
    }
    co_return Segment(std::move(state));
}

template <EngineTraits Traits>
Task<TransferReport> TransferEngine<Traits>::read(MutableBytes local, Segment segment, std::uint64_t offset,
                                                  TransferOptions options) {
    auto one = batch();
    one.read(local, segment, offset);
    co_return co_await submit_one(std::move(one), options);
}

template <EngineTraits Traits>
Task<TransferReport> TransferEngine<Traits>::write(ConstBytes local, Segment segment, std::uint64_t offset,
                                                   TransferOptions options) {
    auto one = batch();
    one.write(local, segment, offset);
    co_return co_await submit_one(std::move(one), options);
}

template <EngineTraits Traits>
Task<BatchReport> TransferEngine<Traits>::submit(const Batch& batch, TransferOptions options) {
    const auto pass = gate_.enter();
    if (!pass) co_return closed();
    const auto start = SteadyClock{}.now();
    auto planned = engine::detail::make_plan(batch, options.digest, config_.slice_bytes);
    if (planned && planned->keyless) {
        co_await refresh_keys(batch, options.deadline);
        planned = engine::detail::make_plan(batch, options.digest, config_.slice_bytes);
    }
    if (!planned) co_return planned.error();
    auto& plan = *planned;
    auto failure = Error();
    if (plan.groups.size() == 1) {
        const auto moved = co_await mover_.move(plan.groups.front().segment.state(), plan.group(0, options));
        if (!moved) failure = moved.error();
    } else if (!plan.groups.empty()) {
        auto tasks = std::vector<Task<void>>();
        for (std::size_t i = 0; i < plan.groups.size(); ++i)
            tasks.push_back(mover_.move(plan.groups[i].segment.state(), plan.group(i, options)));
        const auto results = co_await all_settled(std::move(tasks));
        for (const auto& result : results)
            if (!result) failure = result.error();
    }
    auto report = BatchReport();
    report.requests = engine::detail::make_reports(batch, plan, options.digest, Pool::names, Pool::self_verifying);
    report.failure = std::move(failure);
    report.took = SteadyClock{}.now() - start;
    co_return report;
}

template <EngineTraits Traits>
Task<MappedWindow> TransferEngine<Traits>::map(Segment segment, std::uint64_t offset, std::uint64_t length,
                                               Direction direction, std::uint64_t key, Deadline deadline) {
    const auto pass = gate_.enter();
    if (!pass) co_return closed();
    if (!segment) co_return Error(Errc::invalid_argument, "the segment is empty; open one first");
    auto request = engine::detail::WindowRequest{.offset = offset,
                                                 .length = length,
                                                 .key = key != 0 ? key : segment.key_for(offset, direction),
                                                 .direction = direction,
                                                 .deadline = deadline};
    co_return co_await mover_.map(segment.state(), request);
}

template <EngineTraits Traits>
asio::awaitable<void> TransferEngine<Traits>::close() {
    return closing_.once(close_now());
}

template <EngineTraits Traits>
asio::awaitable<void> TransferEngine<Traits>::close_now() {
    gate_.shut();
    co_await publisher_.forget();
    co_await transports_.close();
    if (!config_.metadata) co_await metadata_->close();
    co_await gate_.wait();
    tenant_.reset();
}

template <EngineTraits Traits>
auto TransferEngine<Traits>::checked(Config config) -> Config {
    if (config.name.empty()) config.name = "segment-" + std::to_string(random_secret());
    if (config.slice_bytes < 4 * KiB || config.slice_bytes > 1 * GiB)
        throw_error({Errc::invalid_argument,
                     "EngineConfig::slice_bytes is " + std::to_string(config.slice_bytes) + "; give 4 KiB to 1 GiB"});
    if (config.name.size() > 256 || config.name.find('@') != std::string::npos)
        throw_error({Errc::invalid_argument, "EngineConfig::name is longer than 256 bytes or holds an '@'"});
    return config;
}

template <EngineTraits Traits>
auto TransferEngine<Traits>::make_metadata() -> std::shared_ptr<Metadata> {
    if constexpr (std::constructible_from<Metadata, Runtime&>) return std::make_shared<Metadata>(runtime_);
    else return std::make_shared<Metadata>();
}

template <EngineTraits Traits>
SegmentRecord TransferEngine<Traits>::empty_record() const {
    return {.name = config_.name, .generation = generation(), .endpoints = transports_.describe(), .buffers = {}};
}

template <EngineTraits Traits>
asio::awaitable<void> TransferEngine<Traits>::refresh_keys(const Batch& batch, Deadline deadline) {
    for (const auto& request : batch.requests()) {
        const auto keyless =
            request.segment && request.key == 0 && request.segment.key_for(request.offset, request.direction) == 0;
        if (!keyless || !request.segment.state()->may_refresh(SteadyClock{}.now() + refresh_pause)) continue;
        auto& state = *request.segment.state();
        const auto document = co_await metadata_->get(state.locator, deadline);
        if (!document) continue;
        auto record = engine::detail::decode_record(document->value);
        if (record && record->generation == state.record().generation) state.refresh(std::move(*record));
    }
}

template <EngineTraits Traits>
Task<RegionPin> TransferEngine<Traits>::add(Region region, KeySharing sharing) {
    const auto pass = gate_.enter();
    if (!pass) co_return closed();
    auto added = regions_->add(std::move(region));
    if (!added) co_return added.error();
    const auto& pin = *added;
    publisher_.show(*pin, sharing);
    const auto published = co_await publisher_.publish();
    if (!published) {
        regions_->remove(pin);
        publisher_.hide(*pin);
        co_return published.error();
    }
    co_return engine::detail::RegionHandle::make(pin);
}

template <EngineTraits Traits>
Task<TransferReport> TransferEngine<Traits>::submit_one(Batch one, TransferOptions options) {
    auto report = co_await submit(one, options);
    if (!report) co_return report.error();
    auto& request = report->requests.front();
    if (request.outcome == Errc::ok) co_return std::move(request);
    const auto way_failed = engine::detail::retryable(request.outcome) && !(report->failure == Errc::ok);
    if (way_failed) co_return report->failure;
    const auto& asked = one.requests().front();
    const auto keyless = request.outcome == Errc::access_denied && asked.key == 0 &&
                         asked.segment.key_for(asked.offset, asked.direction) == 0;
    co_return Error(request.outcome, (asked.direction == Direction::read ? "reading " : "writing ") +
                                         std::to_string(asked.bytes) + " bytes at offset " +
                                         std::to_string(asked.offset) + " of segment " +
                                         in_quotes(asked.segment.record().name, 256) +
                                         (keyless ? ": its record shows no key for that; is the region registered with "
                                                    "these rights and KeySharing::in_record, or give the key yourself"
                                                  : ""));
}

} // namespace mooncake
