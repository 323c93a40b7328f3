// labels: unit
#include <mooncake/store/tenant_key.hpp>

#include <doctest/doctest.h>

#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace mooncake::store;

TEST_CASE("tenant key: goes there and back, whatever bytes are in it") {
    auto random = std::mt19937_64(1);
    auto seen = std::set<std::string>();
    auto asked = std::set<std::pair<std::string, std::string>>();
    const auto pieces =
        std::vector<std::string_view>{"\xff", "tenant:", "a", "b", tenant_mark, "/", std::string_view("\0", 1)};
    for (auto i = 0; i < 20'000; ++i) {
        auto tenant = std::string(random() % 3, 'a');
        auto key = std::string();
        for (auto count = 1 + random() % 4; count != 0; --count) key += pieces[random() % pieces.size()];
        const auto whole = key_of_tenant(tenant, key);
        CHECK(is_well_formed_key(whole));
        CHECK(split_key(whole).tenant == tenant);
        CHECK(split_key(whole).key == key);
        if (asked.emplace(tenant, key).second) CHECK(seen.insert(whole).second); // no two are one
        if (tenant.empty() && !is_marked(key)) CHECK(whole == key);
        else CHECK(may_reach(prefix_of_tenant(tenant, ""), whole) == !prefix_of_tenant(tenant, "").empty());
        if (!tenant.empty()) CHECK(whole.starts_with(prefix_of_tenant(tenant, key.substr(0, key.size() / 2))));
        if (!tenant.empty()) CHECK_FALSE(whole.starts_with(prefix_of_tenant(tenant + "a", "")));
    }
    CHECK(key_of_tenant("a", "").empty());
}

TEST_CASE("tenant key: names") {
    for (const auto* name : {"a", "Team-7.prod_x", "0"}) CHECK(is_tenant_name(name));
    for (const auto* name : {"", "a b", "a/b", "\xff", "a\n", "a:b", "\xc3\xa4"}) CHECK_FALSE(is_tenant_name(name));
    CHECK(is_tenant_name(std::string(64, 'x')));
    CHECK_FALSE(is_tenant_name(std::string(65, 'x')));
}

TEST_CASE("tenant key: what only looks like one is not well formed") {
    const auto mark = std::string(tenant_mark);
    for (const auto& key : {mark, mark + "a", mark + "a\xff", mark + "\xff", mark + "a b\xffk"})
        CHECK_FALSE(is_well_formed_key(key));
    for (const auto& key : {mark + "\xffk", mark + "a\xffk", std::string("\xff"), std::string("\xfftenant")})
        CHECK(is_well_formed_key(key));
}
