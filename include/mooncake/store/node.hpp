#pragma once

#include <mooncake/core/closing.hpp>
#include <mooncake/core/repeats.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/engine/transfer_engine.hpp>
#include <mooncake/store/client/replicator.hpp>
#include <mooncake/store/node_interface.hpp>
#include <mooncake/store/remote_master.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace mooncake {

template <class Traits, class P>
struct StoreNode<Traits, P>::Parts {
    Parts(Runtime& on, Config wanted)
        : runtime(on), config(trusting(std::move(wanted))), engine(std::make_shared<Engine>(runtime, config.engine)),
          master(runtime, config.master), scope(runtime.next_executor()) {}

    Task<void> start() {
        const auto until = Deadline(config.name_patience);
        auto mounted = co_await lend();
        while (!mounted && mounted.error() == Errc::conflict && !until.passed()) {
            repeats(Severity::warning, "name", "waiting for the name: " + mounted.error().message());
            auto pause = Event();
            const auto wake = co_await pause.wait(Deadline(std::chrono::milliseconds(500)));
            if (wake == Wake::cancelled) co_return Errc::cancelled;
            mounted = co_await lend();
        }
        if (!mounted) co_return mounted.error();
        if (config.repair_period.count() != 0) (void)scope.spawn(repair());
        co_return scope.spawn(beat());
    }

    using Replicator = store::detail::Replicator<Engine, RemoteMaster<P>>;

    Task<MoveReport> drain(const Deadline deadline) {
        const auto mine = current(); // stays while this takes, closed if the incarnation ends
        if (!mine) co_return Error(Errc::not_found, "it lends nothing just now: its master does not know it");
        auto segments = typename Replicator::Cache(*mine, master);
        auto replicator = Replicator(*mine, master, segments);
        co_return co_await replicator.drain(std::string(mine->name()), deadline);
    }

    /// Makes good what was lost with other nodes, every now and then, for ever.
    Task<void> repair() {
        auto pause = Event();
        for (;;) {
            const auto spread = std::chrono::milliseconds(random_secret() % (config.repair_period.count() / 2 + 1));
            const auto wake = co_await pause.wait(Deadline(config.repair_period - spread)); // not all of them at once
            if (wake == Wake::cancelled) co_return ok;
            const auto mine = current();
            if (!mine) continue;
            auto segments = typename Replicator::Cache(*mine, master);
            auto replicator = Replicator(*mine, master, segments);
            const auto repaired = co_await replicator.repair(Deadline(longest_repair));
            if (!repaired && repaired.error() == Errc::cancelled) co_return ok;
            if (!repaired || repaired->failed != 0)
                repeats(Severity::warning, "repair",
                        "repair: " + (repaired ? repaired->why : repaired.error().message()));
            else repeats.over("repair", "all objects have their replicas again");
            if (repaired && repaired->objects != 0)
                config.log(Severity::info, "copied " + std::to_string(repaired->objects) + " objects, " +
                                               std::to_string(repaired->bytes) + " bytes, which had too few replicas");
        }
    }
    static constexpr auto longest_repair = std::chrono::minutes(10);

    [[nodiscard]] std::shared_ptr<Engine> current() {
        const auto lock = std::lock_guard(engine_mutex);
        return segment != 0 ? engine : nullptr;
    }
    void begin_incarnation(std::shared_ptr<Engine> begun) {
        const auto lock = std::lock_guard(engine_mutex);
        engine = std::move(begun);
    }

