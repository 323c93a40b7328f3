// labels: io coroutine
#include <mooncake/store/store.hpp>

#include "all_calls.hpp"
#include "embedded_fixture.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace mooncake;
using mooncake::test::pattern;

namespace {

using Fixture = mooncake::test::EmbeddedFixture;

} // namespace

TEST_CASE("store: what was put is what get, get_into and view give, for sizes around the checksum chunk") {
    auto f = Fixture();
    for (const auto bytes : {std::size_t{0}, std::size_t{1}, std::size_t{4096}, std::size_t{262'143},
                             std::size_t{262'144}, std::size_t{262'145}, std::size_t{3'000'000}}) {
        const auto key = "object-" + std::to_string(bytes);
        const auto value = pattern(bytes, 7);
        const auto put = f.run(f.store.put(key, value));
        REQUIRE(put.has_value());
        CHECK(put->replicas == 1);
        const auto got = f.run(f.store.get(key));
        REQUIRE(got.has_value());
        CHECK(*got == value);
        auto into = std::vector<std::byte>(bytes + 10, std::byte{0xee});
        const auto size = f.run(f.store.get_into(key, into));
        REQUIRE(size.has_value());
        CHECK(*size == bytes);
        CHECK(std::equal(value.begin(), value.end(), into.begin()));
        CHECK(into.back() == std::byte{0xee});
        if (bytes == 0) continue;
        auto view = f.run(f.store.view(key));
        REQUIRE(view.has_value());
        CHECK(view->zero_copy());
        CHECK(std::equal(value.begin(), value.end(), view->bytes().begin(), view->bytes().end()));
    }
}

TEST_CASE("store: a key that is there is left as it is, and a missing one is named") {
    auto f = Fixture();
    REQUIRE(f.run(f.store.put("k", bytes_of("first"))).has_value());
    const auto again = f.run(f.store.put("k", bytes_of("second")));
    REQUIRE(again.has_value());
    CHECK_FALSE(again->stored());
    const auto got = f.run(f.store.get("k"));
    REQUIRE(got.has_value());
    CHECK(text_of(*got) == "first");
    const auto missing = f.run(f.store.get("nope"));
    REQUIRE(!missing);
    CHECK(missing.error() == Errc::not_found);
    CHECK(missing.error().message().find("object 'nope': no such object") != std::string::npos);
    auto small = std::array<std::byte, 3>();
    CHECK(f.run(f.store.get_into("k", small)).error() == Errc::too_large);
}

TEST_CASE("store: a task owns its keys, and may begin when those that it was told are gone") {
    auto f = Fixture();
    const auto value = pattern(100, 1);
    const auto name = [](int i) { return "a key that is too long for a small string, number " + std::to_string(i); };
    auto puts = std::vector<Task<PutReceipt>>();
    for (auto i = 0; i < 20; ++i) puts.push_back(f.store.put(name(i), value));
    auto put_all = [](std::vector<Task<PutReceipt>> all) -> Task<int> {
        auto stored = 0;
        const auto receipts = co_await all_settled(std::move(all));
        for (const auto& receipt : receipts) stored += receipt && receipt->replicas == 1 ? 1 : 0;
        co_return stored;
    };
    CHECK(f.run(put_all(std::move(puts))).value() == 20);
    const auto ask_for_two = [&](int from) {
        const auto text = std::vector<std::string>{name(from), name(from + 1)};
        const auto keys = std::vector<std::string_view>(text.begin(), text.end());
        return f.store.exists_batch(keys);
    };
    auto both = ask_for_two(0), half = ask_for_two(19);
    CHECK(f.run(std::move(both)).value() == std::vector<Errc>{Errc::ok, Errc::ok});
    CHECK(f.run(std::move(half)).value() == std::vector<Errc>{Errc::ok, Errc::not_found});
    auto into = std::vector<std::byte>(value.size());
    const auto get_one = [&] {
        const auto text = name(7);
        const auto item = GetItem{.key = text, .into = into};
        return f.store.get_batch(std::span(&item, 1));
    };
    auto got = get_one();
    CHECK(f.run(std::move(got)).value().outcomes == std::vector<Errc>{Errc::ok});
    CHECK(into == value);
    auto removed = f.store.remove(name(3));
    CHECK(f.run(std::move(removed)).has_value());
    CHECK(f.run(f.store.exists(name(3))).error() == Errc::not_found);
}

TEST_CASE("store: a task owns a value that it was given to keep") {
    auto f = Fixture();
    const auto text = [](int i) { return "a value that is too long for a small string, number " + std::to_string(i); };
    auto puts = std::vector<Task<PutReceipt>>();
    for (auto i = 0; i < 20; ++i) {
        auto bytes = pattern(1000, static_cast<unsigned>(i));
        puts.push_back(f.store.put("bytes " + std::to_string(i), std::move(bytes)));
        puts.push_back(f.store.put("text " + std::to_string(i), text(i)));
    }
    for (auto& put : puts) CHECK(f.run(std::move(put)).value().stored());
    for (auto i = 0; i < 20; ++i) {
        CHECK(f.run(f.store.get("bytes " + std::to_string(i))).value() == pattern(1000, static_cast<unsigned>(i)));
        CHECK(text_of(f.run(f.store.get("text " + std::to_string(i))).value()) == text(i));
    }
}

TEST_CASE("store: made where it could not wait, it says where it is to be made, and waits for nothing") {
    auto runtime = Runtime({.threads = 2});
    auto make = [&]() -> Task<void> {
        EmbeddedStore<> store{runtime};
        co_return ok;
    };
    CHECK_THROWS_WITH_AS((void)runtime.run(make()), doctest::Contains("co_await Store::open"),
                         boost::system::system_error);
}

TEST_CASE("store: exists, list and remove tell the same story, and what is leased is not removed") {
    auto f = Fixture();
    for (const auto* key : {"a/1", "a/2", "b/1"}) REQUIRE(f.run(f.store.put(key, bytes_of(key))).has_value());
    CHECK(f.run(f.store.exists("a/1")).has_value());
    CHECK(f.run(f.store.exists("a/3")).error() == Errc::not_found);
    const auto listed = f.run(f.store.list("a/"));
    REQUIRE(listed.has_value());
    REQUIRE(listed->size() == 2);
    CHECK((*listed)[1].key == "a/2");
    {
        const auto view = f.run(f.store.view("a/1"));
        REQUIRE(view.has_value());
        CHECK(f.run(f.store.remove("a/1")).error() == Errc::conflict);
    }
    // The view's lease goes back in the background.
    auto removed = f.run(f.store.remove("a/1"));
    for (auto i = 0; i < 200 && !removed; ++i) {
        usleep(5'000);
        removed = f.run(f.store.remove("a/1"));
    }
    CHECK(removed.has_value());
    CHECK(f.run(f.store.exists("a/1")).error() == Errc::not_found);
}

TEST_CASE("store: what begins alike, or matches a pattern, is removed at once, but for what is in use") {
    auto f = Fixture();
    const auto value = pattern(100, 1);
    for (auto i = 0; i < 300; ++i)
        for (const auto* model : {"llama/", "qwen/"})
            REQUIRE(f.run(f.store.put(model + std::to_string(i), value)).has_value());
    const auto view = f.run(f.store.view("llama/7")).value();
    const auto prefix = f.run(f.store.remove_prefix("llama/")).value();
    CHECK(prefix.removed == 299);
    CHECK(prefix.in_use == 1);
    CHECK(f.run(f.store.list("llama/")).value().size() == 1);
    const auto forced = f.run(f.store.remove_prefix("llama/", store::RemoveMode::force)).value();
    CHECK(forced.removed == 1);
    CHECK(forced.in_use == 0);
    CHECK(f.run(f.store.remove_matching("qwen/?7")).value().removed == 9); // 17, 27 … 97
    CHECK(f.run(f.store.remove_matching("*/1*")).value().removed == 110);  // 1, 10 … 19, 100 … 199, less 17
    CHECK(f.run(f.store.remove_matching("none*")).value().removed == 0);
    CHECK(f.run(f.store.remove_matching("")).error().context() ==
          "RemoveMatching: neither a prefix nor a pattern; the pattern * is everything");
    CHECK(f.run(f.store.remove_matching("a\\")).error() == Errc::invalid_argument);
    CHECK(f.run(f.store.remove_prefix(std::string(1025, 'a'))).error() == Errc::too_large);
    CHECK(f.run(f.store.remove_matching("*")).value().removed == 181);
    CHECK(f.run(f.store.statistics()).value().objects == 0);
}

TEST_CASE("store: bytes that changed behind the writer's back are found out, and never given") {
    auto f = Fixture();
    const auto value = pattern(600'000, 3);
    REQUIRE(f.run(f.store.put("k", value)).has_value());
    auto view = f.run(f.store.view("k"));
    REQUIRE(view.has_value());
    auto& spoiled = const_cast<std::byte&>(view->bytes()[500'000]);
    spoiled ^= std::byte{1};
    CHECK(f.run(f.store.get("k", {.verify = Verify::never})).has_value());
    const auto got = f.run(f.store.get("k"));
    REQUIRE(!got);
    CHECK(got.error() == Errc::lost);
    CHECK(got.error().context().find("checksum") != std::string_view::npos);
    // The master was told: what has no replica left is not there, and can be put anew.
    CHECK(f.run(f.store.get("k")).error() == Errc::lost);
    CHECK(f.run(f.store.exists("k")).error() == Errc::not_found);
    CHECK(f.run(f.store.put("k", value))->replicas == 1);
    CHECK(f.run(f.store.get("k")).value() == value);
}

TEST_CASE("store: a view of bytes that changed is refused, and the object goes") {
    auto f = Fixture();
    const auto value = pattern(600'000, 3);
    REQUIRE(f.run(f.store.put("k", value)).has_value());
    {
        auto view = f.run(f.store.view("k"));
        REQUIRE(view.has_value());
        const_cast<std::byte&>(view->bytes()[500'000]) ^= std::byte{1};
    }
    CHECK(f.run(f.store.view("k", {.verify = Verify::always, .unreachable = Unreachable::fail})).error() ==
          Errc::not_mapped);
    CHECK(f.run(f.store.exists("k")).error() == Errc::not_found);
}

TEST_CASE("store: a view tells whether its lease has held, and a put that somebody else is at is told apart") {
    auto f = Fixture();
    REQUIRE(f.run(f.store.put("k", pattern(1000, 3))).has_value());
    auto view = f.run(f.store.view("k")).value();
    CHECK(view.zero_copy());
    CHECK(view.valid());
    auto start = store::PutStart{.keys = {"other"}, .sizes = {10}};
    REQUIRE(f.run(f.store.master().call(start, Deadline())).has_value());
    const auto put = f.run(f.store.put("other", pattern(10, 1)));
    CHECK(put.error() == Errc::being_written);
    CHECK(put.error().message().find("wait_for") != std::string::npos);
    CHECK(f.run(f.store.put("k", pattern(1000, 4)))->replicas == 0); // it is there, which is no error
}

TEST_CASE("store: batches beyond what the master takes in a message are split") {
    auto config = EmbeddedStore<>::Config();
    config.master.capacity = 16 * MiB;
    config.master.master.limits.max_keys = 10;
    auto runtime = Runtime({.threads = 2});
    auto store = EmbeddedStore<>(runtime, std::move(config));
    const auto value = pattern(64, 1);
    auto keys = std::vector<std::string>();
    for (auto i = 0; i < 64; ++i) keys.push_back("k" + std::to_string(i));
    auto puts = std::vector<PutItem>();
    for (const auto& key : keys) puts.push_back({key, value});
    const auto put = runtime.run(store.put_batch(puts)).value();
    CHECK(put.outcomes == std::vector(64, Errc::ok));
    auto names = std::vector<std::string_view>(keys.begin(), keys.end());
    names.insert(names.begin() + 25, "absent");
    auto expected = std::vector(65, Errc::ok);
    expected[25] = Errc::not_found;
    CHECK(runtime.run(store.exists_batch(names)).value() == expected);
    CHECK(runtime.run(store.exists_batch(names, LookUp::prefix)).value() == std::vector(25, Errc::ok));
    auto memory = std::vector<std::vector<std::byte>>(65, std::vector<std::byte>(64));
    auto gets = std::vector<GetItem>();
    for (std::size_t i = 0; i < names.size(); ++i) gets.push_back({names[i], memory[i]});
    CHECK(runtime.run(store.get_batch(gets)).value().outcomes == expected);
    CHECK(memory[64] == value);
    CHECK(runtime.run(store.get_batch(gets, {.mode = LookUp::prefix})).value().outcomes == std::vector(25, Errc::ok));
    const auto wished = runtime.run(store.put_batch(puts, {.lease = LeaseWish::grant}));
    CHECK(wished.error() == Errc::too_large);
    CHECK(wished.error().message().find("at most 10") != std::string::npos);
    const auto leased = runtime.run(store.get_batch(gets, {.lease = LeaseWish::grant}));
    CHECK(leased.error() == Errc::too_large);
    CHECK(leased.error().message().find("at most 10") != std::string::npos);
    CHECK(runtime.run(store.wait_for(names, Deadline(10ms))).error() == Errc::timed_out);
    CHECK(runtime.run(store.remove_batch(names)).value() == expected);
}

TEST_CASE("store: a batch of puts leaves its objects leased where that is wished for, until they are released") {
    auto f = Fixture();
    const auto value = pattern(64, 3);
    const auto items = std::vector<PutItem>{{"a", value}, {"b", value}};
    const auto put = f.run(f.store.put_batch(items, {.lease = LeaseWish::grant}));
    REQUIRE(put.has_value());
    REQUIRE(put->lease);
    CHECK(put->lease.trusted_until > SteadyClock{}.now());
    CHECK(f.run(f.store.remove("b")).error() == Errc::conflict);
    CHECK(f.run(f.store.release(put->lease.id)).has_value());
    CHECK(f.run(f.store.remove("b")).has_value());
}

TEST_CASE("store: every call without time is timed_out, and every call of a closed one is closed") {
    auto f = Fixture();
    REQUIRE(f.run(f.store.put("k", pattern(5, 1))).has_value());
    test::every_call_fails(f.runtime, f.store, Errc::timed_out, Deadline(SteadyClock{}.now()));
    CHECK(f.run(f.store.exists("k")).has_value());
    f.runtime.run(f.store.close());
    test::every_call_fails(f.runtime, f.store, Errc::closed, Deadline(10s));
}

TEST_CASE("store: what runs while it is closed ends, and what comes later is told so") {
    auto runtime = Runtime({.threads = 2});
    for (auto round = 0; round < 20; ++round) {
        auto store = EmbeddedStore<>(runtime);
        const auto value = pattern(8 * MiB, 1);
        auto over = std::atomic<int>(0);
        auto put = [](EmbeddedStore<>* into, const std::vector<std::byte>* bytes) -> Task<void> {
            (void)co_await into->put("k", *bytes);
            co_return ok;
        };
        asio::co_spawn(runtime.executor(1), put(&store, &value),
                       [&over](const std::exception_ptr&, const Result<void>&) { ++over; });
        runtime.run(store.close());
        CHECK(runtime.run(store.put("later", value)).error() == Errc::closed);
        CHECK(runtime.run(store.get("k")).error() == Errc::closed);
        while (over == 0) std::this_thread::yield(); // its coroutine, not the store, is still there
    }
}

TEST_CASE("store: a full store evicts the least recently used, never what is leased, and says what is in the way") {
    auto f = Fixture(4 * 4096);
    const auto block = pattern(4096, 1);
    for (const auto* key : {"a", "b", "c", "d"}) REQUIRE(f.run(f.store.put(key, block)).has_value());
    REQUIRE(f.run(f.store.get("a")).has_value()); // b is the oldest now
    REQUIRE(f.run(f.store.put("e", block)).has_value());
    CHECK(f.run(f.store.exists("a")).has_value());
    CHECK(f.run(f.store.exists("b")).error() == Errc::not_found);
    const auto keys = std::vector<std::string_view>{"a", "c", "d", "e"};
    const auto leased = f.run(f.store.lease_batch(keys));
    REQUIRE(leased.has_value());
    REQUIRE(leased->lease);
    const auto refused = f.run(f.store.put("f", block));
    REQUIRE(!refused);
    CHECK(refused.error() == Errc::no_space);
    CHECK(refused.error().context().find("leased") != std::string_view::npos);
    REQUIRE(f.run(f.store.release(leased->lease.id)).has_value());
    CHECK(f.run(f.store.put("f", block)).has_value());
}

TEST_CASE("store: batches keep their order, and a prefix look-up stops at the first miss") {
    auto f = Fixture();
    const auto block = pattern(1000, 9);
    const auto puts = std::vector<PutItem>{{"p0", block}, {"p1", block}, {"p3", block}, {"p0", block}};
    const auto put = f.run(f.store.put_batch(puts));
    REQUIRE(put.has_value());
    CHECK(put->outcomes == std::vector{Errc::ok, Errc::ok, Errc::ok, Errc::being_written}); // the same key twice
    auto memory = std::vector<std::byte>(4000);
    auto items = std::vector<GetItem>();
    const auto keys = std::vector<std::string>{"p0", "p1", "p2", "p3"};
    for (std::size_t i = 0; i < 4; ++i) items.push_back({keys[i], std::span(memory).subspan(i * 1000, 1000)});
    const auto each = f.run(f.store.get_batch(items));
    REQUIRE(each.has_value());
    CHECK(each->outcomes == std::vector{Errc::ok, Errc::ok, Errc::not_found, Errc::ok});
    CHECK(std::memcmp(memory.data() + 3000, block.data(), 1000) == 0);
    const auto prefix = f.run(f.store.get_batch(items, {.mode = LookUp::prefix}));
    REQUIRE(prefix.has_value());
    CHECK(prefix->outcomes == std::vector{Errc::ok, Errc::ok});
}

namespace {

Task<void> put_later(EmbeddedStore<>& store) {
    auto pause = Event();
    co_await pause.wait(Deadline(20ms));
    const auto put = co_await store.put("late", bytes_of("here"));
    if (!put) co_return put.error();
    co_return ok;
}

Task<void> wait(EmbeddedStore<>& store, std::string_view key, Deadline deadline) {
    co_return co_await store.wait_for(std::span(&key, 1), deadline);
}

Task<void> put_and_wait(EmbeddedStore<>& store) {
    auto tasks = std::vector<Task<void>>();
    tasks.push_back(wait(store, "late", Deadline(10s)));
    tasks.push_back(put_later(store));
    co_return co_await all_or_cancel(std::move(tasks));
}

} // namespace

TEST_CASE("store: wait_for returns when the object comes, and by its deadline when it does not") {
    auto f = Fixture();
    CHECK(f.run(put_and_wait(f.store)).has_value());
    CHECK(f.run(wait(f.store, "never", Deadline(20ms))).error() == Errc::timed_out);
}

TEST_CASE("store: first mistakes are answered with what was wrong and what would be right") {
    auto runtime = Runtime({.threads = 1});
    const auto says = [](const auto& result, Errc code, std::string_view text) {
        REQUIRE(result.has_error());
        CHECK(result.error() == code);
        CHECK_MESSAGE(result.error().message().find(text) != std::string::npos, result.error().message());
    };
    auto config = EmbeddedStore<>::Config();
    config.master.capacity = 10;
    CHECK_THROWS_WITH_AS(EmbeddedStore<>(runtime, config), doctest::Contains("capacity is 10; give at least 64"),
                         boost::system::system_error);
    CHECK_THROWS_WITH_AS(ClusterStore(runtime, {}), doctest::Contains("give the address of the master"),
                         boost::system::system_error);
    config.master.capacity = 4096;
    auto store = EmbeddedStore<>(runtime, config);
    const auto large = std::vector<std::byte>(8192);
    says(runtime.run(store.put("large", large)), Errc::too_large, "it has 8192 bytes, and no segment is so large");
    REQUIRE(runtime.run(store.put("k", bytes_of("value"))).has_value());
    auto small = std::vector<std::byte>(2);
    says(runtime.run(store.get_into("k", small)), Errc::too_large, "it has 5 bytes, and the memory for it 2");
    says(runtime.run(store.exists("k", Deadline(SteadyClock{}.now()))), Errc::timed_out, "timed_out");
    says(runtime.run(store.renew(4711)), Errc::lease_expired, "lease 4711 is over");
    const auto view = runtime.run(store.view("k"));
    REQUIRE(view.has_value());
    says(runtime.run(store.remove("k")), Errc::conflict, "RemoveMode::force");
    says(runtime.run(store.engine().map({}, 0, 1, Direction::read)), Errc::invalid_argument, "open one first");
}
