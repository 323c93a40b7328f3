// labels: unit
#include <mooncake/serving/index/service_json.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace mooncake;
using Json = nlohmann::json;

namespace {

constexpr auto node = R"({"modelname": "m", "instance_id": "a", "block_size": 2, "dp_rank": 0})";

Json done(IndexService& service, std::string_view path, const Json& body) {
    const auto answer = service.answer("POST", path, body.dump());
    REQUIRE_MESSAGE(answer.status == 200, answer.body);
    return Json::parse(answer.body);
}
void refuses(IndexService& service, std::string_view path, const std::string& body, unsigned status,
             std::string_view says) {
    const auto answer = service.answer("POST", path, body);
    CHECK_MESSAGE(answer.status == status, body << " " << answer.body);
    CHECK_MESSAGE(Json::parse(answer.body)["error"].get<std::string>().find(says) != std::string::npos, answer.body);
}
Json event(std::uint64_t id, const char* type, std::vector<std::uint64_t> hashes, const char* medium = "gpu") {
    return {{"event_id", id},         {"event_type", type},  {"model_name", "m"}, {"block_size", 2},
            {"backend_id", "a"},      {"medium", medium},    {"dp_rank", 0},      {"seq_hashes", hashes},
            {"tenant_id", "default"}, {"lora_name", nullptr}};
}
Json by_hash(std::vector<std::uint64_t> hashes) { return {{"model", "m"}, {"block_size", 2}, {"seq_hashes", hashes}}; }

} // namespace

TEST_CASE("index service: what a publisher stored is found by its tokens, by medium and rank, until it is removed") {
    auto service = IndexService();
    CHECK(done(service, "/register", Json::parse(node))["instance_id"] == "a");
    auto second = Json::parse(node);
    second["dp_rank"] = 1;
    done(service, "/register", second);
    // As the RFC hashes: a block's tokens, then the hash before and that.
    const auto block = [](std::uint32_t a, std::uint32_t b) {
        const std::uint32_t tokens[] = {a, b};
        return hash_bytes(std::as_bytes(std::span(tokens)), 0);
    };
    const std::uint64_t pair[] = {block(1, 2), block(3, 4)};
    const auto first = pair[0], next = hash_bytes(std::as_bytes(std::span(pair)), 0);
    CHECK(done(service, "/events", event(1, "stored", {first}))["applied"] == 1);
    CHECK(done(service, "/events", Json::array({event(1, "stored", {first, next}, "CPU")}))["applied"] == 1);
    const auto asked = Json{{"model", "m"}, {"block_size", 2}, {"token_ids", {1, 2, 3, 4, 5}}};
    auto found = done(service, "/query", asked)["default"]["a"];
    CHECK(found["longest_matched"] == 4);
    CHECK(found["GPU"] == 2);
    CHECK(found["CPU"] == 4);
    CHECK(found["DISK"] == 0);
    CHECK(found["DP"] == Json{{"0", 4}, {"1", 0}});
    done(service, "/events", event(2, "removed", {next}, "cpu"));
    done(service, "/events", event(3, "removed", {first}, "cpu"));
    done(service, "/events", event(1, "stored", {next}, "disk")); // it goes on in another medium
    found = done(service, "/query", asked)["default"]["a"];
    CHECK(found["longest_matched"] == 4);
    CHECK(found["CPU"] == 0);
    CHECK(found["DISK"] == 0);
    done(service, "/events", event(2, "cleared", {}));
    CHECK(done(service, "/query", asked)["default"]["a"]["longest_matched"] == 0);
    auto other = asked;
    other["tenant_id"] = "somebody";
    CHECK(done(service, "/query", other) == Json{{"somebody", Json::object()}});
    other = asked;
    other["instance_id"] = "b";
    CHECK(done(service, "/query", other)["default"].empty());
}

TEST_CASE("index service: events wait for those before them, and who is behind registers again") {
    auto service = IndexService();
    done(service, "/register", Json::parse(node));
    CHECK(done(service, "/events", event(2, "stored", {8}))["waiting"] == 1);
    CHECK(done(service, "/query_by_hash", by_hash({7, 8}))["default"]["a"]["longest_matched"] == 0);
    done(service, "/events", event(1, "stored", {7}));
    CHECK(done(service, "/query_by_hash", by_hash({7, 8}))["default"]["a"]["longest_matched"] == 4);
    CHECK(done(service, "/events", event(2, "stored", {8}))["repeated"] == 1);
    for (std::uint64_t id = 4; id < 68; ++id) done(service, "/events", event(id, "stored", {id}));
    refuses(service, "/events", event(68, "stored", {9}).dump(), 409, "register again");
    CHECK(done(service, "/query_by_hash", by_hash({7, 8}))["default"]["a"]["longest_matched"] == 0);
    done(service, "/register", Json::parse(node));
    done(service, "/events", event(1, "stored", {7}));
    CHECK(done(service, "/query_by_hash", by_hash({7, 8}))["default"]["a"]["longest_matched"] == 2);
}

