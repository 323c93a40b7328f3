#pragma once

#include <mooncake/serving/balance/hot_prefixes.hpp>

#include "run.hpp"

#include <cstdio>
#include <string_view>

namespace serve {

template <BalancePolicy B>
struct WithBalance : AnyTraits {
    using Balance = B;
};

/// A head of a hundred blocks that a third of the requests begin to share in the middle of it.
inline Trace with_hot_head(Trace trace) {
    for (std::size_t i = trace.size() / 2; i < trace.size(); i += 3) {
        auto& one = trace[i];
        for (std::uint64_t block = 0; block < 100; ++block)
            one.hash_ids.insert(one.hash_ids.begin() + static_cast<std::ptrdiff_t>(block),
                                (std::uint64_t{1} << 41) + block);
        one.input_length += 100 * trace_block_tokens;
    }
    return trace;
}

/// Copies of hot prefixes beside none, under a rule that fetches nothing and under ours.
inline void balance_table(const Trace& trace) {
    title("balance", "8P + 8D, hot prefixes copied ahead or not");
    std::printf("%-40s %9s %8s %8s %9s %9s\n", "", "TTFT, s", "p99, s", "reused", "fetched", "copied");
    const auto hot = with_hot_head(trace);
    for (const auto large : {false, true})
        for (const auto headed : {false, true}) {
            std::printf("%s, %s\n", headed ? "a third shares a new head of 100 blocks" : "the trace",
                        large ? "caches that never fill" : "caches of 3M tokens");
            for (const auto name : {"longest-prefix", "overlap-load", "local", "least-delay"}) {
                auto config = cluster(8, 8);
                if (large) config.conductor.cache_blocks = 1'000'000;
                const auto row = [&](std::string_view balance, const ServeMetrics& m) {
                    std::printf("  %-20s %-17.*s %9.3f %8.2f %8.4f %9llu %9llu\n", name,
                                static_cast<int>(balance.size()), balance.data(), m.ttft.mean(), m.ttft.quantile(.99),
                                m.reused_ratio(), static_cast<unsigned long long>(m.fetched_blocks),
                                static_cast<unsigned long long>(m.copied_blocks));
                    std::fflush(stdout);
                };
                const auto& requests = headed ? hot : trace;
                row("none", Simulator<WithBalance<NoBalance>>(config, *make_prefill_policy(name), {}, AdmitAll())
                                .run(requests));
                row(HotPrefixes::name,
                    Simulator<WithBalance<HotPrefixes>>(config, *make_prefill_policy(name), {}, AdmitAll())
                        .run(requests));
            }
        }
}

} // namespace serve
