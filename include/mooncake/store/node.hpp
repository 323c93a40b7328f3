#pragma once

#include <mooncake/core/runtime.hpp>
#include <mooncake/engine/transfer_engine.hpp>
#include <mooncake/store/remote_master.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace mooncake {

template <EngineTraits Traits, StreamPolicy P = PlainTcp>
struct StoreNodeConfig {
    EngineConfig<Traits> engine = {}; ///< its name is the segment's name in the cluster
    BasicRemoteMasterConfig<P> master = {};
    ArenaConfig memory = {}; ///< what it lends
    std::string host = {};   ///< failure domain: replicas avoid sharing it
    /// How long to go on asking when the name is taken: the previous incarnation of this node may not be dead yet.
    std::chrono::milliseconds name_patience{10'000};
    Log log = {};
};

/// A process that lends memory to a cluster: a segment, mounted at the master and kept alive by heartbeats. When the master
/// no longer knows it (a pause, a restart) it mounts again, empty.
///
/// The constructor binds and takes the memory, and throws `boost::system::system_error` when it cannot. Close it before it
/// dies; `close` unmounts, so that the cluster need not wait for heartbeats that do not come.
template <EngineTraits Traits = DefaultEngineTraits, StreamPolicy P = PlainTcp>
class StoreNode {
  public:
    using Config = StoreNodeConfig<Traits, P>;

    StoreNode(Runtime& runtime, Config config)
        : config_(std::move(config)), engine_(runtime, config_.engine), master_(runtime, config_.master),
          scope_(runtime.next_executor()) {}

    /// Takes the memory, lends it, and begins to send heartbeats.
    /// Errors: `out_of_memory`, `unreachable` (no master there), `conflict` (another node that is alive has this name).
    Task<void> start() {
        auto arena = Arena::create(config_.memory);
        if (!arena) co_return arena.error();
        config_.log(Severity::info, "lends " + std::to_string(config_.memory.bytes) + " bytes in " +
                                        std::string(to_string((*arena)->pages())) + " pages");
        auto region = co_await engine_.register_arena(std::move(*arena), Rights::read_write, KeySharing::secret);
        if (!region) co_return region.error();
        region_ = std::move(*region);
        const auto until = Deadline(config_.name_patience);
        auto mounted = co_await mount();
        while (!mounted && mounted.error() == Errc::conflict && !until.passed()) {
            config_.log(Severity::warning, "waiting for the name: " + mounted.error().message());
            auto pause = Event();
            const auto wake = co_await pause.wait(Deadline(std::chrono::milliseconds(500)));
            if (wake == Wake::cancelled) co_return Errc::cancelled;
            mounted = co_await mount();
        }
        if (!mounted) co_return mounted.error();
        co_return scope_.spawn(beat());
    }

    [[nodiscard]] TransferEngine<Traits>& engine() noexcept { return engine_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return config_.memory.bytes; }

    /// Unmounts, then stops serving. Idempotent.
    asio::awaitable<void> close() {
        co_await scope_.close();
        if (const auto segment = segment_.exchange(0); segment != 0) {
            auto message = store::Unmount{.segment = segment, .generation = engine_.generation()};
            (void)co_await master_.call(message, Deadline(std::chrono::seconds(1)));
        }
        co_await master_.close();
        co_await engine_.close();
    }

  private:
    Task<void> mount() {
        auto message = store::SegmentMount{.name = engine_.name(),
                                           .generation = engine_.generation(),
                                           .endpoint = engine_.locator(),
                                           .host = config_.host,
                                           .offset = region_->offset,
                                           .bytes = config_.memory.bytes,
                                           .read_key = region_->keys.read,
                                           .write_key = region_->keys.write};
        const auto reply = co_await master_.call(std::move(message), Deadline());
        if (!reply) co_return reply.error();
        segment_ = reply->segment;
        period_ = std::chrono::milliseconds(std::clamp<std::uint64_t>(reply->ttl_ms / 4, 10, 1'000));
        co_return ok;
    }

    Task<void> beat() {
        auto pause = Event();
        for (;;) {
            const auto wake = co_await pause.wait(Deadline(period_));
            if (wake == Wake::cancelled) co_return ok;
            const auto message = store::Heartbeat{.segment = segment_, .generation = engine_.generation()};
            const auto answered = co_await master_.call(message, Deadline(std::chrono::seconds(1)));
            if (answered) continue;
            config_.log(Severity::warning, "heartbeat: " + answered.error().message());
            if (answered.error() != Errc::not_found && answered.error() != Errc::stale_generation) continue;
            const auto mounted = co_await mount();
            config_.log(mounted ? Severity::info : Severity::warning,
                        mounted ? "mounted again, empty" : "mounting again: " + mounted.error().message());
        }
    }

    const Config config_;
    TransferEngine<Traits> engine_;
    RemoteMaster<P> master_;
    TaskScope scope_;
    RegionPin region_;
    std::atomic<std::uint32_t> segment_ = 0;
    std::chrono::milliseconds period_{1'000};
};

} // namespace mooncake
