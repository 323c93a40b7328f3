#pragma once

#include <mooncake/core/closing.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/engine/transfer_engine.hpp>
#include <mooncake/store/remote_master.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

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

/// A process that lends memory to a cluster: a segment, mounted at the master and kept alive by heartbeats.
///
/// When the master no longer knows it (a pause, a restart) it comes back as a new incarnation: an engine, keys and memory
/// that nobody has had before. So whoever still reads or writes what it lent before meets memory that is nobody else's.
///
/// The constructor binds, and throws `boost::system::system_error` when it cannot. Close it before it dies; `close`
/// unmounts, so that the cluster need not wait for heartbeats that do not come.
template <EngineTraits Traits = DefaultEngineTraits, StreamPolicy P = PlainTcp>
class StoreNode {
  public:
    using Config = StoreNodeConfig<Traits, P>;
    using Engine = TransferEngine<Traits>;

    StoreNode(Runtime& runtime, Config config)
        : runtime_(runtime), config_(trusting(std::move(config))),
          engine_(std::make_unique<Engine>(runtime, config_.engine)), master_(runtime, config_.master),
          scope_(runtime.next_executor()) {}

    /// Takes the memory, lends it, and begins to send heartbeats. After an error it may be called again.
    /// Errors: `out_of_memory`, `unreachable` (no master there), `conflict` (another node that is alive has this name).
    Task<void> start() {
        const auto until = Deadline(config_.name_patience);
        auto mounted = co_await lend();
        while (!mounted && mounted.error() == Errc::conflict && !until.passed()) {
            config_.log(Severity::warning, "waiting for the name: " + mounted.error().message());
            auto pause = Event();
            const auto wake = co_await pause.wait(Deadline(std::chrono::milliseconds(500)));
            if (wake == Wake::cancelled) co_return Errc::cancelled;
            mounted = co_await lend();
        }
        if (!mounted) co_return mounted.error();
        co_return scope_.spawn(beat());
    }

    /// That of this incarnation. Thread: between `start` and `close` it may be replaced, on the node's own executor.
    [[nodiscard]] Engine& engine() noexcept { return *engine_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return config_.memory.bytes; }
    /// What it lends now: the memory itself, and where it lies in the segment's offset space. Empty before `start`.
    [[nodiscard]] ConstBytes memory() const noexcept { return region_ ? ConstBytes(region_->bytes) : ConstBytes(); }
    [[nodiscard]] std::uint64_t offset() const noexcept { return region_ ? region_->offset : 0; }

    /// Unmounts, then stops serving. Idempotent, and over when it is closed, whoever else closes it.
    asio::awaitable<void> close() { return closing_.once(close_now()); }

  private:
    asio::awaitable<void> close_now() {
        co_await scope_.close();
        if (const auto segment = std::exchange(segment_, 0); segment != 0) {
            auto message = store::Unmount{.segment = segment, .generation = engine_->generation()};
            (void)co_await master_.call(message, Deadline(std::chrono::seconds(1)));
        }
        co_await master_.close();
        if (engine_) co_await engine_->close();
    }

    /// Every client of the master may put, and gets the key for that: the key for reading alone keeps nobody from writing, so
    /// that clients of the same user lose nothing by being let at the memory, and win reads in place.
    static Config trusting(Config config) {
        if constexpr (Traits::Transports::template has<ShmTransport>)
            config.engine.template transport<ShmTransport>().trust = ShmTrust::same_user;
        return config;
    }

    /// Takes memory, if this incarnation has none yet, and mounts it.
    Task<void> lend() {
        if (!engine_) {
            try {
                engine_ = std::make_unique<Engine>(runtime_, config_.engine);
            } catch (const boost::system::system_error& error) {
                co_return Error(static_cast<Errc>(error.code().value()), error.what());
            }
        }
        if (!region_) {
            auto arena = Arena::create(config_.memory);
            if (!arena) co_return arena.error();
            config_.log(Severity::info, "lends " + std::to_string(config_.memory.bytes) + " bytes in " +
                                            std::string(to_string((*arena)->pages())) + " pages");
            auto region = co_await engine_->register_arena(std::move(*arena), Rights::read_write, KeySharing::secret);
            if (!region) co_return region.error();
            region_ = std::move(*region);
        }
        auto message = store::SegmentMount{.name = engine_->name(),
                                           .generation = engine_->generation(),
                                           .endpoint = engine_->locator(),
                                           .host = config_.host,
                                           .offset = region_->offset,
                                           .bytes = config_.memory.bytes,
                                           .read_key = region_->keys.read,
                                           .write_key = region_->keys.write,
                                           .fencing = store::Fencing::by_owner};
        const auto reply = co_await master_.call(message, Deadline());
        if (!reply) co_return reply.error();
        segment_ = reply->segment;
        period_ = std::chrono::milliseconds(std::clamp<std::uint64_t>(reply->ttl_ms / 4, 10, 1'000));
        co_return ok;
    }

    /// What was lent is given up for good: whoever has a key, or maps the memory, keeps it to himself.
    asio::awaitable<void> end_incarnation() {
        segment_ = 0;
        if (engine_) co_await engine_->close();
        region_.reset();
        engine_.reset();
        fenced_.clear();
    }

    Task<void> beat() {
        auto pause = Event();
        auto next = period_;
        for (;;) {
            const auto wake = co_await pause.wait(Deadline(next));
            if (wake == Wake::cancelled) co_return ok;
            next = period_;
            if (segment_ != 0) {
                auto message =
                    store::Heartbeat{.segment = segment_, .generation = engine_->generation(), .fenced = fenced_};
                const auto answered = co_await master_.call(message, Deadline(std::chrono::seconds(1)));
                if (answered) {
                    if (fence(answered->fence)) next = std::min(period_, fence_period);
                    continue;
                }
                config_.log(Severity::warning, "heartbeat: " + answered.error().message());
                if (answered.error() != Errc::not_found && answered.error() != Errc::stale_generation) continue;
                co_await end_incarnation();
            }
            const auto mounted = co_await lend();
            config_.log(mounted ? Severity::info : Severity::warning,
                        mounted ? "mounted again, empty" : "mounting again: " + mounted.error().message());
        }
    }

    /// Raises the fence where the master wants it; what is quiet is said at the next heartbeat, which is soon if this is true.
    bool fence(const std::vector<store::FencedExtent>& extents) {
        fenced_.clear();
        for (const auto& extent : extents)
            if (engine_->fence(extent.offset, extent.bytes, extent.epoch)) fenced_.push_back(extent.epoch);
        return !extents.empty();
    }
    static constexpr std::chrono::milliseconds fence_period{50};

    Runtime& runtime_;
    const Config config_;
    std::unique_ptr<Engine> engine_; ///< of this incarnation; null between two
    RemoteMaster<P> master_;
    TaskScope scope_;
    RegionPin region_;
    std::uint32_t segment_ = 0;         ///< 0: not mounted
    std::vector<std::uint64_t> fenced_; ///< epochs to tell the master of
    std::chrono::milliseconds period_{1'000};
    Closing closing_;
};

} // namespace mooncake
