// labels: io, coroutine
// What a put says of an object's parent reaches the policy of the master.
#include <mooncake/core/hash.hpp>
#include <mooncake/mooncake.hpp>
#include <mooncake/testing/eviction_conformance.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace mooncake;

namespace {

struct Family : testing::MinimalEviction {
    void insert(Slot slot, const EvictionEntry& entry) {
        MinimalEviction::insert(slot, entry);
        told->emplace_back(entry.key_hash, entry.parent);
    }
    using Told = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
    std::shared_ptr<Told> told = std::make_shared<Told>();
};
struct FamilyMaster : DefaultMasterTraits {
    using Eviction = Family;
};
using FamilyStore = EmbeddedStore<FamilyMaster>;

Task<void> put_all(FamilyStore& store) {
    const auto alone = co_await store.put("alone", std::string("value"));
    if (!alone) co_return alone.error();
    const auto named = PutOptions{.parent = "alone"};
    const auto child = co_await store.put("child", std::string("value"), named);
    if (!child) co_return child.error();
    const auto value = std::vector<std::byte>(8);
    const auto items = std::vector<PutItem>{{"a", value}, {"b", value}, {"c", value}};
    const auto chain = PutOptions{.parent = "child", .chain = Chain::yes};
    const auto stored = co_await store.put_batch(items, chain);
    if (!stored) co_return stored.error();
    const auto others = std::vector<PutItem>{{"d", value}, {"e", value}};
    const auto siblings = co_await store.put_batch(others, named);
    if (!siblings) co_return siblings.error();
    co_return ok;
}

} // namespace

TEST_CASE("store: an object's parent, named in a put or by its place in a chain, reaches the eviction policy") {
    const auto family = Family();
    auto runtime = Runtime();
    auto config = FamilyStore::Config();
    config.master.parts.eviction = family;
    config.master.master.limits.max_keys = 2; // a chain of three takes two messages
    auto store = FamilyStore(runtime, std::move(config));
    REQUIRE(runtime.run(put_all(store)).has_value());
    const auto hash = [](const char* key) { return hash_text(key); };
    CHECK(*family.told == Family::Told{{hash("alone"), 0},
                                       {hash("child"), hash("alone")},
                                       {hash("a"), hash("child")},
                                       {hash("b"), hash("a")},
                                       {hash("c"), hash("b")},
                                       {hash("d"), hash("alone")},
                                       {hash("e"), hash("alone")}});
}
