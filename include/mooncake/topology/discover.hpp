#pragma once

#include <mooncake/topology/host_addresses.hpp>
#include <mooncake/topology/sysfs.hpp>
#include <mooncake/topology/topology.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace mooncake {

namespace topology::detail {

/// `16.0 GT/s PCIe` and so many lanes, in bytes a second; 0: unknown. Source: PCI Express Base Specification 6.0, §4.2, §4.3.
[[nodiscard]] inline std::uint64_t pci_speed(const Sysfs& pci) {
    const auto lanes = pci.number<unsigned>("current_link_width");
    const auto speed = pci.text("current_link_speed");
    const auto transfers = number_of<double>(std::string_view(speed).substr(0, speed.find(' ')));
    if (!lanes || !transfers || *lanes > 64 || !(*transfers > 0 && *transfers < 1'000)) return 0;
    const auto payload = *transfers < 6 ? 8.0 / 10 : *transfers < 60 ? 128.0 / 130 : 1.0; // bits that are data
    return static_cast<std::uint64_t>(*transfers * 1e9 * payload / 8 * *lanes);
}

/// What `device` says of where it is: the way of its PCI addresses, and its node.
inline void place(Device& device, const Sysfs& at) {
    const auto is_pci = [](std::string_view part) { // 0000:5e:00.1, pci0000:5d
        const auto root = part.size() >= 10 && part.starts_with("pci") && part[7] == ':';
        return root || (part.size() >= 12 && part[part.size() - 2] == '.' && part[part.size() - 5] == ':');
    };
    for (const auto& part : at.canonical())
        if (is_pci(part.native())) device.pci.push_back(part.native());
    if (const auto node = at.number<int>("numa_node"); node && *node >= 0) device.node = static_cast<unsigned>(*node);
}

/// The folder of the PCI function that `device` belongs to: `at` itself, or what it hangs on, as with virtio.
[[nodiscard]] inline Sysfs bus_of(const Sysfs& at) {
    auto folder = at.canonical();
    for (auto up = 0; up < 4 && folder.has_parent_path(); ++up, folder = folder.parent_path())
        if (const auto here = Sysfs(folder); here.has("numa_node") && here.has("vendor") && here.has("class"))
            return here;
    return at;
}

inline void find_nodes(const Sysfs& sys, Topology& topology) {
    const auto at = sys.at("devices/system/node");
    for (const auto id : list_of(at.text("online"))) {
        const auto folder = at.at("node" + std::to_string(id));
        auto node = NumaNode{.id = id, .cpus = list_of(folder.text("cpulist")), .distances = {}, .bytes = 0};
        const auto distances = folder.text("distance");
        for (auto rest = std::string_view(distances); !rest.empty();) {
            const auto end = std::min(rest.find(' '), rest.size());
            node.distances.push_back(number_of<unsigned>(rest.substr(0, end)).value_or(255));
            rest = trimmed(rest.substr(end));
        }
        const auto meminfo = folder.text("meminfo");
        constexpr auto total = std::string_view("MemTotal:");
        if (const auto found = meminfo.find(total); found != meminfo.npos) {
            const auto rest = trimmed(std::string_view(meminfo).substr(found + total.size()));
            const auto kilobytes = number_of<std::uint64_t>(rest.substr(0, rest.find(' ')));
            if (kilobytes && *kilobytes <= (std::uint64_t{1} << 53)) node.bytes = *kilobytes * 1024;
        }
        topology.nodes.push_back(std::move(node));
    }
    if (topology.nodes.empty()) // a kernel without NUMA, or a folder with nothing
        topology.nodes.push_back({.id = 0, .cpus = list_of(sys.text("devices/system/cpu/online")), .distances = {10}});
}

/// Whether hardware is behind it: its own, or that of an interface that it stands for (bond, bridge, VLAN).
[[nodiscard]] inline bool is_physical(const Sysfs& interfaces, const std::string& name, int depth = 0) {
    constexpr auto lower = std::string_view("lower_");
    const auto at = interfaces.at(name);
    if (at.has("device")) return true;
    if (depth == 4) return false;
    for (const auto& entry : at.names())
        if (entry.starts_with(lower) && is_physical(interfaces, entry.substr(lower.size()), depth + 1)) return true;
    return false;
}

inline void find_interfaces(const Sysfs& sys, const InterfaceAddresses& addresses, Topology& topology) {
    const auto interfaces = sys.at("class/net");
    for (const auto& name : interfaces.names()) {
        const auto at = interfaces.at(name);
        if (at.has("master/bonding")) continue; // a part of a bond, which is the one to use
        auto device = Device{.kind = DeviceKind::nic, .name = name};
        device.physical = is_physical(interfaces, name);
        auto hardware = at.has("device") ? at.at("device") : at;
        for (const auto& entry : at.names()) // of a bond, where its first part is
            if (!at.has("device") && entry.starts_with("lower_")) hardware = at.at(entry).at("device");
        place(device, bus_of(hardware));
        if (const auto megabits = at.number<std::int64_t>("speed");
            megabits && *megabits > 0 && *megabits < 1'000'000'000)
            device.bytes_per_second = static_cast<std::uint64_t>(*megabits) * 125'000;
        const auto state = at.text("operstate");
        device.up = state == "up" || (state == "unknown" && at.text("carrier") != "0");
        for (auto [entry, end] = addresses.equal_range(name); entry != end; ++entry)
            device.addresses.push_back(entry->second);
        topology.devices.push_back(std::move(device));
    }
}

inline void find_rdma(const Sysfs& sys, Topology& topology) {
    const auto all = sys.at("class/infiniband");
    for (const auto& name : all.names()) {
        const auto at = all.at(name);
        auto device = Device{.kind = DeviceKind::rdma, .name = name, .up = false};
        place(device, at.at("device"));
        device.physical = at.has("device");
        const auto ports = at.at("ports");
        for (const auto& port : ports.names()) {
            if (!ports.text(port + "/state").starts_with("4:")) continue; // ACTIVE
            device.up = true;
            const auto rate = ports.text(port + "/rate"); // 100 Gb/sec (4X EDR)
            const auto gigabits = number_of<double>(std::string_view(rate).substr(0, rate.find(' ')));
            if (gigabits && *gigabits > 0 && *gigabits < 1e6)
                device.bytes_per_second += static_cast<std::uint64_t>(*gigabits * 125e6);
        }
        topology.devices.push_back(std::move(device));
    }
}

inline void find_nvme(const Sysfs& sys, Topology& topology) {
    const auto all = sys.at("class/nvme");
    for (const auto& name : all.names()) {
        const auto at = all.at(name);
        auto device = Device{.kind = DeviceKind::nvme, .name = name};
        place(device, at.at("device"));
        device.physical = at.has("device");
        device.bytes_per_second = pci_speed(at.at("device"));
        device.up = at.text("state") == "live";
        topology.devices.push_back(std::move(device));
    }
}

inline void find_dax(const Sysfs& sys, Topology& topology) {
    const auto all = sys.at("bus/dax/devices");
    for (const auto& name : all.names()) {
        const auto at = all.at(name);
        auto device = Device{.kind = DeviceKind::dax, .name = name};
        place(device, at);
        if (const auto target = at.number<int>("target_node"); !device.node && target && *target >= 0)
            device.node = static_cast<unsigned>(*target);
        device.bytes = at.number<std::uint64_t>("size").value_or(0);
        device.up = device.bytes != 0;
        topology.devices.push_back(std::move(device));
    }
}

} // namespace topology::detail

/// The machine that `root` describes: `/`, or a folder with a recorded `sys`. What is missing there is missing in the answer:
/// at least there is one node. Thread: any; it reads some hundred small files. Source: the kernel's Documentation/ABI.
[[nodiscard]] inline Topology discover(const std::filesystem::path& root, const InterfaceAddresses& addresses) {
    using namespace topology::detail;
    const auto sys = Sysfs(root / "sys");
    auto found = Topology();
    find_nodes(sys, found);
    find_interfaces(sys, addresses, found);
    find_rdma(sys, found);
    find_nvme(sys, found);
    find_dax(sys, found);
    return found;
}
/// This machine.
[[nodiscard]] inline Topology discover() { return discover("/", host_addresses()); }

} // namespace mooncake