    asio::awaitable<void> close() {
        co_await scope.close();
        if (const auto mounted = segment.exchange(0); mounted != 0) {
            auto message = store::Unmount{.segment = mounted, .generation = engine->generation()};
            (void)co_await master.call(message, Deadline(std::chrono::seconds(1)));
        }
        co_await master.close();
        if (engine) co_await engine->close();
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
        if (!engine) {
            try {
                begin_incarnation(std::make_shared<Engine>(runtime, config.engine));
            } catch (const boost::system::system_error& error) {
                co_return Error(static_cast<Errc>(error.code().value()), error.what());
            }
        }
        if (!region) {
            auto arena = Arena::create(config.memory);
            if (!arena) co_return arena.error();
            config.log(Severity::info, "lends " + std::to_string(config.memory.bytes) + " bytes in " +
                                           std::string(to_string((*arena)->pages())) + " pages");
            auto lent = co_await engine->register_arena(std::move(*arena), Rights::read_write, KeySharing::secret);
            if (!lent) co_return lent.error();
            region = std::move(*lent);
        }
        auto message = store::SegmentMount{.name = engine->name(),
                                           .generation = engine->generation(),
                                           .endpoint = engine->locator(),
                                           .host = config.host,
                                           .offset = region->offset,
                                           .bytes = config.memory.bytes,
                                           .read_key = region->keys.read,
                                           .write_key = region->keys.write,
                                           .fencing = store::Fencing::by_owner,
                                           .rack = config.rack};
        const auto reply = co_await master.call(message, Deadline());
        if (!reply) co_return reply.error();
        segment = reply->segment;
        period = std::chrono::milliseconds(std::clamp<std::uint64_t>(reply->ttl_ms / 4, 10, 1'000));
        co_return ok;
    }

    /// What was lent is given up for good: whoever has a key, or maps the memory, keeps it to himself.
    asio::awaitable<void> end_incarnation() {
        segment = 0;
        if (engine) co_await engine->close();
        region.reset();
        begin_incarnation(nullptr);
        fenced.clear();
    }

    Task<void> beat() {
        auto pause = Event();
        auto next = period;
        for (;;) {
            const auto wake = co_await pause.wait(Deadline(next));
            if (wake == Wake::cancelled) co_return ok;
            next = period;
            if (segment != 0) {
                auto message =
                    store::Heartbeat{.segment = segment, .generation = engine->generation(), .fenced = fenced};
                const auto answered = co_await master.call(message, Deadline(std::chrono::seconds(1)));
                if (answered) {
                    repeats.over("heartbeat", "the master takes heartbeats again");
                    if (fence(answered->fence)) next = std::min(period, fence_period);
                    continue;
                }
                repeats(Severity::warning, "heartbeat", "heartbeat: " + answered.error().message());
                if (answered.error() != Errc::not_found && answered.error() != Errc::stale_generation) continue;
                co_await end_incarnation();
            }
            const auto mounted = co_await lend();
            if (!mounted) {
                repeats(Severity::warning, "mount", "mounting again: " + mounted.error().message());
                continue;
            }
            repeats.over("heartbeat", "the master takes heartbeats again");
            repeats.over("mount", "the master has taken it back");
            config.log(Severity::info, "mounted again, empty");
        }
    }

    /// Raises the fence where the master wants it; what is quiet is said at the next heartbeat, which is soon if this is true.
    bool fence(const std::vector<store::FencedExtent>& extents) {
        fenced.clear();
        for (const auto& extent : extents)
            if (engine->fence(extent.offset, extent.bytes, extent.epoch)) fenced.push_back(extent.epoch);
        return !extents.empty();
    }
    static constexpr std::chrono::milliseconds fence_period{50};

    Runtime& runtime;
    const Config config;
    Repeats repeats{config.log};
    std::mutex engine_mutex;        ///< for others than `beat`, which alone replaces it
    std::shared_ptr<Engine> engine; ///< of this incarnation; null between two
    RemoteMaster<P> master;
    TaskScope scope;
    RegionPin region;
    std::atomic<std::uint32_t> segment{0}; ///< 0: not mounted
    std::vector<std::uint64_t> fenced;     ///< epochs to tell the master of
    std::chrono::milliseconds period{1'000};
    Closing closing;
};

template <class Traits, class P>
StoreNode<Traits, P>::StoreNode(Runtime& runtime, Config config)
    : parts_(std::make_unique<Parts>(runtime, std::move(config))) {}

template <class Traits, class P>
StoreNode<Traits, P>::~StoreNode() = default;

template <class Traits, class P>
Task<void> StoreNode<Traits, P>::start() {
    return parts_->start();
}

template <class Traits, class P>
auto StoreNode<Traits, P>::engine() noexcept -> Engine& {
    return *parts_->engine;
}

template <class Traits, class P>
std::uint64_t StoreNode<Traits, P>::bytes() const noexcept {
    return parts_->config.memory.bytes;
}

template <class Traits, class P>
ConstBytes StoreNode<Traits, P>::memory() const noexcept {
    return parts_->region ? ConstBytes(parts_->region->bytes) : ConstBytes();
}

template <class Traits, class P>
std::uint64_t StoreNode<Traits, P>::offset() const noexcept {
    return parts_->region ? parts_->region->offset : 0;
}

template <class Traits, class P>
Task<MoveReport> StoreNode<Traits, P>::drain(Deadline deadline) {
    return parts_->drain(deadline);
}

template <class Traits, class P>
asio::awaitable<void> StoreNode<Traits, P>::close() {
    return parts_->closing.once(parts_->close());
}

} // namespace mooncake
