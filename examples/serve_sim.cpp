// Runs a trace against a conductor and simulated instances, or prints the published tables beside ours. Without a trace it
// makes requests up that look like the conversation trace to a cache.
#include <mooncake/serving/trace_json.hpp>
#include <mooncake/serving/workload.hpp>

#include "serve/balance_table.hpp"
#include "serve/faults_table.hpp"
#include "serve/forecast_table.hpp"
#include "serve/options.hpp"
#include "serve/overload_tables.hpp"
#include "serve/roles_table.hpp"
#include "serve/run.hpp"
#include "serve/scheduling_tables.hpp"

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <string_view>
#include <utility>
#include <vector>

int main(int argc, char** argv) {
    using namespace mooncake;
    const auto options = serve::parse(argc, argv);
    if (!options) {
        std::cerr << "mooncake_serve_sim: " << options.error().context() << '\n';
        return 2;
    }
    if (options->help) {
        std::cout << serve::usage << "policies: " << serve::joined(prefill_policy_names())
                  << "\nadmission: " << serve::joined(admission_policy_names) << '\n';
        return EXIT_SUCCESS;
    }
    const auto loaded = options->trace.empty()
                            ? generate_workload({.requests = options->requests, .seed = options->config.seed})
                            : read_trace_file(options->trace);
    if (!loaded) {
        std::cerr << "mooncake_serve_sim: " << loaded.error().context() << '\n';
        return EXIT_FAILURE;
    }
    const auto& trace = *loaded;
    if (options->table.empty()) {
        using Simulation = Simulator<serve::AnyTraits>;
        auto simulation = Simulation(options->config, *make_prefill_policy(options->policy), LeastTbt(),
                                     *make_admission_policy(options->admission));
        std::cout << to_json(simulation.run(trace)) << '\n';
        return EXIT_SUCCESS;
    }
    const auto tables = std::vector<std::pair<std::string_view, std::function<void()>>>{
        {"prefill", [&] { serve::prefill_table(trace); }},
        {"schedulers", [&] { serve::schedulers_table(trace); }},
        {"rules", [&] { serve::rules_table(trace); }},
        {"published", [&] { serve::published_table(trace); }},
        {"caches", [&] { serve::caches_table(trace); }},
        {"rejections", [&] { serve::rejections_table(trace); }},
        {"priorities", [&] { serve::priorities_table(trace); }},
        {"load", [&] { serve::load_table(trace, options->svg); }},
        {"pd", [&] { serve::pd_table(trace); }},
        {"capacity", [&] { serve::capacity_table(trace); }},
        {"traps", [&] { serve::traps_table(trace); }},
        {"forecast", [&] { serve::forecast_table(trace); }},
        {"faults", [&] { serve::faults_table(trace); }},
        {"roles", [&] { serve::roles_table(trace); }},
        {"balance", [&] { serve::balance_table(trace); }},
        {"scale", [&] { serve::scale_table(trace, options->requests); }},
    };
    auto printed = false;
    for (const auto& [name, print] : tables)
        if (options->table == name || options->table == "all") print(), printed = true;
    if (printed) return EXIT_SUCCESS;
    std::cerr << "mooncake_serve_sim: there is no table " << in_quotes(options->table, 40) << "; see --help\n";
    return 2;
}
