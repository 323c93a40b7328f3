// labels: cluster
// The programs as a person runs them: real processes, stopped and killed.
#include "program.hpp"
#include "support/sanitized.hpp"
#include "support/skip.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

using namespace mooncake::test;

namespace {

/// Requests of a run in which something happens: sanitizers make each of them slow, and what happens takes as long.
constexpr auto many = sanitized ? 500 : 1'500, very_many = sanitized ? 1'000 : 3'000;

/// Children of `parent`, from /proc.
std::vector<pid_t> children_of(pid_t parent) {
    auto file = std::ifstream("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children");
    auto children = std::vector<pid_t>();
    for (auto child = pid_t{0}; file >> child;) children.push_back(child);
    return children;
}

bool all_gone(const std::vector<pid_t>& pids) {
    for (auto i = 0; i < 400; ++i, std::this_thread::sleep_for(std::chrono::milliseconds(25))) {
        auto left = false;
        for (const auto pid : pids) left |= kill(pid, 0) == 0;
        if (!left) return true;
    }
    return false;
}

std::vector<std::string> small_cluster(std::vector<std::string> more) {
    auto words =
        std::vector<std::string>{"mooncake_replay", "--cluster", "--capacity-blocks", "300", "--block-bytes", "16384"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

} // namespace

TEST_CASE("cluster: a made-up workload runs over shm and tcp with every byte right") {
    auto program = Program(small_cluster({"--requests", "150", "--json"}));
    const auto output = program.finish();
    INFO(output.err);
    REQUIRE(output.status == 0);
    const auto json = nlohmann::json::parse(output.out);
    CHECK(json["requests"] == 150);
    CHECK(json["mismatches"] == 0);
    CHECK(json["lost"] == 0);
    CHECK(json["failed_requests"] == 0);
    CHECK(json["unstored_blocks"] == 0);
    CHECK(json["hit_blocks"].get<int>() > 0);
    for (const auto* transport : {"shm", "tcp"}) {
        CHECK(json["transports"][transport]["read_bytes"].get<std::uint64_t>() > 0);
        CHECK(json["transports"][transport]["written_bytes"].get<std::uint64_t>() > 0);
    }
}

TEST_CASE("cluster: Ctrl-C stops all processes, and nothing is left behind") {
    auto program = Program(small_cluster({"--requests", "100000"}));
    REQUIRE(program.says(".err", " requests, "));
    const auto children = children_of(program.pid());
    CHECK(children.size() == 8);
    kill(program.pid(), SIGINT);
    const auto output = program.finish();
    CHECK(output.status == 1);
    CHECK(output.err.find("stopped") != std::string::npos);
    CHECK(all_gone(children));
}

TEST_CASE("cluster: processes end with the one that started them, however that ends") {
    auto program = Program(small_cluster({"--requests", "100000"}));
    REQUIRE(program.says(".err", " requests, "));
    const auto children = children_of(program.pid());
    REQUIRE(children.size() == 8);
    kill(program.pid(), SIGKILL);
    (void)program.finish();
    CHECK(all_gone(children));
}

TEST_CASE("cluster: a node that is killed costs its blocks and nothing else: no wrong byte, no hang") {
    auto program = Program(small_cluster({"--requests", std::to_string(many), "--json"}));
    REQUIRE(program.says(".err", " requests, "));
    const auto children = children_of(program.pid());
    REQUIRE(children.size() == 8);
    kill(children[2], SIGKILL); // master, node-0 (tcp), node-1 (shm), …
    const auto output = program.finish();
    INFO(output.err);
    if (output.status == -1) FAIL("the replay itself was killed");
    if (!output.out.empty()) CHECK(nlohmann::json::parse(output.out)["mismatches"] == 0);
    CHECK(all_gone(children));
}

TEST_CASE("cluster: a worker that is killed costs its work in hand; the run goes on, and says so") {
    auto program = Program(small_cluster({"--requests", std::to_string(many), "--json"}));
    REQUIRE(program.says(".err", " requests, "));
    const auto children = children_of(program.pid());
    REQUIRE(children.size() == 8);
    kill(children[7], SIGKILL); // master, three nodes, two prefill and two decode workers
    const auto output = program.finish();
    INFO(output.err);
    REQUIRE_FALSE(output.out.empty());
    const auto json = nlohmann::json::parse(output.out);
    CHECK(json["requests"] == many);
    CHECK(json["mismatches"] == 0);
    CHECK(json["failed_requests"] == 0);
    CHECK(output.err.find("the run went on without them: decode worker 1") != std::string::npos);
    CHECK(all_gone(children));
}

TEST_CASE("cluster: a process that is stopped and goes on gives no wrong byte, and holds nobody up for long") {
    auto stopped = std::size_t{0};
    SUBCASE("a node, longer than its time to live: it comes back as another") { stopped = 2; }
    SUBCASE("a worker, which may be writing to the memory of nodes, and reading there under leases") { stopped = 7; }
    auto program = Program(small_cluster({"--requests", std::to_string(very_many), "--json"}));
    REQUIRE(program.says(".err", " requests, "));
    const auto children = children_of(program.pid());
    REQUIRE(children.size() == 8);
    kill(children[stopped], SIGSTOP);
    std::this_thread::sleep_for(std::chrono::seconds(4));
    kill(children[stopped], SIGCONT);
    const auto output = program.finish();
    INFO(output.err);
    REQUIRE_FALSE(output.out.empty());
    const auto json = nlohmann::json::parse(output.out);
    CHECK(json["requests"] == very_many);
    CHECK(json["mismatches"] == 0);
    CHECK(all_gone(children));
}

TEST_CASE("cluster: with two replicas, a node that is stopped and another that is killed cost no wrong byte") {
    auto program = Program(small_cluster(
        {"--requests", std::to_string(very_many), "--replicas", "2", "--capacity-blocks", "4000", "--json"}));
    REQUIRE(program.says(".err", " requests, "));
    const auto children = children_of(program.pid());
    REQUIRE(children.size() == 8);
    kill(children[2], SIGSTOP);
    std::this_thread::sleep_for(std::chrono::seconds(1)); // shorter than its time to live: it goes on as it was
    kill(children[2], SIGCONT);
    kill(children[3], SIGKILL);
    const auto output = program.finish();
    INFO(output.err);
    REQUIRE_FALSE(output.out.empty());
    const auto json = nlohmann::json::parse(output.out);
    CHECK(json["requests"] == very_many);
    CHECK(json["mismatches"] == 0);
    CHECK(json["failed_requests"] == 0);
    CHECK(all_gone(children));
}

TEST_CASE("cluster: without its master the run ends with its table, and a sentence that says who died") {
    auto program = Program(small_cluster({"--requests", std::to_string(very_many), "--json"}));
    REQUIRE(program.says(".err", " requests, "));
    const auto children = children_of(program.pid());
    REQUIRE(children.size() == 8);
    kill(children[0], SIGKILL);
    const auto output = program.finish();
    INFO(output.err);
    CHECK(output.status == 1);
    REQUIRE_FALSE(output.out.empty());
    CHECK(nlohmann::json::parse(output.out)["mismatches"] == 0);
    CHECK(output.err.find("the run went on without them: master") != std::string::npos);
    CHECK(all_gone(children));
}

TEST_CASE("cluster: bad input is answered with what was wrong and what would be right") {
    struct Case {
        std::vector<std::string> words;
        std::string says;
    };
    const auto trace = "/tmp/mooncake-test-" + std::to_string(getpid()) + ".jsonl";
    std::ofstream(trace) << R"({"timestamp": 0, "input_length": -5, "output_length": 1, "hash_ids": [1]})" << '\n';
    const auto cases = std::vector<Case>{
        {{"mooncake_replay", "--trace", "/no/such/file"}, "/no/such/file"},
        {{"mooncake_replay", "--trace", trace}, "line 1: field \"input_length\""},
        {{"mooncake_replay", "--trace", "/tmp"}, "/tmp: Is a directory"},
        {{"mooncake_replay", "--block-bytes", "7"}, "--block-bytes is '7'"},
        {{"mooncake_replay", "--capacity-blocks", "4000000000"}, "are available; give at most "},
        {{"mooncake_replay", "--replicas", "4"}, "--replicas 4 is above --nodes 3"},
        {{"mooncake_replay", "--embedded", "--replicas", "2"}, "--embedded keeps one replica"},
        {{"mooncake_replay", "--worker", "127.0.0.1:1"}, "127.0.0.1:1: Connection refused"},
        {{"mooncake_replay", "--blok-bytes", "7"}, "there is no option '--blok-bytes'"},
        {{"mooncake_node", "--master", "127.0.0.1:1", "--name", "n", "--bytes", "4096"},
         "127.0.0.1:1: Connection refused"},
        {{"mooncake_node", "--master", "127.0.0.1:1", "--name", "n", "--bytes", "60000000000000"},
         "bytes of memory are available"},
        {{"mooncake_node", "--name", "n"}, "--master and --name are needed"},
        {{"mooncake_master", "--listen", "nonsense"}, "'nonsense' is no address"},
    };
    for (const auto& [words, says] : cases) {
        auto program = Program(words);
        const auto output = program.finish();
        INFO(output.err);
        CHECK(output.status == 1);
        CHECK(output.err.find(says) != std::string::npos);
    }
    unlink(trace.c_str());
}

TEST_CASE("cluster: a master whose port is taken says so") {
    auto first = Program({"mooncake_master"});
    REQUIRE(first.says(".out", "ready "));
    auto line = first.said(".out");
    const auto address = line.substr(6, line.find('\n') - 6);
    auto second = Program({"mooncake_master", "--listen", address});
    const auto output = second.finish();
    CHECK(output.status == 1);
    CHECK(output.err.find("is taken by another process") != std::string::npos);
}

TEST_CASE("cluster: the embedded replay counts what the reference counts") {
    const auto trace = std::string(std::getenv("MOONCAKE_SOURCE_DIR")) + "/../shared/traces/conversation_trace.jsonl";
    if (!std::ifstream(trace)) return mooncake::test::skip("the real trace is not at " + trace);
    auto program = Program({"mooncake_replay", "--embedded", "--in-order", "--trace", trace, "--capacity-blocks",
                            "10000", "--block-bytes", "4096", "--eviction", "lru", "--json"});
    const auto output = program.finish();
    INFO(output.err);
    REQUIRE(output.status == 0);
    const auto json = nlohmann::json::parse(output.out);
    CHECK(json["blocks"] == 288'500);
    CHECK(json["mismatches"] == 0);
    CHECK(json["hit_ratio_blocks"].get<double>() == doctest::Approx(.2112).epsilon(.0005));
}
