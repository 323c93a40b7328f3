// labels: cluster
// mooncake_topology, as one would run it.
#include "program.hpp"
#include "topology/tree.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

using namespace mooncake::test;

namespace {

Output topology(std::vector<std::string> words) {
    words.insert(words.begin(), "mooncake_topology");
    return Program(std::move(words)).finish();
}

TEST_CASE("mooncake_topology: a recorded machine as a table and as JSON, whose matrix it reads again") {
    const auto tree = Tree(Tree::recorded("two_sockets"));
    const auto table = topology({"--root", tree.root().string()});
    CHECK(table.status == 0);
    CHECK_MESSAGE(table.out.find("cpu:1          64    1007.9 GiB  21 10") != std::string::npos, table.out);
    CHECK(table.out.find("mlx5_6           rdma  down  1") != std::string::npos);
    CHECK(table.out.find("mlx5_0 mlx5_1 mlx5_2 mlx5_3") != std::string::npos);

    auto json = nlohmann::json::parse(topology({"--json", "--root", tree.root().string()}).out);
    CHECK(json["priority_matrix"]["cpu:1"][0].size() == 3);
    const auto file = (tree.root() / "matrix.json").string();
    std::ofstream(file) << nlohmann::json{{"cpu:0", {{"mlx5_7", "mlx5_9"}, nlohmann::json::array()}}};
    const auto overridden = topology({"--json", "--root", tree.root().string(), "--matrix", file});
    CHECK(nlohmann::json::parse(overridden.out)["priority_matrix"]["cpu:0"][0][0] == "mlx5_7");
    CHECK(overridden.err.find("names the device 'mlx5_9', which is not here") != std::string::npos);
}

TEST_CASE("mooncake_topology: this machine; and what it cannot do, it says") {
    const auto here = nlohmann::json::parse(topology({"--json"}).out);
    CHECK(here["nodes"].size() >= 1);
    CHECK(topology({"--matrix", "/nowhere"}).err.find("cannot read '/nowhere'") != std::string::npos);
    CHECK(topology({"--matrix", "/nowhere"}).status == 1);
    CHECK(topology({"--what"}).err.find("there is no option '--what'") != std::string::npos);
}

} // namespace
