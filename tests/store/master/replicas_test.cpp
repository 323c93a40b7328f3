#include "master_fixture.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

using namespace mooncake;
using namespace mooncake::testing;

namespace {

/// Several segments, and the words of who copies.
struct Fixture : MasterFixture<> {
    explicit Fixture(unsigned segments, std::uint64_t blocks = 64) : MasterFixture(0) {
        for (unsigned i = 0; i < segments; ++i) ids.push_back(mount("node-" + std::to_string(i), blocks));
    }

    CopyStartReply copy(const std::string& key, CopyStart wanted) {
        wanted.keys = {key};
        return master.handle(wanted).value();
    }
    /// What `started` allows is written, and said; gives the replicas there are.
    std::uint32_t finish(const std::string& key, const CopyStartReply& started, CopyFate fate = CopyFate::written,
                         Errc expected = Errc::ok) {
        const auto end = CopyEnd{.objects = {{.key = key,
                                              .version = started.sources.at(0).version,
                                              .copy = started.targets.at(0).version,
                                              .fate = fate}},
                                 .lease = started.lease,
                                 .term = started.term};
        const auto ended = master.handle(end).value();
        CHECK(ended.outcomes.at(0) == expected);
        return ended.replicas.at(0);
    }
    /// The segments that hold it, without touching it.
    std::vector<std::uint32_t> where(const std::string& key) {
        auto found = std::vector<std::uint32_t>();
        master.audit([&](std::string_view name, const ObjectDescriptor& object) {
            for (const auto& replica : object.replicas)
                if (name == key) found.push_back(replica.segment);
        });
        std::sort(found.begin(), found.end());
        return found;
    }
    std::uint64_t free_blocks() { return master.stats().free_bytes / block; }
    std::vector<std::string> survey(std::uint32_t of, std::uint32_t limit = 1000) {
        auto all = std::vector<std::string>();
        auto message = Survey{.segment = of, .limit = limit};
        do {
            const auto page = master.handle(message).value();
            for (const auto& object : page.objects) all.push_back(object.key);
            message.from = page.next;
        } while (message.from != 0);
        std::sort(all.begin(), all.end());
        return all;
    }
    DrainReply drain(std::uint32_t which, DrainMode mode = DrainMode::begin) {
        return master.handle(Drain{.segment = which, .generation = 1, .mode = mode}).value();
    }

    std::vector<std::uint32_t> ids;
};

} // namespace

TEST_CASE("master: a copy is a replica once it is written, and counts for space from its start") {
    auto f = Fixture(2);
    REQUIRE(f.put("k").outcome == Errc::ok);
    const auto home = f.where("k").at(0);
    const auto started = f.copy("k", {.replicas = 2});
    REQUIRE(started.targets.at(0).outcome == Errc::ok);
    REQUIRE(started.targets.at(0).replicas.size() == 1);
    CHECK(started.targets.at(0).replicas[0].segment != home);
    CHECK(started.targets.at(0).replicas[0].key == 22);
    CHECK(started.sources.at(0).replicas[0].key == 11);
    CHECK(started.lease != 0);
    CHECK(f.where("k").size() == 1);
    CHECK(f.free_blocks() == 126);
    CHECK(f.master.stats().writing_bytes == block);
    CHECK(f.finish("k", started) == 2);
    CHECK(f.where("k") == f.ids);
    CHECK(f.master.stats().writing_bytes == 0);
    CHECK(f.master.stats().leases == 0);
    // Enough is no work; fewer lets the rest go at once, where nobody reads.
    CHECK(f.copy("k", {.replicas = 2}).targets.at(0).outcome == Errc::exists);
    CHECK(f.free_blocks() == 126);
    CHECK(f.copy("k", {.replicas = 1}).targets.at(0).outcome == Errc::exists);
    CHECK(f.where("k").size() == 1);
    CHECK(f.free_blocks() == 127);
    REQUIRE(f.remove("k") == Errc::ok);
    CHECK(f.free_blocks() == 128);
}

