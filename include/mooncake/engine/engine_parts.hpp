#pragma once

/// What an engine consists of, and how its parts are put together.

#include <mooncake/core/closing.hpp>
#include <mooncake/core/gate.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/engine/engine_interface.hpp>
#include <mooncake/engine/mover.hpp>
#include <mooncake/engine/plan.hpp>
#include <mooncake/engine/publisher.hpp>
#include <mooncake/engine/region_handle.hpp>
#include <mooncake/engine/transports.hpp>
#include <mooncake/net/codec.hpp>
#include <mooncake/transport/inbox.hpp>

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
          metadata(config.metadata ? config.metadata : make_metadata()), inbox(std::make_shared<Inbox>()),
          transports(TransportContext{runtime, regions, config.log, inbox, std::make_shared<Handshakes>()},
                     config.transports, dispatcher_maker(config)),
          mover(transports, config.path_patience),
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

    static BreakerConfig breaker_of(const Config& config) {
        return {.rest = config.path_rest, .probe = config.path_patience};
    }

    static engine::detail::MakeDispatcher dispatcher_maker(const Config& config) {
        using Dispatch = engine::detail::Dispatch<typename engine::detail::PathsOf<Traits>::Type,
                                                  typename engine::detail::WindowOf<Traits>::Type>;
        const auto dispatch = engine::detail::DispatchConfig{
            .spread = config.spread, .breaker = breaker_of(config), .patience = config.path_patience};
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

    /// A region that is being registered, and is not there if that fails, in whatever way: its owner takes the memory back.
    struct Adding {
        Parts& parts;
        const RegionPin pin;
        bool stays = false;

        ~Adding() {
            if (stays) return;
            parts.regions->remove(pin);
            parts.publisher.hide(*pin);
            parts.transports.detach(*pin);
        }
    };

    Task<RegionPin> add(Region region, KeySharing sharing) {
        const auto pass = gate.enter();
        if (!pass) co_return closed();
        auto added = regions->add(std::move(region));
        if (!added) co_return added.error();
        auto adding = Adding{*this, *added};
        const auto throws = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        auto done = Result<void>(ok);
        if constexpr (Pool::any_registers) done = co_await transports.attach(adding.pin);
        if (done) {
            publisher.show(*adding.pin, sharing);
            done = co_await publisher.publish();
        }
        co_await asio::this_coro::throw_if_cancelled(throws);
        if (!done) co_return done.error();
        adding.stays = true;
        co_return engine::detail::RegionHandle::make(adding.pin);
    }

    /// The plan that one submission uses: its own, or that of a prepared batch, for itself alone.
    class PlanInUse {
      public:
        explicit PlanInUse(typename PreparedBatch::Parts* prepared) noexcept : of_(prepared) {
            if (of_ != nullptr && of_->under_way.exchange(true)) of_ = nullptr, taken_ = true;
        }
        PlanInUse(const PlanInUse&) = delete;
        PlanInUse& operator=(const PlanInUse&) = delete;
        ~PlanInUse() {
            if (of_ != nullptr) of_->under_way = false;
        }

        [[nodiscard]] bool is_taken() const noexcept { return taken_; }
        /// Whether it is there; then it is as when it was made.
        [[nodiscard]] bool is_ready(Digest digest) const noexcept {
            if (of_ == nullptr || !of_->planned || of_->plan.keyless || of_->plan.digest != digest) return false;
            of_->plan.reset();
            return true;
        }
        void take(engine::detail::Plan<Segment> plan) {
            this->plan() = std::move(plan);
            if (of_ != nullptr) of_->planned = true;
        }
        [[nodiscard]] engine::detail::Plan<Segment>& plan() noexcept { return of_ != nullptr ? of_->plan : own_; }

      private:
        typename PreparedBatch::Parts* of_;
        bool taken_ = false;
        engine::detail::Plan<Segment> own_;
    };

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
        return TransferReport{.bytes = slice.length,
                              .transport = Pool::names[by],
                              .devices = 1,
                              .attempts = 1,
                              .self_verifying = Pool::self_verifying[by]};
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
        inbox->close();
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
    const std::shared_ptr<Inbox> inbox; ///< what peers say
    Pool transports;
    engine::detail::Mover<Pool> mover;
    engine::detail::Publisher<Metadata> publisher;
    Gate gate; ///< of the operations in progress
    Closing closing;
};

} // namespace mooncake
