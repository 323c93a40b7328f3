#pragma once

/// The insides of `TransferEngine`. The parts that it is made of are included by who chooses them; `transfer_engine.hpp` has
/// the default's.

#include <mooncake/core/closing.hpp>
#include <mooncake/core/combine.hpp>
#include <mooncake/core/end_program.hpp>
#include <mooncake/core/gate.hpp>
#include <mooncake/core/hash.hpp>
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/engine/engine_interface.hpp>
#include <mooncake/engine/mover.hpp>
#include <mooncake/engine/plan.hpp>
#include <mooncake/engine/publisher.hpp>
#include <mooncake/engine/region_handle.hpp>
#include <mooncake/engine/transports.hpp>
#include <mooncake/net/codec.hpp>
#include <mooncake/topology/memory_location.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mooncake {

template <class Traits>
struct TransferEngine<Traits>::Parts {
    static_assert(EngineTraits<Traits>);
    using Metadata = typename Traits::Metadata;
    using Pool = engine::detail::TransportPool<typename Traits::Transports>;
    using State = typename Pool::State;

    Parts(Runtime& on, Config wanted)
        : runtime(on), tenant(std::in_place, on), config(checked(std::move(wanted))),
          regions(std::make_shared<RegionTable>(random_secret())),
          metadata(config.metadata ? config.metadata : make_metadata()),
          transports(TransportContext{runtime, regions, config.log}, config.transports, dispatcher_maker(config)),
          mover(transports, {.rest = config.path_rest, .patience = config.path_patience}),
          publisher(empty_record(), metadata, config.record_ttl, runtime.executor(), config.log) {
        transports.start();
        if (!config.metadata) metadata->start();
    }

    static Config checked(Config config) {
        if (config.name.empty()) config.name = "segment-" + std::to_string(random_secret());
        if (config.slice_bytes < 4 * KiB || config.slice_bytes > 1 * GiB)
            throw_error({Errc::invalid_argument, "EngineConfig::slice_bytes is " + std::to_string(config.slice_bytes) +
                                                     "; give 4 KiB to 1 GiB"});
        for (const auto& [time, name] :
             {std::pair(config.path_rest, "path_rest"), std::pair(config.path_patience, "path_patience"),
              std::pair(config.spread.chunk_time, "spread.chunk_time"), std::pair(config.spread.slack, "spread.slack"),
              std::pair(config.spread.probe, "spread.probe")})
            if (time < Duration::zero() || time > std::chrono::hours{1})
                throw_error(
                    {Errc::invalid_argument, std::string("EngineConfig::") + name + " is negative, or above an hour"});
        if (config.record_ttl < std::chrono::milliseconds{100} || config.record_ttl > std::chrono::hours{24})
            throw_error({Errc::invalid_argument, "EngineConfig::record_ttl is below 100 ms, or above a day"});
        if (config.spread.chunk_time <= Duration::zero() || config.spread.least_chunk == 0 ||
            config.spread.least_chunk > 1 * GiB)
            throw_error({Errc::invalid_argument,
                         "EngineConfig::spread: give a chunk_time above 0, and a least_chunk of 1 byte to 1 GiB"});
        if (config.name.size() > 256 || config.name.find('@') != std::string::npos)
            throw_error({Errc::invalid_argument, "EngineConfig::name is longer than 256 bytes or holds an '@'"});
        return config;
    }

    static engine::detail::MakeDispatcher dispatcher_maker(const Config& config) {
        using Dispatch = engine::detail::Dispatch<typename engine::detail::PathsOf<Traits>::Type,
                                                  typename engine::detail::WindowOf<Traits>::Type>;
        const auto dispatch =
            engine::detail::DispatchConfig{.spread = config.spread,
                                           .breaker = {.rest = config.path_rest, .probe = config.path_patience},
                                           .patience = config.path_patience};
        return [dispatch](std::span<const unsigned> preferences) {
            return std::make_unique<Dispatch>(preferences, dispatch);
        };
    }