TEST_CASE("master: a moved object is read where it was until its readers are done, and offered where it is") {
    auto f = Fixture(2);
    REQUIRE(f.put("k").outcome == Errc::ok);
    const auto home = f.where("k").at(0);
    const auto reader = f.get({"k"});
    CHECK(f.finish("k", f.copy("k", {.leaving = {home}})) == 1);
    const auto now = f.where("k");
    REQUIRE(now.size() == 1);
    CHECK(now[0] != home);
    CHECK(f.get({"k"}).objects.at(0).replicas[0].segment == now[0]);
    CHECK(f.free_blocks() == 126); // the reader has its bytes still
    CHECK(f.drain(home).extents == 1);
    REQUIRE(f.master.handle(Release{{reader.lease}}).has_value());
    f.clock.advance(1min); // and the other one's lease ends
    CHECK(f.drain(home).extents == 0);
    CHECK(f.free_blocks() == 127);
}

TEST_CASE("master: a drained segment takes nothing, and a survey tells what lies there") {
    auto f = Fixture(3);
    auto keys = std::set<std::string>();
    for (auto i = 0; i < 30; ++i) {
        keys.insert("k" + std::to_string(i));
        REQUIRE(f.put("k" + std::to_string(i)).outcome == Errc::ok);
    }
    const auto there = f.survey(f.ids[0]);
    REQUIRE_FALSE(there.empty());
    CHECK(f.survey(f.ids[0], 1) == there); // in however many pages
    CHECK(f.survey(f.ids[0], 7) == there);
    CHECK(f.survey(0).empty());
    CHECK(f.drain(f.ids[0]).extents == there.size());
    CHECK(f.survey(0) == there); // they are to be somewhere else
    for (auto i = 0; i < 30; ++i) REQUIRE(f.put("l" + std::to_string(i)).outcome == Errc::ok);
    CHECK(f.survey(f.ids[0]) == there);
    for (const auto& key : there) CHECK(f.finish(key, f.copy(key, {.leaving = {f.ids[0]}})) == 1);
    CHECK(f.survey(f.ids[0]).empty());
    CHECK(f.survey(0).empty());
    CHECK(f.drain(f.ids[0], DrainMode::end).extents == 0);
    auto used = std::set<std::uint32_t>();
    for (auto i = 0; i < 30; ++i) {
        const auto put = f.put("m" + std::to_string(i));
        REQUIRE(put.outcome == Errc::ok);
        used.insert(put.replicas[0].segment);
    }
    CHECK(used.contains(f.ids[0]));
    CHECK_FALSE(f.master.handle(Drain{.segment = 99, .generation = 1}).has_value());
    CHECK_FALSE(f.master.handle(Drain{.segment = f.ids[0], .generation = 2}).has_value());
}

TEST_CASE("master: what lost a replica with its node is found until it has it again") {
    auto f = Fixture(3);
    for (auto i = 0; i < 10; ++i) REQUIRE(f.put("k" + std::to_string(i), {.replicas = 2}).outcome == Errc::ok);
    CHECK(f.survey(0).empty());
    REQUIRE(f.master.handle(Unmount{.segment = f.ids[0], .generation = 1}).has_value());
    const auto hurt = f.survey(0);
    REQUIRE_FALSE(hurt.empty());
    CHECK(f.survey(0) == hurt); // found is not mended
    for (const auto& key : hurt) CHECK(f.finish(key, f.copy(key, {})) == 2);
    CHECK(f.survey(0).empty());
    // With one segment left there is nothing that could be done, until there is another.
    REQUIRE(f.master.handle(Unmount{.segment = f.ids[1], .generation = 1}).has_value());
    CHECK(f.survey(0).empty());
    CHECK(f.copy("k1", {}).targets.at(0).outcome == Errc::no_space);
    (void)f.mount("new", 64);
    CHECK(f.survey(0).size() == 10);
}

