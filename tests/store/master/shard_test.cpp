// labels: unit
#include <mooncake/store/master/shard.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>

using namespace mooncake;
using namespace mooncake::store::detail;

namespace {
std::unique_ptr<Object> object_of(std::string_view key, std::uint64_t hash) {
    return std::unique_ptr<Object>(new (key) Object{.hash = hash,
                                                    .key_bytes = Object::bytes_of(key),
                                                    .size = 1,
                                                    .version = 1,
                                                    .pin = store::Pin::none,
                                                    .write_deadline = {}});
}
struct CountingWaiter final : Waiter {
    int calls = 0;
    void ready() noexcept override { ++calls; }
};
} // namespace

TEST_CASE("shard: keys of one hash are told apart") {
    auto shard = Shard();
    auto a = HashedKey("a"), b = HashedKey("b"), c = HashedKey("c");
    b.hash = c.hash = a.hash;
    const auto first = object_of("a", a.hash), second = object_of("b", a.hash);
    shard.insert(*first);
    shard.insert(*second);
    CHECK(shard.find(a) == first.get());
    CHECK(shard.find(b) == second.get());
    CHECK(shard.find(c) == nullptr);
    shard.erase(*first);
    CHECK(shard.find(a) == nullptr);
    CHECK(shard.find(b) == second.get());
    CHECK(shard.find_visible(b) == nullptr); // being written, and without a replica
}

TEST_CASE("shard: of objects that lost their last replica it remembers the last ones, until they are put anew") {
    auto shard = Shard();
    const auto name = [](std::size_t i) { return "key-" + std::to_string(i); };
    for (std::size_t i = 0; i <= Shard::most_lost; ++i) {
        const auto object = object_of(name(i), HashedKey(name(i)).hash);
        object->state = i == 5 ? ObjectState::writing : ObjectState::committed;
        shard.remember_lost(*object);
    }
    CHECK(shard.why_not(HashedKey(name(0))) == Errc::lost); // one of them was never visible
    CHECK(shard.why_not(HashedKey(name(5))) == Errc::not_found);
    CHECK(shard.why_not(HashedKey("never")) == Errc::not_found);
    const auto more = object_of("more", HashedKey("more").hash);
    more->state = ObjectState::committed;
    shard.remember_lost(*more);
    CHECK(shard.why_not(HashedKey(name(0))) == Errc::not_found);
    CHECK(shard.why_not(HashedKey(name(1))) == Errc::lost);
    const auto anew = object_of(name(1), HashedKey(name(1)).hash);
    shard.insert(*anew);
    shard.erase(*anew);
    CHECK(shard.why_not(HashedKey(name(1))) == Errc::not_found);
}

TEST_CASE("shard: keys spread evenly over all shards") {
    auto shards = Shards();
    auto counts = std::vector<int>(Shards::count);
    for (int i = 0; i < 102'400; ++i)
        ++counts[static_cast<std::size_t>(&shards.of(HashedKey("block/" + std::to_string(i)).hash) - &*shards.begin())];
    CHECK(*std::min_element(counts.begin(), counts.end()) > 50);
    CHECK(*std::max_element(counts.begin(), counts.end()) < 160);
}

TEST_CASE("shard: nothing is left of waiters that were told or gave up") {
    auto shards = Shards();
    const auto waiting = [&] {
        auto keys = std::size_t{0};
        for (auto& shard : shards) keys += shard.keys_waited_for();
        return keys;
    };
    const auto told = std::make_shared<CountingWaiter>(), gone = std::make_shared<CountingWaiter>();
    WaiterRegistry::wait(shards, {"a", "b"}, told);
    WaiterRegistry::wait(shards, {"b", "c", "c"}, gone);
    CHECK(waiting() == 3);
    CHECK(WaiterRegistry::cancel(shards, *gone));
    CHECK(waiting() == 2);
    for (const auto* key : {"a", "b"}) {
        auto taken = Shard::Waiters();
        shards.of(HashedKey(key).hash).take_waiters(key, taken);
        CHECK(told->calls == 0);
        WaiterRegistry::arrived(taken);
    }
    CHECK(told->calls == 1);
    CHECK(gone->calls == 0);
    CHECK(waiting() == 0);
}
