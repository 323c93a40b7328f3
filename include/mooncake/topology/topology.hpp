#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What a machine is made of, as far as it matters to where bytes go. Pure data; `discover.hpp` finds it out.
namespace mooncake {

/// Memory and the processors that are near it.
struct NumaNode {
    unsigned id = 0;
    std::vector<unsigned> cpus;      ///< in order; none: memory alone
    std::vector<unsigned> distances; ///< to each node of the topology, in its order; 10 is here, as the firmware counts
    std::uint64_t bytes = 0;         ///< of memory; 0: unknown
};

enum class DeviceKind : std::uint8_t {
    nic,  ///< a network interface
    rdma, ///< a device that moves memory by itself, over InfiniBand or Ethernet
    nvme, ///< a controller
    dax,  ///< memory that is mapped as a file: persistent, or behind CXL
};

[[nodiscard]] constexpr std::string_view to_string(DeviceKind kind) noexcept {
    switch (kind) {
    case DeviceKind::nic: return "nic";
    case DeviceKind::rdma: return "rdma";
    case DeviceKind::nvme: return "nvme";
    case DeviceKind::dax: return "dax";
    }
    return "unknown";
}

/// Something that bytes leave or arrive by.
struct Device {
    DeviceKind kind = DeviceKind::nic;
    std::string name;                   ///< as the system has it: `eth0`, `mlx5_0`, `nvme0`, `dax0.0`
    std::optional<unsigned> node;       ///< the NUMA node it is attached to, where the machine says so
    std::vector<std::string> pci;       ///< the way from the root complex to it; empty: it is on no PCI bus
    std::vector<std::string> addresses; ///< IP addresses of a network interface
    std::uint64_t bytes_per_second = 0; ///< of the link, or of the bus where that limits it; 0: unknown
    std::uint64_t bytes = 0;            ///< of memory (`dax`); 0: unknown
    bool up = true;                     ///< whether it works now
    bool physical = true;               ///< false: software only, such as `lo` or one end of a pair
};

struct Topology {
    std::vector<NumaNode> nodes; ///< by id; at least one
    std::vector<Device> devices; ///< by kind, then by name, numbers in it as numbers

    [[nodiscard]] const Device* find(std::string_view name) const noexcept {
        const auto found = std::find_if(devices.begin(), devices.end(), [&](const auto& d) { return d.name == name; });
        return found == devices.end() ? nullptr : &*found;
    }

    /// Of two nodes by id; the largest number where the machine does not say.
    [[nodiscard]] unsigned distance(unsigned from, unsigned to) const noexcept {
        for (const auto& node : nodes)
            for (std::size_t i = 0; node.id == from && i < node.distances.size() && i < nodes.size(); ++i)
                if (nodes[i].id == to) return node.distances[i];
        return std::numeric_limits<unsigned>::max();
    }
};

/// How many bridges and links lie between two devices: 0 for functions of the same one, nothing where they hang on different
/// root complexes, or one of them on none.
[[nodiscard]] inline std::optional<std::size_t> pci_distance(const Device& a, const Device& b) {
    if (a.pci.empty() || b.pci.empty() || a.pci.front() != b.pci.front()) return std::nullopt;
    const auto [in_a, in_b] = std::mismatch(a.pci.begin(), a.pci.end(), b.pci.begin(), b.pci.end());
    return static_cast<std::size_t>((a.pci.end() - in_a) + (b.pci.end() - in_b));
}

} // namespace mooncake
