#pragma once

/// What `StoreNode` is to those who start one; `node.hpp` has the insides.

#include <mooncake/core/log.hpp>
#include <mooncake/core/runtime_fwd.hpp>
#include <mooncake/engine/engine_interface.hpp>
#include <mooncake/memory/arena.hpp>
#include <mooncake/store/client/replica_options.hpp>
#include <mooncake/store/fwd.hpp>
#include <mooncake/store/remote_master_config.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace mooncake {

template <class Traits, class P = PlainTcp>
struct StoreNodeConfig {
    EngineConfig<Traits> engine = {}; ///< its name is the segment's name in the cluster
    BasicRemoteMasterConfig<P> master = {};
    ArenaConfig memory = {}; ///< what it lends
    std::string host = {};   ///< failure domain: replicas avoid sharing it
    std::string rack = {};   ///< the next larger one: replicas avoid sharing it, too
    /// How long to go on asking when the name is taken: the previous incarnation of this node may not be dead yet.
    std::chrono::milliseconds name_patience{10'000};
    /// How often to look for objects that have fewer replicas than they ought to, and to copy them: all nodes share that work. A
    /// look costs the master next to nothing while nothing was lost. Zero: never.
    std::chrono::milliseconds repair_period{10'000};
    Log log = {};
};

/// A process that lends memory to a cluster: a segment, mounted at the master and kept alive by heartbeats.
///
/// When the master no longer knows it (a pause, a restart) it comes back as a new incarnation: an engine, keys and memory
/// that nobody has had before. So whoever still reads or writes what it lent before meets memory that is nobody else's.
///
/// The constructor binds, and throws `boost::system::system_error` when it cannot. Close it before it dies; `close`
/// unmounts, so that the cluster need not wait for heartbeats that do not come.
template <class Traits, class P>
class StoreNode {
  public:
    using Config = StoreNodeConfig<Traits, P>;
    using Engine = TransferEngine<Traits>;

    StoreNode(Runtime& runtime, Config config);
    StoreNode(const StoreNode&) = delete;
    StoreNode& operator=(const StoreNode&) = delete;
    ~StoreNode();

    /// Takes the memory, lends it, and begins to send heartbeats. After an error it may be called again.
    /// Errors: `out_of_memory`, `unreachable` (no master there), `conflict` (another node that is alive has this name).
    Task<void> start();

    /// That of this incarnation. Thread: between `start` and `close` it may be replaced, on the node's own executor.
    [[nodiscard]] Engine& engine() noexcept;
    [[nodiscard]] std::uint64_t bytes() const noexcept;
    /// What it lends now: the memory itself, and where it lies in the segment's offset space. Empty before `start`.
    [[nodiscard]] ConstBytes memory() const noexcept;
    [[nodiscard]] std::uint64_t offset() const noexcept;

    /// What it lends is written to no more, and copied to other nodes, so that nothing is lost when it is closed. Ends when all
    /// that was there is elsewhere and nobody reads here, at the deadline, or when nothing more can be moved.
    /// Errors: `not_found` (it is not mounted), what the way to the master said.
    Task<MoveReport> drain(Deadline deadline);

    /// Unmounts, then stops serving. Idempotent, and over when it is closed, whoever else closes it.
    asio::awaitable<void> close();

  private:
    struct Parts;

    const std::unique_ptr<Parts> parts_;
};

} // namespace mooncake
