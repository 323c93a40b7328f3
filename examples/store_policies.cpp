// Which eviction policy suits a workload: hit ratios of all of them by capacity, and of who knows the future.
//   store_policies [--trace FILE] [--blocks 1000,5000,10000] [--svg FILE]
#include <mooncake/mooncake.hpp>
#include <mooncake/serving/trace_json.hpp>
#include <mooncake/store/eviction/policies.hpp>
#include <mooncake/store/eviction/replay.hpp>

#include "cluster/daemon.hpp"
#include "cluster/flags.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

namespace {

using mooncake::Errc, mooncake::Error, mooncake::Result;

struct Row {
    std::string policy;
    std::vector<double> hit_ratios; ///< one a capacity
};
using Capacities = std::vector<std::size_t>;
using Trace = std::vector<mooncake::TraceRequest>;

/// Of a list such as "1000,5000". Errors: `invalid_argument`.
Result<Capacities> parse_capacities(const std::string& text) {
    auto blocks = Capacities();
    for (const char* at = text.c_str();; ++at) {
        char* end = nullptr;
        const auto number = std::strtoull(at, &end, 10);
        if (end == at || *at == '-' || number == 0 || number > 100'000'000 || (*end != ',' && *end != '\0'))
            return Error(Errc::invalid_argument,
                         "--blocks " + text +
                             ": expected numbers from 1 to 100000000, in ascending order, with commas");
        if (!blocks.empty() && number <= blocks.back())
            return Error(Errc::invalid_argument, "--blocks " + text + ": the numbers are to ascend");
        blocks.push_back(number);
        if (*end == '\0') return blocks;
        at = end;
    }
}

// [readme
template <class Policy>
double hit_ratio(const Trace& trace, std::size_t blocks) {
    auto replay = mooncake::EvictionReplay<Policy>(blocks);
    for (const auto& request : trace)
        (void)replay.request(request.hash_ids, mooncake::TimePoint() + std::chrono::milliseconds(request.timestamp_ms));
    return replay.hit_ratio();
}

std::vector<Row> compare(const Trace& trace, const Capacities& capacities) {
    auto rows = std::vector<Row>();
    mooncake::EvictionPolicies::for_each([&]<class Policy>() {
        auto& row = rows.emplace_back(Row{std::string(Policy::name), {}});
        for (const auto blocks : capacities) row.hit_ratios.push_back(hit_ratio<Policy>(trace, blocks));
    });
    auto& best = rows.emplace_back(Row{"optimal", {}});
    const auto requests = trace | std::views::transform(&mooncake::TraceRequest::hash_ids);
    for (const auto blocks : capacities) best.hit_ratios.push_back(mooncake::optimal_hit_ratio(requests, blocks));
    return rows;
}
// readme]

void print(const std::vector<Row>& rows, const Capacities& capacities) {
    std::printf("%-10s", "blocks");
    for (const auto blocks : capacities) std::printf(" %8zu", blocks);
    std::printf("\n");
    for (const auto& row : rows) {
        std::printf("%-10s", row.policy.c_str());
        for (const auto ratio : row.hit_ratios) std::printf(" %8.4f", ratio);
        std::printf("\n");
    }
}

/// A line for each policy: capacities from left to right, each step as wide as the next; hit ratios upwards.
bool draw(const std::string& path, const std::vector<Row>& rows, const Capacities& capacities) {
    constexpr auto width = 720.0, height = 420.0, left = 60.0, bottom = 40.0, legend = 110.0;
    constexpr auto colours =
        std::array{"#999999", "#1f77b4", "#9467bd", "#8c564b", "#2ca02c", "#ff7f0e", "#17becf", "#d62728", "#000000"};
    auto highest = 0.01;
    for (const auto& row : rows)
        for (const auto ratio : row.hit_ratios) highest = std::max(highest, ratio);
    const auto steps = static_cast<double>(std::max<std::size_t>(2, capacities.size()) - 1);
    const auto x = [&](std::size_t i) { return left + (width - left - legend) * static_cast<double>(i) / steps; };
    const auto y = [&](double ratio) { return (height - bottom) - (height - bottom - 20) * ratio / highest; };
    auto svg = std::ofstream(path);
    svg << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << width << ' ' << height
        << "\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
    for (std::size_t i = 0; i < capacities.size(); ++i)
        svg << "<text x=\"" << x(i) << "\" y=\"" << height - 20 << "\" text-anchor=\"middle\">" << capacities[i]
            << "</text>\n";
    for (auto tick = 0; tick <= 4; ++tick) {
        const auto ratio = highest * tick / 4;
        svg << "<line x1=\"" << left << "\" x2=\"" << width - legend << "\" y1=\"" << y(ratio) << "\" y2=\"" << y(ratio)
            << "\" stroke=\"#dddddd\"/><text x=\"" << left - 8 << "\" y=\"" << y(ratio) + 4 << "\" text-anchor=\"end\">"
            << std::round(ratio * 1000) / 1000 << "</text>\n";
    }
    svg << "<text x=\"" << left << "\" y=\"12\">prefix hit ratio by capacity in blocks</text>\n";
    for (std::size_t r = 0; r < rows.size(); ++r) {
        const auto* const colour = colours[r % colours.size()];
        svg << "<polyline fill=\"none\" stroke-width=\"1.8\" stroke=\"" << colour << "\" points=\"";
        for (std::size_t i = 0; i < capacities.size(); ++i) svg << x(i) << ',' << y(rows[r].hit_ratios[i]) << ' ';
        svg << "\"/>\n<text x=\"" << width - legend + 12 << "\" y=\"" << 40 + 18 * static_cast<double>(r)
            << "\" fill=\"" << colour << "\">" << rows[r].policy << "</text>\n";
    }
    svg << "</svg>\n";
    svg.close();
    return !svg.fail();
}

} // namespace

int main(int argc, char** argv) {
    auto file = std::string(), blocks = std::string("500,2000,8000"), svg = std::string();
    auto flags = cluster::Flags("store_policies", "compares eviction policies on a workload, by prefix hit ratios");
    flags.text("trace", file, "file of JSON lines; without it, a workload is made up");
    flags.text("blocks", blocks, "capacities to try, in blocks");
    flags.text("svg", svg, "draws them into this file");
    if (const auto parsed = flags.parse(argc, argv); !parsed) return cluster::fail("store_policies", parsed.error());
    const auto capacities = parse_capacities(blocks);
    if (!capacities) return cluster::fail("store_policies", capacities.error());
    const auto trace =
        file.empty() ? mooncake::generate_workload({.requests = 1'000}) : mooncake::read_trace_file(file);
    if (!trace) return cluster::fail("store_policies", trace.error());
    const auto rows = compare(*trace, *capacities);
    print(rows, *capacities);
    if (!svg.empty() && !draw(svg, rows, *capacities))
        return cluster::fail("store_policies", Error(Errc::system, "--svg " + svg + " could not be written"));
    return EXIT_SUCCESS;
}