TEST_CASE("index service: who unregisters is gone with all that it held, and others stay") {
    auto service = IndexService();
    done(service, "/register", Json::parse(node));
    auto other = Json::parse(node);
    other["instance_id"] = "b";
    done(service, "/register", other);
    done(service, "/events", event(1, "stored", {7}));
    CHECK(service.blocks() == 1);
    CHECK(done(service, "/unregister", {{"instance_id", "a"}})["removed_instances"] == Json{"a|default|0"});
    CHECK(service.blocks() == 0);
    const auto left = done(service, "/query_by_hash", by_hash({7}))["default"];
    CHECK(left.size() == 1);
    CHECK(left["b"]["longest_matched"] == 0);
    refuses(service, "/unregister", R"({"instance_id": "a"})", 404, "nobody registered");
    refuses(service, "/events", event(2, "stored", {7}).dump(), 404, "did not register");
}

TEST_CASE("index service: hostile input is refused by its field, and changes nothing") {
    auto service = IndexService({.groups = 1, .publishers = 2, .blocks_at_once = 4, .most_blocks = 5});
    done(service, "/register", Json::parse(node));
    CHECK(service.answer("GET", "/query", "").status == 405);
    CHECK(service.answer("POST", "/secrets", "{}").status == 404);
    for (const auto path : {"/register", "/unregister", "/query", "/query_by_hash", "/events"})
        for (const auto* body : {"", "{", "[[[[", "7", "\"x\"", "null", "{}", "\xff\xfe", R"({"instance_id": 3})"}) {
            const auto answer = service.answer("POST", path, body);
            CHECK_MESSAGE(answer.status == 400, path << " " << body);
        }
    CHECK(service.answer("POST", "/events", "[]").status == 200);
    CHECK(service.answer("POST", "/query", std::string(100'000, '[')).status == 400);
    refuses(service, "/register", R"({"modelname": "m", "instance_id": "a", "block_size": 0, "dp_rank": 0})", 400,
            "block_size");
    refuses(service, "/register", R"({"modelname": "m", "instance_id": "a", "block_size": 2, "dp_rank": -1})", 400,
            "dp_rank");
    refuses(service, "/register", R"({"modelname": ")" + std::string(300, 'x') + R"("})", 400, "modelname");
    refuses(service, "/register", R"({"modelname": "n", "instance_id": "a", "block_size": 2, "dp_rank": 0})", 507,
            "groups");
    refuses(service, "/query", R"({"model": "m", "block_size": 2, "token_ids": [1, 2.5]})", 400, "token_ids[1]");
    refuses(service, "/query", R"({"model": "m", "block_size": 2, "token_ids": [4294967296]})", 400, "32 bits");
    refuses(service, "/query", R"({"model": "m", "block_size": 2, "token_ids": [1,1,1,1,1,1,1,1,1]})", 413,
            "8 numbers");
    refuses(service, "/query", R"({"model": "m", "block_size": 2})", 400, "seq_hashes");
    refuses(service, "/events", event(1, "stored", {1, 2, 3, 4, 5}).dump(), 413, "seq_hashes");
    refuses(service, "/events", event(1, "lost", {1}).dump(), 400, "event_type");
    refuses(service, "/events", event(1, "stored", {1}, "tape").dump(), 400, "medium");
    refuses(service, "/events", Json::array({event(1, "stored", {1}), 5}).dump(), 400, "after 1");
    done(service, "/events", event(2, "stored", {2, 3, 4, 5}));
    refuses(service, "/events", event(3, "stored", {6}).dump(), 507, "5 blocks");
    auto more = Json::parse(node);
    more["dp_rank"] = 1;
    done(service, "/register", more);
    more["dp_rank"] = 2;
    refuses(service, "/register", more.dump(), 507, "publishers");
    CHECK(service.blocks() == 5);
}