    std::shared_ptr<Metadata> make_metadata() {
        if constexpr (std::constructible_from<Metadata, Runtime&>) return std::make_shared<Metadata>(runtime);
        else if constexpr (std::default_initializable<Metadata>) return std::make_shared<Metadata>();
        else
            throw_error({Errc::invalid_argument,
                         "EngineConfig::metadata is empty; a backend that asks a server has to be told which"});
    }

    SegmentRecord empty_record() const {
        return {.name = config.name,
                .generation = regions->generation(),
                .endpoints = transports.describe(),
                .buffers = {}};
    }

    Task<RegionPin> add(Region region, KeySharing sharing) {
        const auto pass = gate.enter();
        if (!pass) co_return closed();
        auto added = regions->add(std::move(region));
        if (!added) co_return added.error();
        const auto& pin = *added;
        publisher.show(*pin, sharing);
        const auto published = co_await publisher.publish();
        if (!published) {
            regions->remove(pin);
            publisher.hide(*pin);
            co_return published.error();
        }
        co_return engine::detail::RegionHandle::make(pin);
    }

    /// Keys come with the segment's record. A region that was registered after it was read has none in it: it is read again,
    /// once for a batch.
    asio::awaitable<void> refresh_keys(const Batch& batch, Deadline deadline) {
        for (const auto& request : batch.requests()) {
            const auto keyless =
                request.segment && request.key == 0 && request.segment.key_for(request.offset, request.direction) == 0;
            if (!keyless || !request.segment.state()->may_refresh(SteadyClock{}.now() + refresh_pause)) continue;
            auto& state = *request.segment.state();
            const auto document = co_await metadata->get(state.locator, deadline);
            if (!document) continue;
            auto record = engine::detail::decode_record(document->value);
            if (record && record->generation == state.record().generation) state.refresh(std::move(*record));
        }
    }
    static constexpr Duration refresh_pause = std::chrono::milliseconds{50};

    /// What needs no wait is done here: one small request, to a segment that is connected. Nothing where that does not hold; then
    /// it goes the way of all requests, which also has the words for what is wrong.
    std::optional<TransferReport> move_now(Direction direction, MutableBytes local, const Segment& segment,
                                           std::uint64_t offset, const TransferOptions& options) {
        if (!segment || options.digest != Digest::none) return std::nullopt;
        const auto overflows = local.size() > std::numeric_limits<std::uint64_t>::max() - offset;
        const auto pass = gate.enter();
        if (!pass || overflows || options.deadline.passed()) return std::nullopt;
        auto slice = Slice{
            .local = local.data(), .length = local.size(), .remote = offset, .key = segment.key_for(offset, direction)};
        const auto group = SliceGroup{.direction = direction, .slices = std::span(&slice, 1)};
        const auto by = transports.transfer_now(*segment.state(), group);
        if (by == State::none) return std::nullopt;
        return TransferReport{
            .bytes = slice.length, .transport = Pool::names[by], .self_verifying = Pool::self_verifying[by]};
    }

    /// The same for a batch for one segment and one way.
    bool move_now(engine::detail::Plan<Segment>& plan, const TransferOptions& options) {
        if (plan.groups.size() != 1 || options.deadline.passed()) return false;
        const auto group = plan.group(0, options);
        const auto by = transports.transfer_now(*plan.groups.front().segment.state(), group.slices);
        if (by == State::none) return false;
        std::fill(group.moved_by.begin(), group.moved_by.end(), static_cast<std::uint8_t>(by));
        return true;
    }

    asio::awaitable<void> close() {
        gate.shut();
        co_await publisher.forget();
        co_await transports.close();
        if (!config.metadata) co_await metadata->close();
        co_await gate.wait();
        co_await publisher.forget(); // what was being registered may have been published meanwhile
        tenant.reset();
    }

