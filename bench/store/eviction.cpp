#include <mooncake/store/eviction/policies.hpp>

#include "support/pairs.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

/// What a policy takes for an access in a cache of a million objects that is full: half of them are uses of any object, half
/// put another in a victim's place, in chains of eight; a quarter of those were there before. Beside LRU, in the same order.
namespace {

using namespace mooncake;

constexpr std::uint32_t objects = 1'000'000, accesses = 500'000;

template <class Policy>
class Cache {
  public:
    Cache() {
        if constexpr (SizedPolicy<Policy>) policy_.capacity(objects);
        for (Slot slot = 0; slot < objects; ++slot) insert(slot, next_++);
        use(2 * accesses); // so that there are ghosts, and something is known
    }

    void use(std::uint32_t count) {
        while (count-- != 0) {
            const auto number = random_();
            const auto slot = static_cast<Slot>(number % objects);
            if (number / objects % 2 == 0) policy_.touch(slot, {});
            else put(number / objects % 8 == 1 ? next_ - objects - number % objects : next_++);
        }
    }

  private:
    static std::uint64_t hash_of(std::uint64_t id) { return (id + 1) * 0xd6e8feb86659fd93; }

    [[nodiscard]] EvictionEntry entry_of(std::uint64_t id) const {
        return {.key_hash = hash_of(id), .parent = id % 8 == 0 ? 0 : hash_of(id - 1), .bytes = 1};
    }
    void insert(Slot slot, std::uint64_t id) { policy_.insert(slot, entry_of(id)); }
    void put(std::uint64_t id) {
        const auto entry = entry_of(id);
        if constexpr (ForeseeingPolicy<Policy>) policy_.expect(entry);
        const auto slot = policy_.victim([](Slot) { return true; }).value();
        policy_.remove(slot, Departure::evicted);
        policy_.insert(slot, entry);
    }

    Policy policy_;
    std::mt19937_64 random_{1};
    std::uint64_t next_ = std::uint64_t{1} << 32;
};

template <class Policy>
void measure(benchmark::State& state) {
    auto ours = Cache<Policy>();
    auto lru = Cache<LruEviction>();
    const auto accesses_of = [](auto& cache) {
        return [&cache] { return bench::timed(accesses, [&] { cache.use(accesses); }); };
    };
    bench::run(state,
               {.unit = bench::Unit::calls, .peer = "lru", .ours = accesses_of(ours), .peers = {accesses_of(lru)}});
}

const auto rows = [] {
    auto all = std::vector<bench::Row>();
    EvictionPolicies::for_each(
        [&]<class Policy>() { all.emplace_back("store/eviction/" + std::string(Policy::name), &measure<Policy>); });
    return all;
}();

} // namespace
