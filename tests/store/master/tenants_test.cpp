// labels: unit
#include <mooncake/store/eviction/policies.hpp>
#include <mooncake/store/master/master.hpp>

#include "master_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using namespace mooncake;
using namespace mooncake::testing;

namespace {

using Fixture = MasterFixture<>;

std::string key(std::string_view tenant, std::string_view name) { return store::key_of_tenant(tenant, name); }

void set_quota(Fixture& f, const std::string& tenant, TenantQuota quota) {
    REQUIRE(f.master.handle(store::SetQuota{.tenant = tenant, .quota = quota}).has_value());
}
TenantInfo info(Fixture& f, const std::string& tenant) {
    auto all = f.master.handle(store::Tenants()).value();
    for (auto& one : all.tenants)
        if (one.tenant == tenant) return one;
    return {};
}
/// What the master says that tenants have is what they have, object by object.
void check_books(Fixture& f) {
    const auto said = f.master.handle(store::Tenants()).value();
    const auto counted = f.master.audit_tenants();
    for (const auto& one : said.tenants) {
        const auto same = std::find_if(counted.tenants.begin(), counted.tenants.end(),
                                       [&](const auto& other) { return other.tenant == one.tenant; });
        CAPTURE(one.tenant);
        if (same == counted.tenants.end()) {
            CHECK(one.bytes + one.objects + one.pinned_bytes == 0);
            continue;
        }
        CHECK(one.bytes == same->bytes);
        CHECK(one.objects == same->objects);
        CHECK(one.pinned_bytes == same->pinned_bytes);
    }
}

} // namespace

TEST_CASE("tenants: one at its quota evicts what is coldest of its own, and nothing of others") {
    auto f = Fixture(16);
    set_quota(f, "a", {.bytes = 4 * block});
    f.put("cold");
    for (auto i = 0; i < 4; ++i) f.put(key("a", std::to_string(i)));
    REQUIRE(f.read(key("a", "0")) == Errc::ok);
    REQUIRE(f.put(key("a", "new")).outcome == Errc::ok);
    CHECK(f.has("cold"));
    CHECK(f.has(key("a", "0")));
    CHECK_FALSE(f.has(key("a", "1")));
    CHECK(info(f, "a").bytes == 4 * block);
    CHECK(info(f, "a").evictions == 1);
    CHECK(info(f, "a").evicted_bytes == block);
    check_books(f);
}

TEST_CASE("tenants: the number of objects is a quota too") {
    auto f = Fixture(16);
    set_quota(f, "a", {.objects = 2});
    for (auto i = 0; i < 5; ++i) REQUIRE(f.put(key("a", std::to_string(i))).outcome == Errc::ok);
    CHECK(info(f, "a").objects == 2);
    CHECK(f.has(key("a", "4")));
    CHECK_FALSE(f.has(key("a", "2")));
    check_books(f);
}

TEST_CASE("tenants: a put beyond the quota fails with a sentence that says what there is, and evicts nothing") {
    auto f = Fixture(16);
    set_quota(f, "a", {.bytes = 4 * block, .pinned_bytes = 2 * block});
    f.put(key("a", "0"));
    SUBCASE("by its own size") {
        const auto reply = f.master.handle(PutStart{.keys = {key("a", "large")}, .sizes = {5 * block}}).value();
        CHECK(reply.objects[0].outcome == Errc::quota);
        CHECK(reply.quota.find("tenant a has 4096 of 16384 bytes in 1 objects") != std::string::npos);
        CHECK(f.has(key("a", "0")));
    }
    SUBCASE("as all of its own is leased") {
        for (auto i = 1; i < 4; ++i) f.put(key("a", std::to_string(i)));
        const auto lease = f.get({key("a", "0"), key("a", "1"), key("a", "2"), key("a", "3")}).lease;
        CHECK(f.start(key("a", "4")).outcome == Errc::quota);
        REQUIRE(f.master.handle(store::Release{.leases = {lease}}).has_value());
        CHECK(f.start(key("a", "4")).outcome == Errc::ok);
    }
    SUBCASE("as it may pin no more") {
        REQUIRE(f.put(key("a", "p0"), {.pin = store::Pin::hard}).outcome == Errc::ok);
        REQUIRE(f.put(key("a", "p1"), {.pin = store::Pin::hard}).outcome == Errc::ok);
        CHECK(f.start(key("a", "p2"), {.pin = store::Pin::hard}).outcome == Errc::quota);
        CHECK(info(f, "a").pinned_bytes == 2 * block);
        CHECK(f.start(key("a", "p2")).outcome == Errc::ok);
        REQUIRE(f.remove(key("a", "p0")) == Errc::ok);
        CHECK(info(f, "a").pinned_bytes == block);
        CHECK(f.start(key("a", "p3"), {.pin = store::Pin::hard}).outcome == Errc::ok);
    }
    SUBCASE("as others are full as well") {
        for (auto i = 0; i < 12; ++i) f.put("other" + std::to_string(i));
        CHECK(f.start(key("a", "large"), {.sizes = {5 * block}}).outcome == Errc::quota);
        for (auto i = 0; i < 12; ++i) CHECK(f.has("other" + std::to_string(i)));
    }
    CHECK(info(f, "a").refused >= 1);
    check_books(f);
}