TEST_CASE("master: a replica that was found bad is one too few, and its space comes back") {
    auto f = Fixture(2);
    REQUIRE(f.put("k", {.replicas = 2}).outcome == Errc::ok);
    const auto got = f.get({"k"});
    const auto& bad = got.objects.at(0).replicas[0];
    REQUIRE(f.master
                .handle(ReportBad{.replicas = {{.key = "k",
                                                .version = got.objects.at(0).version,
                                                .segment = bad.segment,
                                                .epoch = bad.epoch}}})
                .has_value());
    CHECK(f.free_blocks() == 126);
    REQUIRE(f.master.handle(Release{{got.lease}}).has_value());
    (void)f.master.expire();
    CHECK(f.free_blocks() == 127);
    REQUIRE(f.survey(0) == std::vector<std::string>{"k"});
    CHECK(f.finish("k", f.copy("k", {})) == 2);
    CHECK(f.where("k") == f.ids);
}

TEST_CASE("master: a copy of what went, of what was replaced, or that comes too late, is none and leaves nothing") {
    auto f = Fixture(2);
    REQUIRE(f.put("k").outcome == Errc::ok);
    SUBCASE("removed") {
        const auto started = f.copy("k", {.replicas = 2});
        REQUIRE(f.remove("k", RemoveMode::force) == Errc::ok);
        f.finish("k", started, CopyFate::written, Errc::not_found);
        CHECK_FALSE(f.has("k"));
        (void)f.master.expire();
        CHECK(f.free_blocks() == 128);
    }
    SUBCASE("replaced") {
        const auto started = f.copy("k", {.replicas = 2});
        REQUIRE(f.put("k", {.mode = WriteMode::upsert}).outcome == Errc::ok);
        f.finish("k", started, CopyFate::written, Errc::not_found);
        CHECK(f.where("k").size() == 1);
        (void)f.master.expire();
        CHECK(f.free_blocks() == 127);
    }
    SUBCASE("late") {
        const auto started = f.copy("k", {.replicas = 2, .write_deadline_ms = 100});
        f.clock.advance(100ms);
        f.finish("k", started, CopyFate::written, Errc::lease_expired);
        CHECK(f.where("k").size() == 1);
        f.clock.advance(1min);
        (void)f.master.expire();
        CHECK(f.free_blocks() == 127);
    }
    SUBCASE("never said") {
        const auto started = f.copy("k", {.replicas = 2, .write_deadline_ms = 100});
        CHECK(f.copy("k", {.replicas = 2}).targets.at(0).outcome == Errc::being_written);
        f.clock.advance(100ms);
        (void)f.master.expire();
        CHECK(f.free_blocks() == 126); // who copied may be writing still
        f.clock.advance(1min);
        (void)f.master.expire();
        CHECK(f.free_blocks() == 127);
        CHECK(f.finish("k", f.copy("k", {.replicas = 2})) == 2);
        f.finish("k", started, CopyFate::written, Errc::lease_expired);
        CHECK(f.where("k").size() == 2);
    }
    SUBCASE("failed") {
        const auto started = f.copy("k", {.replicas = 2});
        f.finish("k", started, CopyFate::failed);
        CHECK(f.free_blocks() == 127);
        CHECK(f.survey(0) == std::vector<std::string>{"k"}); // two were wanted
    }
    SUBCASE("of another version") {
        const auto started = f.copy("k", {.versions = {12345}, .replicas = 2});
        CHECK(started.targets.at(0).outcome == Errc::conflict);
        CHECK(started.lease == 0);
    }
    SUBCASE("its new segment died") {
        const auto started = f.copy("k", {.replicas = 2});
        REQUIRE(f.master.handle(Unmount{.segment = started.targets.at(0).replicas[0].segment, .generation = 1})
                    .has_value());
        f.finish("k", started, CopyFate::written, Errc::lost);
        CHECK(f.where("k").size() == 1);
        CHECK(f.free_blocks() == 63);
    }
}

