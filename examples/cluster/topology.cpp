// mooncake_topology: what this machine, or a recorded one, is made of, and which devices serve memory where.
#include <mooncake/topology/discover.hpp>
#include <mooncake/topology/priority_matrix.hpp>
#include <mooncake/topology/topology_json.hpp>

#include "daemon.hpp"
#include "flags.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using mooncake::Result;
using Json = nlohmann::ordered_json;

struct Options {
    std::string root = "/", matrix;
    bool json = false;
};

std::string joined(const std::vector<std::string>& all) {
    auto text = std::string();
    for (const auto& one : all) text += (text.empty() ? "" : " ") + one;
    return text.empty() ? "-" : text;
}

std::string speed(std::uint64_t bytes_per_second) {
    if (bytes_per_second == 0) return "-";
    auto text = std::array<char, 32>();
    std::snprintf(text.data(), text.size(), "%.4g Gb/s", static_cast<double>(bytes_per_second) * 8e-9);
    return text.data();
}

void print(const mooncake::Topology& topology) {
    std::printf("%-8s %8s %12s  %s\n", "NODE", "CPUS", "MEMORY", "DISTANCES");
    for (const auto& node : topology.nodes) {
        std::printf("%-8s %8zu %9.1f GiB ", mooncake::location_of(node.id).c_str(), node.cpus.size(),
                    static_cast<double>(node.bytes) / (1ULL << 30));
        for (const auto distance : node.distances) std::printf(" %u", distance);
        std::printf("\n");
    }
    std::printf("\n%-16s %-5s %-5s %-6s %12s  %s\n", "DEVICE", "KIND", "STATE", "NODE", "SPEED", "ADDRESSES, PCI");
    for (const auto& device : topology.devices)
        std::printf("%-16s %-5s %-5s %-6s %12s  %s, %s\n", device.name.c_str(),
                    std::string(to_string(device.kind)).c_str(), device.up ? "up" : "down",
                    device.node ? std::to_string(*device.node).c_str() : "-", speed(device.bytes_per_second).c_str(),
                    joined(device.addresses).c_str(), device.pci.empty() ? "-" : device.pci.back().c_str());
}

void print(const mooncake::PriorityMatrix& matrix) {
    std::printf("%-8s %-40s %s\n", "MEMORY", "PREFERRED", "SECONDARY");
    for (const auto& [location, priority] : matrix)
        std::printf("%-8s %-40s %s\n", location.c_str(), joined(priority.preferred).c_str(),
                    joined(priority.secondary).c_str());
}

Result<void> show(const Options& options) {
    const auto addresses = options.root == "/" ? mooncake::host_addresses() : mooncake::InterfaceAddresses();
    const auto topology = mooncake::discover(options.root, addresses);
    auto matrix = mooncake::priority_matrix(topology);
    if (!options.matrix.empty()) {
        auto read = mooncake::matrix_from_file(options.matrix);
        if (!read) return read.error();
        matrix = std::move(*read);
        for (const auto& [location, priority] : matrix)
            for (const auto* names : {&priority.preferred, &priority.secondary})
                for (const auto& name : *names)
                    if (topology.find(name) == nullptr)
                        std::fprintf(stderr, "mooncake_topology: %s names the device '%s', which is not here\n",
                                     options.matrix.c_str(), name.c_str());
    }
    if (options.json) {
        auto json = mooncake::to_json(topology);
        json["priority_matrix"] = mooncake::to_json(matrix);
        std::printf("%s\n", json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    } else {
        print(topology);
        std::printf("\n");
        print(matrix);
    }
    if (std::fflush(stdout) != 0)
        return mooncake::Error(mooncake::Errc::system, "standard output could not be written");
    return mooncake::ok;
}

} // namespace

int main(int argc, char** argv) {
    auto options = Options();
    auto flags = cluster::Flags("mooncake_topology", "the NUMA nodes and devices of a machine, and which devices serve "
                                                     "memory where");
    flags.text("root", options.root, "the folder that has the machine's sys/");
    flags.text("matrix", options.matrix, "a JSON file with a matrix to use instead of the one that was found");
    flags.on("json", options.json, "all of it as JSON; priority_matrix is in the form that --matrix reads");
    if (const auto parsed = flags.parse(argc, argv); !parsed)
        return parsed.error() == mooncake::Errc::cancelled ? EXIT_SUCCESS
                                                           : cluster::fail("mooncake_topology", parsed.error());
    const auto shown = show(options);
    return shown ? EXIT_SUCCESS : cluster::fail("mooncake_topology", shown.error());
}
