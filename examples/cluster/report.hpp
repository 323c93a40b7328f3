#pragma once

#include "protocol.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace cluster {

/// What a replay comes to.
struct Totals {
    std::uint64_t requests = 0, failed_requests = 0;
    std::uint64_t blocks = 0, hit_blocks = 0;
    std::uint64_t tokens = 0, hit_tokens = 0;
    std::uint64_t stored_blocks = 0, unstored_blocks = 0;
    std::uint64_t read_bytes = 0, written_bytes = 0;
    std::uint64_t mismatches = 0, lost = 0;
    double prefill_seconds_saved = 0,
           prefill_seconds = 0; ///< of the cost model; the second is what was left to compute
    double seconds = 0;
    std::vector<TransportBytes> transports;
    std::vector<std::uint32_t> get_us, put_us;

    [[nodiscard]] double hit_ratio_blocks() const noexcept { return ratio(hit_blocks, blocks); }
    [[nodiscard]] double hit_ratio_tokens() const noexcept { return ratio(hit_tokens, tokens); }
    [[nodiscard]] double gigabytes_per_second() const noexcept {
        return seconds > 0 ? static_cast<double>(read_bytes + written_bytes) / seconds / 1e9 : 0;
    }

    static double ratio(std::uint64_t part, std::uint64_t whole) noexcept {
        return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
    }
};

/// In milliseconds; sorts `values`.
inline double percentile_ms(std::vector<std::uint32_t>& values, double p) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return values[std::min(values.size() - 1, static_cast<std::size_t>(p * static_cast<double>(values.size())))] / 1e3;
}

inline nlohmann::ordered_json to_json(Totals& totals) {
    auto json = nlohmann::ordered_json{{"requests", totals.requests},
                                       {"blocks", totals.blocks},
                                       {"hit_blocks", totals.hit_blocks},
                                       {"hit_ratio_blocks", totals.hit_ratio_blocks()},
                                       {"hit_ratio_tokens", totals.hit_ratio_tokens()},
                                       {"mismatches", totals.mismatches},
                                       {"lost", totals.lost},
                                       {"failed_requests", totals.failed_requests},
                                       {"stored_blocks", totals.stored_blocks},
                                       {"unstored_blocks", totals.unstored_blocks},
                                       {"read_bytes", totals.read_bytes},
                                       {"written_bytes", totals.written_bytes},
                                       {"prefill_seconds_saved", totals.prefill_seconds_saved},
                                       {"prefill_seconds", totals.prefill_seconds},
                                       {"get_p50_ms", percentile_ms(totals.get_us, .5)},
                                       {"get_p99_ms", percentile_ms(totals.get_us, .99)},
                                       {"put_p50_ms", percentile_ms(totals.put_us, .5)},
                                       {"put_p99_ms", percentile_ms(totals.put_us, .99)},
                                       {"seconds", totals.seconds}};
    for (const auto& transport : totals.transports)
        json["transports"][transport.name] = {{"read_bytes", transport.read}, {"written_bytes", transport.written}};
    return json;
}

inline void print_table(Totals& totals) {
    const auto gb = [](std::uint64_t bytes) { return static_cast<double>(bytes) / 1e9; };
    std::printf("\n  requests             %10lu   %.0f a second, %lu failed\n", totals.requests,
                totals.seconds > 0 ? static_cast<double>(totals.requests) / totals.seconds : 0, totals.failed_requests);
    std::printf("  blocks               %10lu   %lu hit, %lu stored, %lu found no space\n", totals.blocks,
                totals.hit_blocks, totals.stored_blocks, totals.unstored_blocks);
    std::printf("  hit ratio            %10.4f   of blocks; %.4f of tokens\n", totals.hit_ratio_blocks(),
                totals.hit_ratio_tokens());
    std::printf("  moved             %10.2f GB   %.2f GB/s\n", gb(totals.read_bytes + totals.written_bytes),
                totals.gigabytes_per_second());
    for (const auto& transport : totals.transports)
        std::printf("    over %-8s     %10.2f GB   read, %.2f GB written\n", transport.name.c_str(), gb(transport.read),
                    gb(transport.written));
    std::printf("  get of a request    %8.2f ms   p50, %.2f ms p99\n", percentile_ms(totals.get_us, .5),
                percentile_ms(totals.get_us, .99));
    std::printf("  put of a request    %8.2f ms   p50, %.2f ms p99\n", percentile_ms(totals.put_us, .5),
                percentile_ms(totals.put_us, .99));
    std::printf("  prefill saved        %8.1f s   of %.1f s without a cache (8xA800, LLaMA3-70B)\n",
                totals.prefill_seconds_saved, totals.prefill_seconds_saved + totals.prefill_seconds);
    std::printf("  mismatches           %10lu\n  lost                 %10lu\n  took                 %8.1f s\n",
                totals.mismatches, totals.lost, totals.seconds);
}

} // namespace cluster
