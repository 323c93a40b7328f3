// labels: cluster
// needs: tls
// A cluster by hand, as the README says it, and mooncakectl, which looks into it.
#include "program.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace mooncake::test;

namespace {

std::string announced(Program& program) {
    REQUIRE(program.says(".out", "ready "));
    const auto said = program.said(".out");
    return said.substr(6, said.find('\n') - 6);
}

using Words = std::vector<std::string>;

Words operator+(Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

struct ClusterByHand {
    Words security; ///< what all programs are told
    Program master{Words{"mooncake_master", "--segment-ttl-ms", "500"} + security};
    std::string address = announced(master);
    std::vector<std::unique_ptr<Program>> nodes;

    explicit ClusterByHand(int count, Words secure = {}, Words node_options = {}) : security(std::move(secure)) {
        for (auto i = 0; i < count; ++i) {
            const auto node = Words{"mooncake_node", "--master", address, "--name", "node-" + std::to_string(i),
                                    "--bytes",       "8388608"};
            nodes.push_back(std::make_unique<Program>(node + security + node_options));
            (void)announced(*nodes.back());
        }
    }

    Output ctl(const Words& words) const {
        return Program(Words{"mooncakectl", "--master", address} + security + words).finish();
    }
    nlohmann::json json(std::vector<std::string> words) const {
        words.push_back("--json");
        const auto output = ctl(std::move(words));
        INFO(output.err);
        REQUIRE(output.status == 0);
        return nlohmann::json::parse(output.out);
    }
    void refuses(std::vector<std::string> words, const std::string& says) const {
        const auto output = ctl(std::move(words));
        CHECK(output.status == 1);
        CHECK_MESSAGE(output.err.find(says) != std::string::npos, output.err);
    }
};

/// A file that is gone with it.
struct File {
    const std::string name = "/tmp/mooncake-ctl-" + std::to_string(getpid()) + "-" + std::to_string(++made);
    static inline int made = 0;
    explicit File(std::string_view text) { std::ofstream(name, std::ios::binary) << text; }
    ~File() { unlink(name.c_str()); }
};

} // namespace

TEST_CASE("ctl: what is put can be listed, got, counted and removed") {
    const auto cluster = ClusterByHand(2);
    const auto value = std::string("some bytes\0and more\xff", 21);
    const auto file = File(value);
    CHECK(cluster.json({"put", "a/1", "--file", file.name, "--replicas", "2"})["replicas"] == 2);
    CHECK(cluster.ctl({"put", "--file", file.name, "--", "-b"}).status == 0);
    cluster.refuses({"put", "a/1", "--file", file.name}, "exists: object 'a/1' is there already");
    const auto listed = cluster.json({"ls"});
    REQUIRE(listed.size() == 2);
    CHECK(listed[0]["key"] == "-b");
    CHECK(listed[1]["key"] == "a/1");
    CHECK(listed[1]["bytes"] == 21);
    CHECK(cluster.json({"ls", "a/"}).size() == 1);
    CHECK(cluster.ctl({"ls", "--limit", "1"}).err.find("there may be more") != std::string::npos);
    CHECK(cluster.ctl({"get", "a/1"}).out == value);
    const auto stat = cluster.json({"stat"});
    CHECK(stat["objects"] == 2);
    CHECK(stat["segments"].size() == 2);
    CHECK(stat["capacity_bytes"] == 2 * 8'388'608);
    CHECK(cluster.ctl({"stat"}).out.find("'node-1'  8388608 bytes") != std::string::npos);
    const auto removed = cluster.ctl({"rm", "a/1", "none", "--json"});
    CHECK(removed.status == 1);
    CHECK(removed.err.find("not_found: object 'none'") != std::string::npos);
    CHECK(nlohmann::json::parse(removed.out)[0]["outcome"] == "ok");
    cluster.refuses({"get", "a/1"}, "not_found: object 'a/1'");
}

TEST_CASE("ctl: tenants have their keys, a quota, and pins within it") {
    const auto cluster = ClusterByHand(1);
    const auto file = File(std::string(1'000, 'a'));
    const auto put = [&](std::string_view tenant, std::string_view key) {
        return cluster.ctl({"put", std::string(key), "--tenant", std::string(tenant), "--file", file.name});
    };
    CHECK(cluster.ctl({"quota", "a", "--bytes", "2000", "--pinned-bytes", "1000", "--weight", "3"}).status == 0);
    for (const auto* key : {"1", "2", "3"}) REQUIRE(put("a", key).status == 0);
    REQUIRE(put("b", "1").status == 0);
    const auto listed = cluster.json({"ls", "--tenant", "a"});
    REQUIRE(listed.size() == 2);
    CHECK(listed[0]["key"] == "2");
    CHECK(cluster.json({"ls"}).empty());
    CHECK(cluster.ctl({"pin", "2", "--hard", "--tenant", "a"}).status == 0);
    cluster.refuses({"pin", "3", "--hard", "--tenant", "a"},
                    "quota: object '3' of tenant a: tenant a has hard-pinned 1000 of the 1000 bytes that it may");
    CHECK(cluster.ctl({"pin", "3", "--seconds", "60", "--tenant", "a"}).status == 0);
    const auto told = cluster.json({"tenants"});
    REQUIRE(told.size() == 3);
    CHECK(told[0]["tenant"] == "");
    CHECK(told[1]["bytes"] == 2'000);
    CHECK(told[1]["quota_bytes"] == 2'000);
    CHECK(told[1]["pinned_bytes"] == 1'000);
    CHECK(told[1]["weight"] == 3);
    CHECK(told[1]["evictions"] == 1);
    CHECK(told[1]["refused"] == 1);
    CHECK(told[2]["tenant"] == "b");
    CHECK(told[2]["objects"] == 1);
    CHECK(cluster.ctl({"tenants"}).out.find("a  2000 of 2000 bytes  2 objects  1000 of 1000 bytes hard-pinned") !=
          std::string::npos);
    CHECK(cluster.ctl({"unpin", "2", "--tenant", "a"}).status == 0);
    CHECK(cluster.json({"tenants"})[1]["pinned_bytes"] == 0);
    cluster.refuses({"quota", "a b"}, "names no tenant");
    cluster.refuses({"ls", "--tenant", "a b"}, "ClientConfig::tenant is 'a b'");
}

TEST_CASE("ctl: put --replace replaces, and events tells what happened, a line each") {
    const auto cluster = ClusterByHand(1);
    const auto file = File("first"), other = File("the second");
    const auto first = cluster.json({"put", "k", "--file", file.name});
    const auto second = cluster.json({"put", "k", "--replace", "--file", other.name});
    CHECK(second["version"] > first["version"]);
    CHECK(cluster.ctl({"get", "k"}).out == "the second");
    CHECK(cluster.ctl({"rm", "k", "--force"}).status == 0);
    const auto told = cluster.ctl({"events", "--limit", "3"});
    CHECK(told.status == 0);
    auto lines = std::istringstream(told.out);
    auto events = std::vector<nlohmann::json>();
    for (auto line = std::string(); std::getline(lines, line);) events.push_back(nlohmann::json::parse(line));
    REQUIRE(events.size() == 3);
    CHECK(events[0]["event"] == "stored");
    CHECK(events[0]["key"] == "k");
    CHECK(events[1]["version"] == second["version"]);
    CHECK(events[1]["bytes"] == 10);
    CHECK(events[2]["event"] == "removed");
    CHECK(events[2]["sequence"] == 3);
}

TEST_CASE("ctl: a node is emptied by hand, or when it is told to stop, and nothing is lost") {
    auto cluster = ClusterByHand(2);
    const auto file = File("some bytes");
    for (auto i = 0; i < 20; ++i) {
        const auto put = Words{"put", "k" + std::to_string(i), "--file", file.name};
        REQUIRE(cluster.ctl(put).status == 0);
    }
    CHECK(cluster.json({"replicas", "k0", "--replicas", "2"})["replicas"] == 2);
    CHECK(cluster.json({"replicas", "k0", "--replicas", "1"})["replicas"] == 1);
    const auto drained = cluster.json({"drain", "node-0"});
    CHECK(drained["left"] == 0);
    CHECK(drained["objects"] > 0);
    cluster.refuses({"mv", "k0", "node-1"}, "no_space: object 'k0': not in another segment");
    CHECK(cluster.ctl({"undrain", "node-0"}).status == 0);
    CHECK(cluster.ctl({"mv", "k0", "node-1"}).status == 0);
    CHECK(cluster.ctl({"repair"}).out.find("objects copied") != std::string::npos);
    cluster.refuses({"drain", "node-9"}, "not_found: no segment 'node-9' is mounted, of 2");
    cluster.refuses({"mv", "k0", "node-9"}, "no segment 'node-9' is mounted");

    auto& going = *cluster.nodes[1];
    kill(going.pid(), SIGTERM);
    CHECK(going.finish().err.find("drained: ") != std::string::npos);
    CHECK(cluster.json({"stat"})["segments"].size() == 1);
    for (auto i = 0; i < 20; ++i) CHECK(cluster.ctl({"get", "k" + std::to_string(i)}).out == "some bytes");
    // The last has nowhere to go to, says so, and does not wait.
    kill(cluster.nodes[0]->pid(), SIGTERM);
    CHECK(cluster.nodes[0]->finish().err.find("replicas are left: not in another segment") != std::string::npos);
}

TEST_CASE("ctl: explain tells where an object is and what happened to it, and of one that is gone why") {
    const auto cluster = ClusterByHand(2);
    const auto file = File("first");
    const auto put = cluster.json({"put", "k", "--file", file.name, "--replicas", "2"});
    const auto all = cluster.json({"explain", "k"});
    CHECK(all["outcome"] == "ok");
    CHECK(all["bytes"] == 5);
    CHECK(all["version"] == put["version"]);
    REQUIRE(all["replicas"].size() == 2);
    for (const auto& replica : all["replicas"]) {
        CHECK(replica["opened"] == "ok");
        CHECK(!replica["ways"].empty());
    }
    CHECK(all["history"][0]["event"] == "stored");
    CHECK(cluster.ctl({"explain", "k"}).out.find("object 'k': 5 bytes, version ") == 0);
    CHECK(cluster.ctl({"rm", "k", "--force"}).status == 0);
    CHECK(cluster.json({"explain", "k"})["outcome"] == "not_found");
    CHECK(cluster.ctl({"explain", "k"}).out.find("object 'k': not there: it was removed, as somebody wished\n") == 0);
    cluster.refuses({"explain"}, "explain takes other words behind it");
}

TEST_CASE("ctl: bad input is answered with what was wrong and what would be right") {
    const auto cluster = ClusterByHand(1);
    cluster.refuses({}, "a command is needed: stat | ls [PREFIX]");
    cluster.refuses({"stats"}, "there is no command 'stats'");
    cluster.refuses({"get"}, "get takes other words behind it");
    cluster.refuses({"get", "k", "--json"}, "--json is for the other commands");
    cluster.refuses({"put", "k", "--file", "/no/such/file"}, "the file '/no/such/file' could not be read");
    cluster.refuses({"get", "k", "--replicas", "17"}, "--replicas is '17'; it takes a whole number from 1 to 16");
    auto none = Program({"mooncakectl", "--master", "127.0.0.1:1", "stat"});
    CHECK(none.finish().err.find("127.0.0.1:1: Connection refused") != std::string::npos);
    // The address of a node is not the master's.
    const auto locator = cluster.nodes.front()->said(".out");
    auto node = Program({"mooncakectl", "--master",
                         locator.substr(locator.find('@') + 1, locator.find('\n') - locator.find('@') - 1), "stat"});
    const auto output = node.finish();
    CHECK(output.status == 1);
    CHECK_MESSAGE(output.err.find("it is no master") != std::string::npos, output.err);
}

TEST_CASE("ctl: a node that dies is gone from the list, and what it alone held is lost") {
    auto cluster = ClusterByHand(1);
    const auto file = File("bytes");
    CHECK(cluster.ctl({"put", "k", "--file", file.name}).status == 0);
    kill(cluster.nodes.front()->pid(), SIGKILL);
    auto left = std::size_t{1};
    for (auto i = 0; i < 100 && left != 0; ++i, std::this_thread::sleep_for(std::chrono::milliseconds(50)))
        left = cluster.json({"stat"})["segments"].size();
    CHECK(left == 0);
    cluster.refuses({"get", "k"}, "lost: object 'k'");
}

TEST_CASE("ctl: a node that is reached at two addresses is one node") {
    auto cluster = ClusterByHand(0);
    auto node =
        Program({"mooncake_node", "--master", cluster.address, "--name", "node", "--bytes", "33554432", "--no-shm",
                 "--bind", "0.0.0.0", "--advertise", "127.0.0.1", "--also-advertise", "127.0.0.2,127.0.0.3"});
    (void)announced(node);
    auto text = std::string();
    for (auto i = 0; text.size() < 16'000'000; ++i) text += std::to_string(i) + " ";
    const auto file = File(text);
    CHECK(cluster.ctl({"put", "k", "--file", file.name}).status == 0);
    CHECK(cluster.ctl({"get", "k"}).out == text);
    auto wrong = Program({"mooncake_node", "--master", cluster.address, "--name", "other", "--also-advertise", "a[b"});
    CHECK(wrong.finish().err.find("other_hosts: 'a[b:1' is no address") != std::string::npos);
}

TEST_CASE("ctl: a cluster over TLS, which lets in nobody without a certificate") {
    const auto here = "/tmp/mooncake-ctl-tls-" + std::to_string(getpid());
    const auto made = "bash '" + std::string(std::getenv("MOONCAKE_SOURCE_DIR")) + "/examples/certificates.sh' " + here;
    REQUIRE(std::system((made + " >/dev/null").c_str()) == 0);
    const auto tls = Words{"--tls-authority", here + "/authority.pem", "--tls-certificate", here + "/member.pem",
                           "--tls-key",       here + "/member-key.pem"};
    {
        const auto cluster = ClusterByHand(1, tls, {"--no-shm"});
        const auto file = File("some bytes");
        const auto put = cluster.ctl({"put", "k", "--file", file.name});
        CHECK_MESSAGE(put.status == 0, put.err);
        CHECK(cluster.ctl({"get", "k"}).out == "some bytes");
        auto plain = Program({"mooncakectl", "--master", cluster.address, "get", "k"});
        const auto refused = plain.finish();
        CHECK(refused.status == 1);
        CHECK(refused.out.empty());
        auto half = Program({"mooncake_node", "--master", cluster.address, "--name", "other", "--tls-key", "k"});
        CHECK(half.finish().err.find("are given all three, or none") != std::string::npos);
        auto missing = Program(Words{"mooncake_master", "--tls-authority", "/no/such/file", "--tls-certificate",
                                     here + "/member.pem", "--tls-key", here + "/member-key.pem"});
        CHECK(missing.finish().err.find("/no/such/file") != std::string::npos);
    }
    std::filesystem::remove_all(here);
}