    Runtime& runtime;
    std::optional<Runtime::Tenant> tenant; ///< until it is closed
    const Config config;
    const std::shared_ptr<RegionTable> regions;
    const std::shared_ptr<Metadata> metadata;
    Pool transports;
    engine::detail::Mover<Pool> mover;
    engine::detail::Publisher<Metadata> publisher;
    Gate gate; ///< of the operations in progress
    Closing closing;
};

template <class Traits>
TransferEngine<Traits>::TransferEngine(Runtime& runtime, Config config)
    : parts_(std::make_unique<Parts>(runtime, std::move(config))) {}

template <class Traits>
TransferEngine<Traits>::TransferEngine(Runtime& runtime) : TransferEngine(runtime, Config()) {}

template <class Traits>
const std::string& TransferEngine<Traits>::name() const noexcept {
    return parts_->config.name;
}

template <class Traits>
std::uint64_t TransferEngine<Traits>::generation() const noexcept {
    return parts_->regions->generation();
}

template <class Traits>
Runtime& TransferEngine<Traits>::runtime() const noexcept {
    return parts_->runtime;
}

template <class Traits>
unsigned TransferEngine<Traits>::cost(const Segment& segment) const {
    return parts_->mover.cost(*segment.state());
}

template <class Traits>
TransferEngine<Traits>::~TransferEngine() {
    if (parts_->closing.is_over()) return;
    if (parts_->runtime.on_own_thread())
        core::detail::end_program("a TransferEngine was destroyed on a thread of its own Runtime, where it cannot wait "
                                  "for its end: co_await engine.close() before");
    sync_wait(parts_->runtime.executor(), close());
}

template <class Traits>
std::string TransferEngine<Traits>::locator() const {
    return parts_->metadata->locator(parts_->config.name);
}

template <class Traits>
std::vector<TransportStatistics> TransferEngine<Traits>::statistics() const {
    return parts_->transports.statistics();
}

template <class Traits>
Task<RegionPin> TransferEngine<Traits>::register_arena(std::shared_ptr<Arena> arena, Rights rights,
                                                       KeySharing sharing) {
    arena->settle_rights(rights);
    auto region = Region{.bytes = arena->bytes(),
                         .rights = rights,
                         .keys = make_keys(rights),
                         .location = memory_location(arena->bytes()),
                         .arena = arena};
    return parts_->add(std::move(region), sharing);
}

template <class Traits>
Task<RegionPin> TransferEngine<Traits>::register_memory(MutableBytes memory, Rights rights, KeySharing sharing) {
    auto region = Region{.bytes = memory,
                         .rights = rights,
                         .keys = make_keys(rights),
                         .location = memory_location(memory),
                         .arena = nullptr};
    return parts_->add(std::move(region), sharing);
}

