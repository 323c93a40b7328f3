#pragma once

#include <mooncake/topology/topology.hpp>

#include <algorithm>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

/// The devices for memory at one place, the best first.
struct DevicePriority {
    std::vector<std::string> preferred; ///< as near as any
    std::vector<std::string> secondary; ///< for when the preferred ones fail, the nearest first

    friend bool operator==(const DevicePriority&, const DevicePriority&) = default;
};

/// By location: `cpu:0` is the memory of NUMA node 0, `*` is memory wherever it lies.
using PriorityMatrix = std::map<std::string, DevicePriority, std::less<>>;

[[nodiscard]] inline std::string location_of(unsigned numa_node) { return "cpu:" + std::to_string(numa_node); }
inline constexpr std::string_view anywhere = "*";

namespace topology::detail {

/// Of those of `kinds` the ones worth using: what is up; what is physical, else software, else the loopback.
[[nodiscard]] inline std::vector<const Device*> usable(const Topology& topology, std::span<const DeviceKind> kinds) {
    auto found = std::vector<const Device*>();
    for (const auto& device : topology.devices)
        if (device.up && std::find(kinds.begin(), kinds.end(), device.kind) != kinds.end()) found.push_back(&device);
    const auto keep_if_any = [&](auto good) {
        if (std::any_of(found.begin(), found.end(), good))
            std::erase_if(found, [&](const auto* device) { return !good(device); });
    };
    keep_if_any([](const Device* device) { return device->name != "lo"; });
    keep_if_any([](const Device* device) { return device->physical; });
    return found;
}

} // namespace topology::detail

/// The matrix of the devices that are up: RDMA where there is any, else network interfaces.
/// A device of which the machine does not say where it is counts as near where there is one node, and as far otherwise.
[[nodiscard]] inline PriorityMatrix priority_matrix(const Topology& topology, std::span<const DeviceKind> kinds) {
    const auto devices = topology::detail::usable(topology, kinds);
    auto matrix = PriorityMatrix();
    for (const auto& node : topology.nodes) {
        const auto far =
            topology.nodes.size() == 1 ? topology.distance(node.id, node.id) : std::numeric_limits<unsigned>::max();
        const auto distance = [&](const Device* device) {
            return device->node ? topology.distance(node.id, *device->node) : far;
        };
        auto near_first = devices;
        std::sort(near_first.begin(), near_first.end(), [&](const auto* a, const auto* b) {
            return std::pair(distance(a), a) < std::pair(distance(b), b); // of those as near, in their order
        });
        auto& priority = matrix[location_of(node.id)];
        for (const auto* device : near_first) {
            const auto nearest = distance(device) == distance(near_first.front());
            (nearest ? priority.preferred : priority.secondary).push_back(device->name);
        }
    }
    auto& everywhere = matrix[std::string(anywhere)];
    for (const auto* device : devices) everywhere.preferred.push_back(device->name);
    return matrix;
}
[[nodiscard]] inline PriorityMatrix priority_matrix(const Topology& topology) {
    static constexpr DeviceKind rdma[] = {DeviceKind::rdma}, nic[] = {DeviceKind::nic};
    const auto any = !topology::detail::usable(topology, rdma).empty();
    return priority_matrix(topology, any ? rdma : nic);
}

/// What `matrix` says of memory at `location`; of a place that it does not name, what it says of `*`. Null: nothing.
[[nodiscard]] inline const DevicePriority* find_priority(const PriorityMatrix& matrix, std::string_view location) {
    auto found = matrix.find(location);
    if (found == matrix.end()) found = matrix.find(anywhere);
    return found == matrix.end() ? nullptr : &found->second;
}

} // namespace mooncake