TEST_CASE("master: room is made for a copy as for a put, but not by what is copied") {
    auto f = Fixture(2, 4);
    for (auto i = 0; i < 8; ++i) REQUIRE(f.put("k" + std::to_string(i)).outcome == Errc::ok);
    CHECK(f.free_blocks() == 0);
    // The oldest, which would be the first to go.
    const auto started = f.copy("k0", {.replicas = 2});
    REQUIRE(started.targets.at(0).outcome == Errc::ok);
    CHECK(f.finish("k0", started) == 2);
    CHECK(f.has("k0"));
    CHECK(f.master.stats().evictions >= 1);
    // And it was not touched: it is still the first to go.
    REQUIRE(f.put("new").outcome == Errc::ok);
    CHECK_FALSE(f.has("k0"));
}

TEST_CASE("master: so many are answered as may be copied at once, and at least one") {
    auto f = Fixture(2);
    for (auto i = 0; i < 5; ++i) REQUIRE(f.put("k" + std::to_string(i)).outcome == Errc::ok);
    const auto ask = [&](std::uint64_t max_bytes) {
        const auto wanted = CopyStart{.keys = {"k0", "k1", "gone", "k2"}, .replicas = 2, .max_bytes = max_bytes};
        return f.master.handle(wanted).value();
    };
    const auto two = ask(2 * block);
    REQUIRE(two.targets.size() == 3);
    CHECK(two.targets[2].outcome == Errc::not_found);
    for (const auto i : {0U, 1U})
        REQUIRE(f.master
                    .handle(CopyEnd{.objects = {{.key = "k" + std::to_string(i),
                                                 .version = two.sources[i].version,
                                                 .copy = two.targets[i].version,
                                                 .fate = CopyFate::failed}},
                                    .lease = two.lease})
                    .has_value());
    CHECK(ask(1).targets.size() == 1);
    CHECK_FALSE(f.master.handle(CopyStart{.keys = {"a"}, .versions = {1, 2}}).has_value());
    CHECK_FALSE(f.master.handle(CopyStart{.keys = {"a"}, .replicas = 1000}).has_value());
    CHECK_FALSE(f.master.handle(CopyStart{.keys = {"a"}, .write_deadline_ms = 0}).has_value());
    CHECK_FALSE(f.master.handle(Survey{.limit = 0}).has_value());
    CHECK_FALSE(f.master.handle(Survey{.segment = 1, .from = ~std::uint64_t{0}}).value().next);
}