template <class Traits>
Task<void> TransferEngine<Traits>::unregister(RegionPin region, Deadline deadline) {
    const auto pass = parts_->gate.enter();
    if (!pass) co_return closed();
    const auto pinned = engine::detail::RegionHandle::pins_of(region);
    parts_->regions->remove(region);
    parts_->publisher.hide(*region);
    const auto published = co_await parts_->publisher.publish();
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

template <class Traits>
bool TransferEngine<Traits>::fence(std::uint64_t offset, std::uint64_t length, std::uint64_t epoch) {
    parts_->regions->fence().raise(offset, length, epoch);
    return parts_->regions->fence().quiet(offset, length, epoch) && parts_->transports.fence(offset, length, epoch);
}

template <class Traits>
auto TransferEngine<Traits>::open(std::string locator, Deadline deadline) -> Task<Segment> {
    const auto pass = parts_->gate.enter();
    if (!pass) co_return closed();
    if (deadline.passed()) co_return Error(Errc::timed_out, "opening segment " + in_quotes(locator, 256));
    const auto document = co_await parts_->metadata->get(locator, deadline);
    if (!document) co_return document.error();
    auto record = engine::detail::decode_record(document->value);
    if (!record)
        co_return Error(Errc::protocol_error, "the record of " + in_quotes(locator, 256) + " could not be decoded");
    auto state = std::make_shared<typename Parts::State>(std::move(*record), locator);
    if (!parts_->transports.find_paths(*state)) {
        auto offers = std::string();
        for (const auto& endpoint : state->record().endpoints) offers += " " + endpoint.protocol;
        auto has = std::string();
        for (const auto known : Parts::Pool::names) has += " " + std::string(known);
        co_return Error(Errc::no_path, "segment " + in_quotes(locator, 256) + " offers" + offers + "; this engine has" +
                                           has + ", and none of them gets there");
    }
    co_return Segment(std::move(state));
}

template <class Traits>
Task<TransferReport> TransferEngine<Traits>::read(MutableBytes local, Segment segment, std::uint64_t offset,
                                                  TransferOptions options) {
    if (auto report = parts_->move_now(Direction::read, local, segment, offset, options)) co_return std::move(*report);
    auto one = batch();
    one.read(local, segment, offset);
    co_return co_await submit_one(std::move(one), options);
}

template <class Traits>
Task<TransferReport> TransferEngine<Traits>::write(ConstBytes local, Segment segment, std::uint64_t offset,
                                                   TransferOptions options) {
    const auto source = MutableBytes(const_cast<std::byte*>(local.data()), local.size()); // only read from
    if (auto report = parts_->move_now(Direction::write, source, segment, offset, options))
        co_return std::move(*report);
    auto one = batch();
    one.write(local, segment, offset);
    co_return co_await submit_one(std::move(one), options);
}

template <class Traits>
Task<BatchReport> TransferEngine<Traits>::submit(const Batch& batch, TransferOptions options) {
    const auto pass = parts_->gate.enter();
    if (!pass) co_return closed();
    const auto start = SteadyClock{}.now();
    auto planned = engine::detail::make_plan(batch, options.digest, parts_->config.slice_bytes);
    if (planned && planned->keyless) {
        co_await parts_->refresh_keys(batch, options.deadline);
        planned = engine::detail::make_plan(batch, options.digest, parts_->config.slice_bytes);
    }
    if (!planned) co_return planned.error();
    auto& plan = *planned;
    auto failure = Error();
    const auto at_once = parts_->move_now(plan, options);
    if (plan.groups.size() == 1 && !at_once) {
        const auto moved = co_await parts_->mover.move(plan.groups.front().segment.state(), plan.group(0, options));
        if (!moved) failure = moved.error();
    } else if (!at_once && !plan.groups.empty()) {
        auto tasks = std::vector<Task<void>>();
        for (std::size_t i = 0; i < plan.groups.size(); ++i)
            tasks.push_back(parts_->mover.move(plan.groups[i].segment.state(), plan.group(i, options)));
        const auto results = co_await all_settled(std::move(tasks));
        for (const auto& result : results)
            if (!result) failure = result.error();
    }
    auto report = BatchReport();
    report.requests =
        engine::detail::make_reports(batch, plan, options.digest, Parts::Pool::names, Parts::Pool::self_verifying);
    report.failure = std::move(failure);
    report.took = SteadyClock{}.now() - start;
    co_return report;
}

template <class Traits>
Task<MappedWindow> TransferEngine<Traits>::map(Segment segment, std::uint64_t offset, std::uint64_t length,
                                               Direction direction, std::uint64_t key, Deadline deadline) {
    const auto pass = parts_->gate.enter();
    if (!pass) co_return closed();
    if (!segment) co_return Error(Errc::invalid_argument, "the segment is empty; open one first");
    auto request = engine::detail::WindowRequest{.offset = offset,
                                                 .length = length,
                                                 .key = key != 0 ? key : segment.key_for(offset, direction),
                                                 .direction = direction,
                                                 .deadline = deadline};
    co_return co_await parts_->mover.map(segment.state(), request);
}

template <class Traits>
asio::awaitable<void> TransferEngine<Traits>::close() {
    return parts_->closing.once(parts_->close());
}

template <class Traits>
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