TEST_CASE("tenants: the default one has a quota only where it is set") {
    auto f = Fixture(8);
    for (auto i = 0; i < 8; ++i) REQUIRE(f.put(std::to_string(i)).outcome == Errc::ok);
    CHECK(info(f, "").bytes == 8 * block);
    set_quota(f, "", {.bytes = 2 * block});
    CHECK(info(f, "").bytes == 8 * block); // until it puts again
    REQUIRE(f.put("next").outcome == Errc::ok);
    CHECK(info(f, "").bytes == 2 * block);
    CHECK(f.start("large", {.sizes = {3 * block}}).outcome == Errc::quota);
    check_books(f);
}

TEST_CASE("tenants: a flood of one-time data takes nothing from another's working set below its share") {
    auto f = Fixture(32);
    for (auto i = 0; i < 16; ++i) REQUIRE(f.put(key("calm", std::to_string(i))).outcome == Errc::ok);
    for (auto i = 0; i < 1'000; ++i) REQUIRE(f.put(key("flood", std::to_string(i))).outcome == Errc::ok);
    for (auto i = 0; i < 16; ++i) CHECK(f.has(key("calm", std::to_string(i))));
    CHECK(info(f, "flood").bytes == 16 * block);
    CHECK(info(f, "flood").evictions == 984);
    CHECK(info(f, "calm").evictions == 0);
    CHECK(info(f, "flood").taken == 0);
    check_books(f);
}

TEST_CASE("tenants: who has more than its share gives, as its weight says, and only down to it") {
    auto f = Fixture(32);
    for (auto i = 0; i < 32; ++i) REQUIRE(f.put(key("first", std::to_string(i))).outcome == Errc::ok);
    set_quota(f, "second", {.weight = 3});
    for (auto i = 0; i < 100; ++i) REQUIRE(f.put(key("second", std::to_string(i))).outcome == Errc::ok);
    CHECK(info(f, "first").bytes == 8 * block);
    CHECK(info(f, "first").taken == 24);
    CHECK(info(f, "second").bytes == 24 * block);
    for (auto i = 24; i < 32; ++i) CHECK(f.has(key("first", std::to_string(i)))); // its coldest went
    for (auto i = 32; i < 40; ++i) REQUIRE(f.put(key("first", std::to_string(i))).outcome == Errc::ok);
    CHECK(info(f, "first").bytes == 8 * block); // it is at its share: its own go
    CHECK(info(f, "second").bytes == 24 * block);
    check_books(f);
}

TEST_CASE("tenants: what nobody else uses one may have all of") {
    auto f = Fixture(32);
    set_quota(f, "a", {.weight = 1});
    set_quota(f, "b", {.weight = 100});
    for (auto i = 0; i < 40; ++i) REQUIRE(f.put(key("a", std::to_string(i))).outcome == Errc::ok);
    CHECK(info(f, "a").bytes == 32 * block);
}

TEST_CASE("tenants: one below its share is refused rather than taken from another below its own") {
    auto f = Fixture(8);
    for (auto i = 0; i < 4; ++i) REQUIRE(f.put(key("a", std::to_string(i))).outcome == Errc::ok);
    for (auto i = 0; i < 4; ++i) REQUIRE(f.put(key("b", std::to_string(i))).outcome == Errc::ok);
    const auto all = f.get({key("b", "0"), key("b", "1"), key("b", "2"), key("b", "3")});
    CHECK(f.start(key("b", "4")).outcome == Errc::no_space); // a has its half, and b's own are leased
    for (auto i = 0; i < 4; ++i) CHECK(f.has(key("a", std::to_string(i))));
    REQUIRE(f.master.handle(store::Release{.leases = {all.lease}}).has_value());
    CHECK(f.start(key("b", "4")).outcome == Errc::ok);
}

TEST_CASE("tenants: forged hints gain a tenant nothing beyond its own share") {
    struct Prefixes : ManualMaster {
        using Eviction = AnyEviction;
    };
    for (const auto& name : {"lru", "s3fifo", "prefix"}) {
        CAPTURE(name);
        auto clock = ManualClock();
        auto chosen = EvictionPolicies::named(name);
        REQUIRE(chosen.has_value());
        auto master =
            Master<Prefixes>({.segment_ttl = Duration::max()}, {.eviction = std::move(*chosen), .clock = clock});
        REQUIRE(master
                    .handle(store::SegmentMount{.name = "n",
                                                .generation = 1,
                                                .endpoint = "n:1",
                                                .offset = 1 << 20,
                                                .bytes = 32 * block,
                                                .read_key = 1,
                                                .write_key = 2})
                    .has_value());
        const auto put = [&](const std::string& k, std::uint64_t parent) {
            const auto reply =
                master.handle(PutStart{.keys = {k}, .sizes = {block}, .pin = store::Pin::none, .parents = {parent}});
            REQUIRE(reply.has_value());
            REQUIRE(reply->objects[0].outcome == Errc::ok);
            REQUIRE(master
                        .handle(store::PutEnd{
                            .objects = {{.key = k, .version = reply->objects[0].version, .checksums = {1}}}})
                        .has_value());
        };
        for (auto i = 0; i < 16; ++i) put(key("calm", std::to_string(i)), 0);
        for (auto i = 0; i < 500; ++i) // names what others have as its parents, and reads what it put
            put(key("flood", std::to_string(i)), hash_text(i % 2 == 0 ? key("calm", "3") : "3"));
        for (auto i = 0; i < 16; ++i)
            CHECK(master.handle(store::Query{.keys = {key("calm", std::to_string(i))}}).value().outcomes[0] ==
                  Errc::ok);
    }
}

TEST_CASE("tenants: the old object of an upsert counts until it is gone") {
    auto f = Fixture(16);
    set_quota(f, "a", {.bytes = 3 * block});
    f.put(key("a", "k"));
    f.put(key("a", "other"));
    const auto lease = f.get({key("a", "k")}).lease;
    const auto next = f.start(key("a", "k"), {.mode = WriteMode::upsert});
    REQUIRE(next.outcome == Errc::ok);
    CHECK(info(f, "a").bytes == 3 * block);
    REQUIRE(f.end(key("a", "k"), next.version) == Errc::ok);
    CHECK(info(f, "a").bytes == 3 * block); // somebody reads the old one
    CHECK(info(f, "a").objects == 2);
    check_books(f);
    CHECK(f.start(key("a", "more")).outcome == Errc::ok); // `other` goes
    CHECK_FALSE(f.has(key("a", "other")));
    CHECK(f.start(key("a", "yet more")).outcome == Errc::ok); // and `k` itself
    REQUIRE(f.master.handle(store::Release{.leases = {lease}}).has_value());
    f.master.expire();
    check_books(f);
}

TEST_CASE("tenants: what a compare-and-put replaces does not go for its sake, so that it fails for the quota and for "
          "nothing else") {
    auto f = Fixture(16);
    set_quota(f, "a", {.bytes = 3 * block});
    const auto first = f.put(key("a", "k"), {.sizes = {2 * block}});
    const auto again = PutStart{.sizes = {2 * block}, .mode = WriteMode::compare, .expected = {first.version}};
    CHECK(f.start(key("a", "k"), again).outcome == Errc::quota);
    CHECK(f.has(key("a", "k")));
    set_quota(f, "a", {.bytes = 4 * block});
    const auto second = f.start(key("a", "k"), again);
    REQUIRE(second.outcome == Errc::ok);
    REQUIRE(f.end(key("a", "k"), second.version) == Errc::ok);
    CHECK(info(f, "a").bytes == 2 * block);
    CHECK(f.put(key("a", "x"), {.sizes = {2 * block}}).outcome == Errc::ok); // it may go for others
    CHECK(f.put(key("a", "y"), {.sizes = {2 * block}}).outcome == Errc::ok);
    CHECK_FALSE(f.has(key("a", "k")));
    check_books(f);
}

TEST_CASE("tenants: every replica counts, a copy from its beginning on") {
    auto f = Fixture(8);
    (void)f.mount("node-2", 8);
    set_quota(f, "a", {.bytes = 3 * block});
    REQUIRE(f.put(key("a", "two"), {.replicas = 2}).outcome == Errc::ok);
    CHECK(info(f, "a").bytes == 2 * block);
    REQUIRE(f.put(key("a", "one")).outcome == Errc::ok);
    const auto copy_of = [&](const std::string& name, std::uint32_t replicas) {
        return f.master.handle(CopyStart{.keys = {key("a", name)}, .replicas = replicas}).value();
    };
    const auto copy = copy_of("one", 2); // `two` goes for it
    REQUIRE(copy.targets[0].outcome == Errc::ok);
    CHECK_FALSE(f.has(key("a", "two")));
    CHECK(info(f, "a").bytes == 2 * block);
    check_books(f);
    REQUIRE(f.put(key("a", "three")).outcome == Errc::ok);
    SUBCASE("it is done") {
        const auto done = f.master.handle(CopyEnd{
            .objects = {{.key = key("a", "one"), .version = copy.sources[0].version, .copy = copy.targets[0].version}},
            .lease = copy.lease});
        REQUIRE(done.value().outcomes[0] == Errc::ok);
        CHECK(info(f, "a").bytes == 3 * block);
        const auto more = copy_of("three", 2); // `one` goes for it
        REQUIRE(more.targets[0].outcome == Errc::ok);
        CHECK_FALSE(f.has(key("a", "one")));
    }
    SUBCASE("it fails") {
        const auto done = f.master.handle(CopyEnd{.objects = {{.key = key("a", "one"),
                                                               .version = copy.sources[0].version,
                                                               .copy = copy.targets[0].version,
                                                               .fate = store::CopyFate::failed}},
                                                  .lease = copy.lease});
        REQUIRE(done.value().outcomes[0] == Errc::ok);
        CHECK(info(f, "a").bytes == 2 * block);
    }
    SUBCASE("there is no room for it under the quota") {
        set_quota(f, "a", {.bytes = 2 * block});
        const auto refused = copy_of("three", 3);
        CHECK(refused.targets[0].outcome == Errc::quota);
        CHECK(refused.no_space.find("tenant a has") != std::string::npos);
        CHECK(f.has(key("a", "three")));
    }
    check_books(f);
}

TEST_CASE("tenants: who loses a node has its bytes back") {
    auto f = Fixture(8, {.segment_ttl = 1s});
    REQUIRE(f.put(key("a", "k"), {.sizes = {3 * block}}).outcome == Errc::ok);
    CHECK(info(f, "a").bytes == 3 * block);
    f.clock.advance(2s);
    f.master.expire();
    CHECK(info(f, "a").bytes == 0);
    CHECK(info(f, "a").objects == 0);
    check_books(f);
}

TEST_CASE("tenants: there are so many, and one that has nothing leaves its place to another") {
    auto config = MasterConfig{.segment_ttl = Duration::max()};
    config.limits.max_tenants = 3;
    config.tenants = {{.name = "kept", .quota = {.bytes = 4 * block}}};
    auto f = Fixture(16, config);
    CHECK(info(f, "kept").quota.bytes == 4 * block);
    REQUIRE(f.put(key("b", "k")).outcome == Errc::ok);
    const auto refused = f.master.handle(PutStart{.keys = {key("c", "k")}, .sizes = {block}}).value();
    CHECK(refused.objects[0].outcome == Errc::quota);
    CHECK(refused.quota ==
          "there are 3 tenants that have objects or a quota, which is the limit (Limits::max_tenants)");
    CHECK(f.master.handle(store::SetQuota{.tenant = "c"}).error() == Errc::quota);
    REQUIRE(f.remove(key("b", "k")) == Errc::ok);
    REQUIRE(f.put(key("c", "k")).outcome == Errc::ok);
    CHECK(info(f, "c").objects == 1);
    CHECK(info(f, "b").objects == 0);
    CHECK(f.has(key("c", "k")));
    set_quota(f, "kept", {}); // as any other from now on, and it has nothing
    REQUIRE(f.put(key("d", "k")).outcome == Errc::ok);
    check_books(f);
}

TEST_CASE("tenants: what a prefix or a pattern of nobody means is nobody's") {
    auto f = Fixture(16);
    f.put("mine");
    f.put(key("a", "mine"));
    auto listed = f.master.list({.prefix = ""}).value();
    REQUIRE(listed.objects.size() == 1);
    CHECK(listed.objects[0].key == "mine");
    listed = f.master.list({.prefix = "\xff"}).value();
    CHECK(listed.objects.empty());
    listed = f.master.list({.prefix = store::prefix_of_tenant("a", "m")}).value();
    REQUIRE(listed.objects.size() == 1);
    CHECK(listed.objects[0].key == key("a", "mine"));
    auto sweep = f.master.begin(store::RemoveMatching{.pattern = "*"}).value();
    while (f.master.go_on(sweep)) continue;
    CHECK(sweep.take().removed == 1);
    CHECK(f.has(key("a", "mine")));
}

TEST_CASE("tenants: wrong names and weights are refused") {
    auto f = Fixture(4);
    const auto put = [&](const std::string& k) { return f.master.handle(PutStart{.keys = {k}, .sizes = {1}}).error(); };
    CHECK(put(std::string(store::tenant_mark) + "a") == Errc::invalid_argument);
    CHECK(put(std::string(store::tenant_mark) + "a\xff") == Errc::invalid_argument);
    CHECK(put(std::string(store::tenant_mark) + "a b\xffk") == Errc::invalid_argument);
    CHECK(f.master.handle(store::SetQuota{.tenant = "a b"}).error() == Errc::invalid_argument);
    CHECK(f.master.handle(store::SetQuota{.tenant = "a", .quota = {.weight = 0}}).error() == Errc::invalid_argument);
    CHECK(f.master.handle(store::SetQuota{.tenant = "a", .quota = {.weight = 1'000'001}}).error() ==
          Errc::invalid_argument);
    auto config = MasterConfig{};
    config.tenants = {{.name = "no/name"}};
    CHECK(validate(config).error() == Errc::invalid_argument);
    config.tenants.assign(2, {.name = "a"});
    config.limits.max_tenants = 2;
    CHECK(validate(config).error() == Errc::invalid_argument);
}

TEST_CASE("tenants: whatever happens, the books are those of an audit, and nobody has more than its quota") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        auto random = std::mt19937_64(seed);
        auto f = Fixture(24, {.segment_ttl = 50ms, .skew = 5ms});
        (void)f.mount("node-2", 24);
        const auto names = std::vector<std::string>{"", "a", "b", "c"};
        set_quota(f, "a", {.bytes = 12 * block, .pinned_bytes = 3 * block});
        set_quota(f, "b", {.objects = 5, .weight = 3});
        auto open = std::vector<std::pair<std::string, std::uint64_t>>();
        auto leases = std::vector<std::uint64_t>();
        for (auto step = 0; step < 1'500; ++step) {
            CAPTURE(step);
            const auto name = key(names[random() % names.size()], std::to_string(random() % 12));
            switch (random() % 12) {
            default: {
                const auto started = f.start(name, {.sizes = {1 + random() % (3 * block)},
                                                    .replicas = static_cast<std::uint32_t>(1 + random() % 2),
                                                    .pin = random() % 20 == 0 ? store::Pin::hard : store::Pin::none,
                                                    .write_deadline_ms = 20,
                                                    .mode = random() % 2 == 0 ? WriteMode::create : WriteMode::upsert,
                                                    .ttl_ms = random() % 5 == 0 ? 30U : 0U});
                if (started.outcome == Errc::ok) open.emplace_back(name, started.version);
                break;
            }
            case 1:
            case 2:
            case 3:
            case 4: {
                if (open.empty()) break;
                const auto [at, version] = open.back();
                open.pop_back();
                if (random() % 5 == 0) (void)f.abort(at, version, WriterState::unknown);
                else (void)f.end(at, version);
                break;
            }
            case 5: leases.push_back(f.get({name}).lease); break;
            case 6:
                if (!leases.empty()) (void)f.master.handle(store::Release{.leases = {leases.back()}});
                if (!leases.empty()) leases.pop_back();
                break;
            case 7: (void)f.remove(name, random() % 2 == 0 ? RemoveMode::force : RemoveMode::unless_in_use); break;
            case 8: {
                const auto copy = f.master.handle(CopyStart{.keys = {name}, .replicas = 2, .write_deadline_ms = 20});
                if (random() % 3 == 0 || copy->targets[0].outcome != Errc::ok) break;
                (void)f.master.handle(CopyEnd{
                    .objects = {{.key = name, .version = copy->sources[0].version, .copy = copy->targets[0].version}},
                    .lease = copy->lease});
                break;
            }
            case 9:
                f.clock.advance(std::chrono::milliseconds(random() % 20));
                f.master.expire();
                (void)f.master.handle(store::SegmentMount{.name = random() % 2 == 0 ? "node-1" : "node-2",
                                                          .generation = 1,
                                                          .endpoint = "here:1",
                                                          .offset = 1 << 20,
                                                          .bytes = 24 * block,
                                                          .read_key = 1,
                                                          .write_key = 2});
                break;
            }
            if (step % 10 != 0) continue;
            check_books(f);
            CHECK(info(f, "a").bytes <= 12 * block);
            CHECK(info(f, "a").pinned_bytes <= 3 * block);
            CHECK(info(f, "b").objects <= 5);
        }
    }
}
