#pragma once

/// Topologies and matrices as JSON, in the form that the field uses: `{"cpu:0": [["mlx5_0"], ["mlx5_1"]]}`.
/// Component `json`.

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/topology/priority_matrix.hpp>
#include <mooncake/topology/topology.hpp>

#include <nlohmann/json.hpp>

#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

namespace topology::detail {

inline constexpr std::size_t most_matrix_bytes = 1 * MiB;
inline constexpr std::size_t most_matrix_locations = 1024;
inline constexpr std::size_t most_matrix_devices = 1024; // of one list
inline constexpr std::size_t most_name_bytes = 256;

[[nodiscard]] inline Error matrix_error(const std::string& what) {
    return {Errc::invalid_argument,
            "the matrix of devices: " + what + R"(; expected {"cpu:0": [["preferred"], ["secondary"]], ...})"};
}

[[nodiscard]] inline Result<std::vector<std::string>> devices_of(const nlohmann::json& list, std::string_view location,
                                                                 std::set<std::string>& seen) {
    const auto where = in_quotes(location, most_name_bytes);
    if (!list.is_array() || list.size() > most_matrix_devices)
        return matrix_error(where + " holds what is no list of at most " + std::to_string(most_matrix_devices) +
                            " names");
    auto names = std::vector<std::string>();
    for (const auto& name : list) {
        if (!name.is_string() || name.get_ref<const std::string&>().empty() ||
            name.get_ref<const std::string&>().size() > most_name_bytes)
            return matrix_error(where + " lists something that is no name of 1 to " + std::to_string(most_name_bytes) +
                                " bytes");
        names.push_back(name.get<std::string>());
        if (!seen.insert(names.back()).second)
            return matrix_error(where + " lists " + in_quotes(names.back(), most_name_bytes) + " twice");
    }
    return names;
}

} // namespace topology::detail

/// Errors: `invalid_argument`, `too_large`; the sentence says what was wrong and what is expected.
[[nodiscard]] inline Result<PriorityMatrix> matrix_from_json(std::string_view text) {
    using namespace topology::detail;
    if (text.size() > most_matrix_bytes)
        return Error(Errc::too_large, "the matrix of devices has " + std::to_string(text.size()) +
                                          " bytes of JSON, the limit is " + std::to_string(most_matrix_bytes));
    auto repeated = std::string();
    auto keys = std::set<std::string>();
    auto nests = false;
    const auto look = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
        nests |= depth > 3;
        if (event == nlohmann::json::parse_event_t::key && depth == 1 && !keys.insert(value.get<std::string>()).second)
            repeated = value.get<std::string>();
        return !nests;
    };
    const auto json = nlohmann::json::parse(text, look, false);
    if (nests || json.is_discarded() || !json.is_object()) return matrix_error("this is no JSON object of that form");
    if (!repeated.empty()) return matrix_error(in_quotes(repeated, most_name_bytes) + " is there twice");
    if (json.size() > most_matrix_locations)
        return matrix_error("more than " + std::to_string(most_matrix_locations) + " locations");
    auto matrix = PriorityMatrix();
    for (const auto& [location, lists] : json.items()) {
        if (location.empty() || location.size() > most_name_bytes)
            return matrix_error("a location has no name of 1 to " + std::to_string(most_name_bytes) + " bytes");
        if (!lists.is_array() || lists.size() != 2)
            return matrix_error(in_quotes(location, most_name_bytes) + " has not two lists");
        auto seen = std::set<std::string>();
        auto preferred = devices_of(lists[0], location, seen);
        if (!preferred) return preferred.error();
        auto secondary = devices_of(lists[1], location, seen);
        if (!secondary) return secondary.error();
        matrix.emplace(location, DevicePriority{std::move(*preferred), std::move(*secondary)});
    }
    return matrix;
}

/// Errors: also `not_found`.
[[nodiscard]] inline Result<PriorityMatrix> matrix_from_file(const std::string& path) {
    auto in = std::ifstream(path, std::ios::binary);
    if (!in) return Error(Errc::not_found, "the matrix of devices: cannot read " + in_quotes(path, 1024));
    auto text = std::string(topology::detail::most_matrix_bytes + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    auto matrix = matrix_from_json(text);
    if (!matrix)
        return Error(matrix.error().code(), in_quotes(path, 1024) + ": " + std::string(matrix.error().context()));
    return matrix;
}

[[nodiscard]] inline nlohmann::ordered_json to_json(const PriorityMatrix& matrix) {
    auto json = nlohmann::ordered_json::object();
    for (const auto& [location, priority] : matrix)
        json[location] = nlohmann::ordered_json::array({priority.preferred, priority.secondary});
    return json;
}

/// `{"nodes": [...], "devices": [...], "priority_matrix": {...}}`; sizes in bytes, speeds in bytes a second.
[[nodiscard]] inline nlohmann::ordered_json to_json(const Topology& topology) {
    auto json = nlohmann::ordered_json::object();
    auto& nodes = json["nodes"] = nlohmann::ordered_json::array();
    for (const auto& node : topology.nodes)
        nodes.push_back({{"id", node.id}, {"cpus", node.cpus}, {"distances", node.distances}, {"bytes", node.bytes}});
    auto& devices = json["devices"] = nlohmann::ordered_json::array();
    for (const auto& device : topology.devices) {
        auto entry = nlohmann::ordered_json{{"name", device.name},
                                            {"kind", to_string(device.kind)},
                                            {"up", device.up},
                                            {"physical", device.physical},
                                            {"bytes_per_second", device.bytes_per_second}};
        entry["numa_node"] = device.node ? nlohmann::ordered_json(*device.node) : nlohmann::ordered_json();
        if (!device.pci.empty()) entry["pci"] = device.pci;
        if (!device.addresses.empty()) entry["addresses"] = device.addresses;
        if (device.bytes != 0) entry["bytes"] = device.bytes;
        devices.push_back(std::move(entry));
    }
    json["priority_matrix"] = to_json(priority_matrix(topology));
    return json;
}

} // namespace mooncake
