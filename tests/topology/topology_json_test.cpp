#include <mooncake/topology/discover.hpp>
#include <mooncake/topology/topology_json.hpp>

#include "topology/tree.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <string>

namespace mooncake {
namespace {

std::string refusal(std::string_view text) {
    const auto matrix = matrix_from_json(text);
    return matrix ? "accepted" : matrix.error().message();
}

TEST_CASE("topology json: a matrix goes there and back") {
    const auto tree = test::Tree(test::Tree::recorded("two_sockets"));
    const auto matrix = priority_matrix(discover(tree.root(), {}));
    const auto back = matrix_from_json(to_json(matrix).dump());
    REQUIRE(back.has_value());
    CHECK(*back == matrix);
    const auto written = matrix_from_json(R"({"cpu:0": [["mlx5_0", "mlx5_1"], []], "*": [[], ["eth0"]]})");
    REQUIRE(written.has_value());
    CHECK(find_priority(*written, "cpu:0")->preferred == std::vector<std::string>{"mlx5_0", "mlx5_1"});
    CHECK(find_priority(*written, "cpu:1")->secondary == std::vector<std::string>{"eth0"});
}

TEST_CASE("topology json: all of a machine") {
    const auto tree = test::Tree(test::Tree::recorded("laptop"));
    const auto json = to_json(discover(tree.root(), {{"wlp0s20f3", "192.168.1.5"}}));
    CHECK(json["nodes"][0]["cpus"].size() == 8);
    CHECK(json["priority_matrix"]["cpu:0"][0][0] == "wlp0s20f3");
    auto found = false;
    for (const auto& device : json["devices"])
        if (device["name"] == "wlp0s20f3")
            found = device["addresses"][0] == "192.168.1.5" && device["numa_node"].is_null();
    CHECK(found);
}

TEST_CASE("topology json: what is no matrix is refused, and the sentence says why") {
    CHECK(refusal("{}") == "accepted");
    for (const auto* text : {"", "[", "[]", "null", "{\"cpu:0\": [[", "\xff\xfe", "{\"cpu:0\": [[],[]]} x"})
        CHECK_MESSAGE(refusal(text).find("no JSON object of that form") != std::string::npos, text);
    CHECK(refusal(std::string(100'000, '[')).find("no JSON object") != std::string::npos);
    CHECK(refusal(R"({"a": [[], []], "a": [[], []]})").find("'a' is there twice") != std::string::npos);
    CHECK(refusal(R"({"a": [[]]})").find("'a' has not two lists") != std::string::npos);
    CHECK(refusal(R"({"a": {"x": []}})").find("has not two lists") != std::string::npos);
    CHECK(refusal(R"({"a": [["x"], ["x"]]})").find("'a' lists 'x' twice") != std::string::npos);
    CHECK(refusal(R"({"a": [[7], []]})").find("no name") != std::string::npos);
    CHECK(refusal(R"({"a": [[""], []]})").find("no name") != std::string::npos);
    CHECK(refusal(R"({"a": ["x", []]})").find("no list") != std::string::npos);
    CHECK(refusal(R"({"": [[], []]})").find("a location has no name") != std::string::npos);
    CHECK(refusal(R"({"a": [["\n\u0007"], ["\n\u0007"]]})").find('\n') == std::string::npos);
    CHECK(matrix_from_json(std::string(2 * MiB, ' ')).error() == Errc::too_large);
    auto many = std::string("{");
    for (int i = 0; i < 1'025; ++i) many += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\": [[], []]";
    CHECK(refusal(many + "}").find("more than 1024 locations") != std::string::npos);
}

TEST_CASE("topology json: files") {
    CHECK(matrix_from_file("/nowhere/at/all").error() == Errc::not_found);
    const auto tree = test::Tree("good = {\"cpu:0\": [[\"eth0\"], []]}\nbad = {\"cpu:0\": 1}\n");
    CHECK(matrix_from_file((tree.root() / "good").string()).has_value());
    const auto bad = matrix_from_file((tree.root() / "bad").string());
    CHECK(bad.error().message().find("bad': the matrix of devices: 'cpu:0' has not two lists") != std::string::npos);
}

} // namespace
} // namespace mooncake
