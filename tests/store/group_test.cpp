// labels: io coroutine
#include <mooncake/store/group.hpp>
#include <mooncake/store/store.hpp>

#include "embedded_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <future>
#include <string>
#include <utility>
#include <vector>

using namespace mooncake;
using mooncake::test::pattern;

namespace {

using Fixture = test::EmbeddedFixture;
using Sizes = std::vector<std::uint64_t>;
using Parts = std::vector<std::vector<std::byte>>;

Parts parts_of(const Sizes& sizes, unsigned seed = 1) {
    auto parts = Parts();
    for (const auto size : sizes) parts.push_back(pattern(size, seed++ * 17));
    return parts;
}
std::vector<ConstBytes> bytes(const Parts& parts) { return {parts.begin(), parts.end()}; }
std::vector<MutableBytes> room_in(Parts& parts) { return {parts.begin(), parts.end()}; }

/// Of a `Group` or a `GroupView`.
template <class Group>
bool holds(const Group& group, const Parts& parts) {
    if (group.parts() != parts.size()) return false;
    for (std::size_t i = 0; i < parts.size(); ++i)
        if (!std::ranges::equal(group.part(i), parts[i])) return false;
    return true;
}

template <class T>
std::string said(const Result<T>& result, Errc code) {
    REQUIRE(result.has_error());
    CHECK(result.error() == code);
    return std::string(result.error().context());
}

/// A store, as far as groups use one, that counts what it is asked.
struct Counted {
    EmbeddedStore<>* store;
    int asked = 0;

    auto put_gathered(std::string_view key, std::span<const ConstBytes> pieces, PutOptions options) {
        ++asked;
        return store->put_gathered(key, pieces, options);
    }
    auto get_scattered(std::string_view key, std::span<const MutableBytes> into, RangeOptions options) {
        ++asked;
        return store->get_scattered(key, into, options);
    }
    auto get_range(std::string_view key, std::uint64_t offset, MutableBytes into, RangeOptions options) {
        ++asked;
        return store->get_range(key, offset, into, options);
    }
    auto get(std::string_view key, GetOptions options) {
        ++asked;
        return store->get(key, options);
    }
    int take() { return std::exchange(asked, 0); }
};

} // namespace

TEST_CASE("group: parts of unequal size, empty ones among them, are put, found and got as one") {
    auto f = Fixture(64 * MiB);
    const auto some =
        std::vector<Sizes>{{0},     {1},     {64},        {0, 0, 0},   {100, 0, 64, 1}, {262'144, 5, 300'000, 0},
                           {0, 77}, {77, 0}, Sizes(7, 9), Sizes(8, 9), Sizes(1023, 130)};
    for (std::size_t i = 0; i < some.size(); ++i) {
        CAPTURE(i);
        const auto key = "g" + std::to_string(i);
        const auto parts = parts_of(some[i]);
        const auto put = f.run(put_group(&f.store, key, bytes(parts)));
        REQUIRE_MESSAGE(put.has_value(), put.error().message());
        CHECK(put->stored());
        CHECK(holds(f.run(get_group(&f.store, key)).value(), parts));
        CHECK(holds(f.run(view_group(&f.store, key)).value(), parts));
        const auto layout = f.run(get_group_layout(&f.store, key)).value();
        REQUIRE(layout == GroupLayout::of(some[i]).value());
        for (const auto verify : {Verify::always, Verify::unless_leased}) {
            auto into = Parts();
            for (const auto size : some[i]) into.emplace_back(size, std::byte{0xee});
            const auto got = f.run(get_group_into(&f.store, key, room_in(into), {.verify = verify}));
            REQUIRE_MESSAGE(got.has_value(), got.error().message());
            CHECK(*got == layout.bytes());
            CHECK(into == parts);
        }
        for (std::size_t part = 0; part < parts.size(); part += 1 + parts.size() / 9) {
            auto into = std::vector<std::byte>(parts[part].size() + 3);
            REQUIRE(f.run(get_group_part(&f.store, key, part, into)).value() == parts[part].size());
            CHECK(std::equal(parts[part].begin(), parts[part].end(), into.begin()));
        }
        const auto listed = f.run(f.store.list(key)).value();
        CHECK(std::ranges::count(listed, key, &store::ListedObject::key) == 1); // one object, however many parts
    }
}

