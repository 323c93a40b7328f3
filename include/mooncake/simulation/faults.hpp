#pragma once

#include <mooncake/simulation/world.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace mooncake::simulation {

/// What can happen to a cluster beyond what its network does to every packet.
enum class Fault : std::uint8_t {
    pause_node, ///< stopped for a while and continued
    pause_client,
    pause_master,
    kill_node, ///< gone with all it had in memory; started again after a while
    kill_client,
    kill_master,
    partition_one_way, ///< packets from one host to another do not arrive
    partition,         ///< in neither direction
    isolate,           ///< to and from one host nothing arrives
    swizzle,           ///< links stop one after the other and come back in another order
    clock,             ///< a process's clock jumps ahead and runs at another rate
    slow_network,      ///< everything takes a hundred times as long for a while
    restart_client,    ///< ended in good order while operations run, and begun again
    restart_node,
    restart_master,
    refuse_memory,   ///< a node's host has no memory for arenas for a while; the node may be gone as well
    mute_connection, ///< one direction of one connection carries nothing any more, and nobody is told; new ones work
};
inline constexpr std::size_t fault_kinds = 17;

[[nodiscard]] constexpr std::string_view to_string(Fault fault) noexcept {
    constexpr std::string_view names[] = {
        "pause_node",        "pause_client", "pause_master",   "kill_node",     "kill_client",    "kill_master",
        "partition_one_way", "partition",    "isolate",        "swizzle",       "clock",          "slow_network",
        "restart_client",    "restart_node", "restart_master", "refuse_memory", "mute_connection"};
    return names[static_cast<std::size_t>(fault)];
}

/// How long something is away: mostly short, sometimes longer than any time to live.
[[nodiscard]] inline Duration draw_outage(World& world) {
    if (world.chance(0.6)) return world.between(std::chrono::milliseconds{1}, std::chrono::milliseconds{1'500});
    return world.between(std::chrono::milliseconds{500}, std::chrono::seconds{9});
}

/// Which faults happen in one run, and how often: drawn, so that seeds differ in character.
struct FaultMix {
    std::vector<Fault> kinds;
    Duration pause{}; ///< mean time between two

    /// About a third of the kinds, at a rate between one in 300 ms and one in 6 s. One seed in eight has no faults.
    [[nodiscard]] static FaultMix draw(World& world) {
        auto mix = FaultMix();
        if (world.chance(1.0 / 8)) return mix;
        for (std::size_t kind = 0; kind < fault_kinds; ++kind)
            if (world.chance(0.35)) mix.kinds.push_back(static_cast<Fault>(kind));
        mix.pause = world.between(std::chrono::milliseconds{300}, std::chrono::seconds{6});
        return mix;
    }
};

} // namespace mooncake::simulation