TEST_CASE("master: whatever is copied, moved, removed and lost, no space is lost and none given twice") {
    auto f = Fixture(4, 32);
    auto random = std::uint64_t{88172645463325252};
    const auto draw = [&](std::uint64_t below) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        return random % below;
    };
    auto open = std::vector<std::pair<std::string, CopyStartReply>>();
    auto leases = std::vector<std::uint64_t>();
    for (auto i = 0; i < 20'000; ++i) {
        const auto key = "k" + std::to_string(draw(60));
        switch (draw(9)) {
        case 0:
        case 1:
            (void)f.put(key, {.replicas = static_cast<std::uint32_t>(1 + draw(3)), .mode = WriteMode::upsert});
            break;
        case 2: (void)f.remove(key, draw(2) != 0 ? RemoveMode::force : RemoveMode::unless_in_use); break;
        case 3: leases.push_back(f.get({key}).lease); break;
        case 4:
            if (leases.empty()) break;
            (void)f.master.handle(Release{{leases.back()}});
            leases.pop_back();
            break;
        case 5:
        case 6: {
            auto started =
                f.copy(key, {.replicas = static_cast<std::uint32_t>(draw(4)),
                             .leaving = draw(2) != 0 ? std::vector{f.ids[draw(4)]} : std::vector<std::uint32_t>()});
            if (started.targets.at(0).outcome == Errc::ok) open.emplace_back(key, std::move(started));
            else if (started.lease != 0) (void)f.master.handle(Release{{started.lease}});
            break;
        }
        case 7: {
            if (open.empty()) break;
            std::swap(open[draw(open.size())], open.back());
            const auto& [name, started] = open.back();
            (void)f.master.handle(CopyEnd{.objects = {{.key = name,
                                                       .version = started.sources[0].version,
                                                       .copy = started.targets[0].version,
                                                       .fate = static_cast<CopyFate>(draw(3))}},
                                          .lease = started.lease});
            open.pop_back();
            break;
        }
        default:
            if (draw(20) == 0) f.clock.advance(3s);
            if (draw(50) == 0) {
                const auto at = draw(4);
                REQUIRE(f.master.handle(Unmount{.segment = f.ids[at], .generation = 1}).has_value());
                f.ids[at] = f.mount("again-" + std::to_string(i), 32);
            }
            (void)f.master.expire();
        }
        if (i % 16 != 0) continue;
        auto taken = std::map<std::pair<std::uint32_t, std::uint64_t>, std::string>();
        f.master.audit([&](std::string_view name, const ObjectDescriptor& object) {
            auto segments = std::set<std::uint32_t>();
            for (const auto& replica : object.replicas) {
                CHECK(segments.insert(replica.segment).second); // never two in one segment
                CHECK(taken.emplace(std::pair(replica.segment, replica.offset), name).second);
            }
        });
    }
    open.clear();
    for (auto i = 0; i < 60; ++i) (void)f.remove("k" + std::to_string(i), RemoveMode::force);
    f.clock.advance(24h);
    (void)f.master.expire();
    f.clock.advance(24h);
    (void)f.master.expire();
    const auto stats = f.master.stats();
    CHECK(stats.free_bytes == stats.capacity_bytes);
    CHECK(stats.writing_bytes == 0);
    CHECK(stats.leased_bytes == 0);
    CHECK(stats.quarantined_bytes == 0);
}

TEST_CASE("master: what is moved to a segment that is drained meanwhile is there, and is moved on") {
    auto f = Fixture(3);
    REQUIRE(f.put("k").outcome == Errc::ok);
    const auto home = f.where("k").at(0);
    const auto started = f.copy("k", {.leaving = {home}});
    const auto there = started.targets.at(0).replicas[0].segment;
    (void)f.drain(there);
    CHECK(f.finish("k", started) == 1);
    CHECK(f.where("k") == std::vector{there});
    CHECK(f.survey(0) == std::vector<std::string>{"k"});
    CHECK(f.finish("k", f.copy("k", {})) == 1);
    CHECK(f.where("k").at(0) != there);
}

TEST_CASE("master: what had to do with fewer replicas is found once there is a segment for more") {
    auto f = Fixture(2);
    REQUIRE(f.put("k", {.replicas = 3}).replicas.size() == 2);
    CHECK(f.survey(0).empty());
    (void)f.mount("node-2", 64);
    CHECK(f.survey(0) == std::vector<std::string>{"k"});
    CHECK(f.finish("k", f.copy("k", {})) == 3);
    CHECK(f.survey(0).empty());
}

TEST_CASE("master: who began to look before something was lost, and ends later, does not make it forgotten") {
    auto hurt = store::detail::HurtWatch();
    hurt.note();
    hurt.begin_walk(); // one, who passes the place
    hurt.walked(0, 500, false);
    hurt.note();       // and there something is lost
    hurt.begin_walk(); // another, who dies at once
    hurt.walked(0, 50, false);
    hurt.walked(500, 0, false);
    CHECK(hurt.any());
    hurt.walked(~std::uint64_t{0}, 0, false); // a page of no walk
    CHECK(hurt.any());
    hurt.begin_walk();
    hurt.walked(0, 50, true);
    hurt.walked(50, 0, false);
    CHECK(hurt.any()); // found is not mended
    hurt.begin_walk();
    hurt.walked(0, 50, false);
    hurt.walked(50, 0, false);
    CHECK_FALSE(hurt.any());
}
