#include <mooncake/simulation/cluster.hpp>

#include "flags.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

namespace {

using mooncake::simulation::ClusterConfig;
using mooncake::simulation::ClusterSimulation;

struct Options {
    std::uint64_t seed = 1, seeds = 1, seconds = 60, jobs = 2;
    unsigned networks = 1;
    bool trace = false, no_faults = false;
};

struct Verdict {
    std::string line;
    bool good = false;
};

/// One run. The line is the failure report: a seed and a commit are enough to see it again.
Verdict simulate(std::uint64_t seed, const Options& options) {
    auto config = ClusterConfig();
    config.length = std::chrono::seconds(options.seconds);
    config.faults = !options.no_faults;
    config.networks = options.networks;
    config.say = options.trace;
    const auto begun = std::chrono::steady_clock::now();
    auto cluster = ClusterSimulation<>(seed, config);
    if (options.trace) cluster.world().trace_to(&std::cout);
    cluster.run();
    const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    const auto& world = cluster.world();
    const auto simulated = std::chrono::duration<double>(world.elapsed()).count();
    auto text = std::array<char, 200>();
    std::snprintf(text.data(), text.size(), ", %.1f simulated s in %.2f s, events 0x%016llx", simulated, took,
                  static_cast<unsigned long long>(world.hash()));
    const auto good = world.fault().empty();
    return {"seed " + std::to_string(seed) + ": " + (good ? "ok" : "FAULT " + world.fault()) + text.data(), good};
}

/// A run in a process of its own: one that crashes ends alone, and what the killed had in memory goes with it.
class Run {
  public:
    Run(std::uint64_t seed, const Options& options) : seed_(seed) {
        auto ends = std::array<int, 2>();
        if (pipe(ends.data()) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
        std::cout.flush();
        child_ = fork();
        if (child_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
        if (child_ == 0) {
            close(ends[0]);
            const auto verdict = simulate(seed, options);
            const auto written = write(ends[1], verdict.line.data(), verdict.line.size());
            std::_Exit(verdict.good && written > 0 ? EXIT_SUCCESS : EXIT_FAILURE);
        }
        close(ends[1]);
        out_ = ends[0];
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    ~Run() { close(out_); }

    Verdict wait() {
        auto verdict = Verdict();
        auto piece = std::array<char, 4096>();
        for (auto got = read(out_, piece.data(), piece.size()); got > 0; got = read(out_, piece.data(), piece.size()))
            verdict.line.append(piece.data(), static_cast<std::size_t>(got));
        auto status = 0;
        waitpid(child_, &status, 0);
        verdict.good = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
        if (WIFSIGNALED(status))
            verdict.line = "seed " + std::to_string(seed_) + ": FAULT the run ended with signal " +
                           std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")";
        else if (verdict.line.empty()) verdict.line = "seed " + std::to_string(seed_) + ": FAULT the run said nothing";
        return verdict;
    }

  private:
    std::uint64_t seed_;
    pid_t child_ = -1;
    int out_ = -1;
};

/// How many seeds were at fault.
std::uint64_t simulate_all(const Options& options) {
    auto faults = std::uint64_t{0};
    auto running = std::deque<Run>();
    auto next = options.seed;
    const auto end = options.seed + options.seeds;
    while (next != end || !running.empty()) {
        while (next != end && running.size() < options.jobs) running.emplace_back(next++, options);
        const auto verdict = running.front().wait();
        running.pop_front();
        faults += verdict.good ? 0 : 1;
        std::cout << verdict.line << std::endl;
    }
    return faults;
}

} // namespace

int main(int argc, char** argv) {
    auto options = Options();
    auto flags = cluster::Flags(
        "mooncake_simulate",
        "runs a cluster of the real code under load and faults in one deterministic thread, once a seed");
    flags.number("seed", options.seed, "the first seed", std::uint64_t{0}, std::uint64_t{1} << 60);
    flags.number("seeds", options.seeds, "how many seeds, one after the other", std::uint64_t{1},
                 std::uint64_t{1} << 32);
    flags.number("networks", options.networks, "that nodes are in: each is a path to them", 1U, 16U);
    flags.number("seconds", options.seconds, "simulated seconds of load; some 36 of peace and checks follow",
                 std::uint64_t{1}, std::uint64_t{86'400});
    flags.number("jobs", options.jobs, "how many runs at once", std::uint64_t{1}, std::uint64_t{64});
    flags.on("trace", options.trace, "prints every event of the first seed, and what the programs log");
    flags.on("no-faults", options.no_faults, "nothing bad happens");
    if (const auto parsed = flags.parse(argc, argv); !parsed) {
        if (parsed.error() == mooncake::Errc::cancelled) return EXIT_SUCCESS;
        std::cerr << "mooncake_simulate: " << parsed.error().context() << '\n';
        return 2;
    }
    if (options.trace) {
        const auto verdict = simulate(options.seed, options);
        std::cout << verdict.line << '\n';
        std::cout.flush();
        std::_Exit(verdict.good ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    const auto faults = simulate_all(options);
    if (options.seeds > 1) std::cout << options.seeds - faults << " passed, " << faults << " failed" << std::endl;
    return faults == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