TEST_CASE("group: one round trip to put it, and one to get it; its sizes and one of its parts take little more") {
    auto f = Fixture();
    auto counted = Counted{.store = &f.store};
    auto into = parts_of({1000, 20, 70'000});
    const auto parts = parts_of({1000, 20, 70'000}, 9);
    REQUIRE(f.run(put_group(&counted, "g", bytes(parts))).has_value());
    CHECK(counted.take() == 1);
    REQUIRE(f.run(get_group_into(&counted, "g", room_in(into))).has_value());
    CHECK(counted.take() == 1);
    CHECK(into == parts);
    CHECK(holds(f.run(get_group(&counted, "g")).value(), parts));
    CHECK(counted.take() == 1);
    REQUIRE(f.run(get_group_layout(&counted, "g")).has_value());
    CHECK(counted.take() == 1);
    REQUIRE(f.run(put_group(&counted, "many", bytes(parts_of(Sizes(100, 3))))).has_value());
    (void)counted.take();
    REQUIRE(f.run(get_group_layout(&counted, "many")).has_value());
    CHECK(counted.take() == 2);
    REQUIRE(f.run(get_group_part(&counted, "g", 1, into[1])).has_value());
    CHECK(counted.take() == 2);
}

TEST_CASE("group: who knows the sizes reads a part, or some of it, with get_range, and in place it is aligned") {
    auto f = Fixture();
    const auto parts = parts_of({1000, 333, 300'000});
    REQUIRE(f.run(put_group(&f.store, "g", bytes(parts))).has_value());
    const auto layout = GroupLayout::of(Sizes{1000, 333, 300'000}).value();
    for (const auto verify : {Verify::always, Verify::unless_leased}) {
        auto some = std::vector<std::byte>(250'000);
        REQUIRE(f.run(f.store.get_range("g", layout.offset(2) + 40'000, some, {.verify = verify})).value() ==
                layout.bytes());
        CHECK(std::equal(some.begin(), some.end(), parts[2].begin() + 40'000));
    }
    const auto view = f.run(view_group(&f.store, "g")).value();
    REQUIRE(view.view.zero_copy());
    for (std::size_t i = 0; i < 3; ++i)
        CHECK(reinterpret_cast<std::uintptr_t>(view.part(i).data()) % GroupLayout::alignment == 0);
}

TEST_CASE("group: memory for other parts is refused with both numbers") {
    auto f = Fixture();
    REQUIRE(f.run(put_group(&f.store, "g", bytes(parts_of({1000, 20, 300})))).has_value());
    const auto get = [&](const Sizes& sizes) {
        auto into = parts_of(sizes);
        return said(f.run(get_group_into(&f.store, "g", room_in(into))), Errc::invalid_argument);
    };
    CHECK(get({1000, 20}) == "group 'g': it has 3 parts, and there is memory for 2");
    CHECK(get({1000, 20, 300, 0}) == "group 'g': it has 3 parts, and there is memory for 4");
    CHECK(get(Sizes(9, 1000)) == "group 'g': it has 3 parts, and there is memory for 9");
    CHECK(get({1000, 21, 300}) ==
          "group 'g': its part 1 has 20 bytes, and the memory for it 21; get_group_layout tells the sizes");
    CHECK(get({1000, 20, 299}) ==
          "group 'g': its part 2 has 300 bytes, and the memory for it 299; get_group_layout tells the sizes");
    CHECK(get({1000, 20, 70'000}) ==
          "group 'g': its part 2 has 300 bytes, and the memory for it 70000; get_group_layout tells the sizes");
    CHECK(get({20, 1000, 300}) == // which are as many bytes
          "group 'g': its part 0 has 1000 bytes, and the memory for it 20; get_group_layout tells the sizes");
    CHECK(get({}) == "group 'g': a group has 0 parts; give at least 1 and at most 1023");
    auto into = std::vector<std::byte>(299);
    CHECK(said(f.run(get_group_part(&f.store, "g", 2, into)), Errc::too_large) ==
          "group 'g': its part 2 has 300 bytes, and the memory for it 299");
    CHECK(said(f.run(get_group_part(&f.store, "g", 3, into)), Errc::out_of_range) ==
          "group 'g': part 3 is wanted, and it has 3; the first is part 0");
    CHECK(said(f.run(put_group(&f.store, "none", {})), Errc::invalid_argument) ==
          "group 'none': a group has 0 parts; give at least 1 and at most 1023");
    CHECK(said(f.run(put_group(&f.store, "none", bytes(parts_of(Sizes(1024, 1))))), Errc::invalid_argument) ==
          "group 'none': a group has 1024 parts; give at least 1 and at most 1023");
    CHECK(f.run(f.store.exists("none")).error() == Errc::not_found);
}

TEST_CASE("group: what is none, or has a table that lies, is refused by all that read groups") {
    auto f = Fixture();
    const auto refused = [&](const std::string& key, const std::string& why) {
        CAPTURE(key);
        auto into = parts_of({1000, 20});
        const auto sentence = "group '" + key + "': " + why;
        CHECK(said(f.run(get_group(&f.store, key)), Errc::invalid_argument) == sentence);
        CHECK(said(f.run(view_group(&f.store, key)), Errc::invalid_argument) == sentence);
        CHECK(said(f.run(get_group_layout(&f.store, key)), Errc::invalid_argument) == sentence);
        CHECK(said(f.run(get_group_part(&f.store, key, 0, into[0])), Errc::invalid_argument) == sentence);
        CHECK(said(f.run(get_group_into(&f.store, key, room_in(into))), Errc::invalid_argument) == sentence);
    };
    const auto no_group = "it is no group: it does not begin with a table of its parts; put it with put_group";
    REQUIRE(f.run(f.store.put("text", bytes_of("no group"))).has_value());
    refused("text", no_group);
    REQUIRE(f.run(f.store.put("nothing", ConstBytes())).has_value());
    refused("nothing", no_group);
    REQUIRE(f.run(f.store.put("more", pattern(5000))).has_value());
    refused("more", no_group);
    const auto layout = GroupLayout::of(Sizes{1000, 20}).value();
    auto table = encode_group(layout);
    table.resize(layout.bytes() - 1); // torn: its end is missing
    REQUIRE(f.run(f.store.put("torn", table)).has_value());
    refused("torn", "its parts end at byte 1108, and the object has 1107");
    table.resize(layout.bytes());
    table[5] = std::byte{2};
    REQUIRE(f.run(f.store.put("hostile", table)).has_value());
    refused("hostile", "its table of 514 parts has 4160 bytes, and all of it 1108");

    auto into = parts_of({1000, 20});
    CHECK(f.run(get_group(&f.store, "gone")).error() == Errc::not_found);
    CHECK(f.run(get_group_into(&f.store, "gone", room_in(into))).error() == Errc::not_found);
    CHECK(f.run(get_group_layout(&f.store, "gone")).error() == Errc::not_found);
    CHECK(f.run(view_group(&f.store, "gone")).error() == Errc::not_found);
}

TEST_CASE("group: it is created once, replaced, removed and evicted as one") {
    auto f = Fixture(4 * MiB);
    const auto first = parts_of({1000, 20}, 1), second = parts_of({7, 30, 70'000}, 2);
    REQUIRE(f.run(put_group(&f.store, "g", bytes(first))).value().stored());
    CHECK_FALSE(f.run(put_group(&f.store, "g", bytes(second))).value().stored()); // nothing of it, either
    CHECK(holds(f.run(get_group(&f.store, "g")).value(), first));
    REQUIRE(f.run(put_group(&f.store, "g", bytes(second), {.mode = WriteMode::upsert})).value().stored());
    CHECK(holds(f.run(get_group(&f.store, "g")).value(), second));
    REQUIRE(f.run(f.store.remove("g")).has_value());
    CHECK(f.run(get_group(&f.store, "g")).error() == Errc::not_found);

    constexpr auto count = 60U; // three times of what there is room for
    for (unsigned i = 0; i < count; ++i)
        REQUIRE(f.run(put_group(&f.store, "g" + std::to_string(i), bytes(parts_of({100'000, 17, 90'000, 0}, i))))
                    .value()
                    .stored());
    auto whole = 0U, gone = 0U;
    for (unsigned i = 0; i < count; ++i) {
        auto into = parts_of({100'000, 17, 90'000, 0}, 1000);
        const auto got = f.run(get_group_into(&f.store, "g" + std::to_string(i), room_in(into)));
        if (got && into == parts_of({100'000, 17, 90'000, 0}, i)) ++whole;
        else if (got.error() == Errc::not_found) ++gone;
    }
    CHECK(whole + gone == count);
    CHECK(whole >= 10);
    CHECK(gone >= 30);
}

namespace {

/// By turns a group of some sizes and of others, as many bytes, each of its own number throughout.
Sizes sizes_of(int turn) { return turn % 2 == 0 ? Sizes{64, 4096} : Sizes{4096, 64}; }
Parts turn_of(int turn) {
    auto parts = Parts();
    for (const auto size : sizes_of(turn)) parts.emplace_back(size, static_cast<std::byte>(turn % 2));
    return parts;
}
struct Turns {
    std::atomic<bool> over{false};
    std::atomic<int> read{0};
};
Task<void> replace(EmbeddedStore<>& store, Turns& turns) {
    for (auto i = 0; i < 300 || (turns.read < 20 && i < 100'000 && !turns.over); ++i) {
        const auto parts = turn_of(i);
        auto put = put_group(&store, "g", bytes(parts), {.mode = WriteMode::upsert});
        const auto done = co_await std::move(put);
        if (!done) co_return done.error();
    }
    turns.over = true;
    co_return ok;
}
Task<void> read_while(EmbeddedStore<>& store, Turns& turns) {
    for (auto turn = 0; !turns.over; ++turn) {
        auto into = turn_of(turn + 1); // the other's numbers
        for (auto i = 0U; i < 2; ++i) into[i].resize(sizes_of(turn)[i]);
        auto get = get_group_into(&store, "g", room_in(into));
        const auto got = co_await std::move(get);
        if (got && into != turn_of(turn))
            co_return Error(Errc::corrupt, "parts of one version in the sizes of another");
        turns.read += got ? 1 : 0;
        auto one = std::vector<std::byte>(4096);
        auto get_part = get_group_part(&store, "g", 0, one);
        const auto size = co_await std::move(get_part);
        if (size && one.front() != std::byte{*size == 4096}) co_return Error(Errc::corrupt, "the part of another");
        for (const auto& error : {got.error(), size.error()})
            if (error != Errc::ok && error != Errc::not_found && error != Errc::conflict &&
                error != Errc::invalid_argument)
                co_return error;
    }
    co_return ok;
}

} // namespace

TEST_CASE("group: all of it is of one version, however often it is replaced by one of other sizes") {
    auto f = Fixture();
    auto turns = Turns();
    auto reading = std::async(std::launch::async, [&] {
        const auto read = sync_wait(f.runtime.executor(1), read_while(f.store, turns));
        turns.over = true;
        return read;
    });
    const auto replaced = sync_wait(f.runtime.executor(0), replace(f.store, turns));
    turns.over = true;
    const auto read = reading.get();
    CHECK_MESSAGE(replaced.has_value(), replaced.error().message());
    CHECK_MESSAGE(read.has_value(), read.error().message());
    CHECK(turns.read >= 20);
}
