// A store with an eviction policy of one's own: the oldest object goes first, however often it is used.
#include <mooncake/mooncake.hpp>

#include <cstdlib>
#include <iostream>
#include <list>
#include <optional>
#include <unordered_map>

// [readme
class FirstInFirstOut {
  public:
    static constexpr std::string_view name = "fifo";

    void insert(mooncake::Slot slot, const mooncake::EvictionEntry&) {
        places_[slot] = order_.insert(order_.end(), slot);
    }
    void touch(mooncake::Slot, mooncake::TimePoint) {}
    void remove(mooncake::Slot slot, mooncake::Departure) {
        order_.erase(places_.at(slot));
        places_.erase(slot);
    }
    template <class Evictable>
    std::optional<mooncake::Slot> victim(Evictable&& evictable) const {
        for (const auto slot : order_)
            if (evictable(slot)) return slot;
        return std::nullopt;
    }
    [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }

  private:
    std::list<mooncake::Slot> order_;
    std::unordered_map<mooncake::Slot, std::list<mooncake::Slot>::iterator> places_;
};
static_assert(mooncake::EvictionPolicy<FirstInFirstOut>);

struct FifoMaster : mooncake::DefaultMasterTraits {
    using Eviction = FirstInFirstOut;
};
using FifoStore = mooncake::EmbeddedStore<FifoMaster>; // one policy changed, at compile time
// readme]

mooncake::Task<void> fill(FifoStore& store) {
    const auto block = std::vector<std::byte>(4096);
    for (const auto* key : {"a", "b", "c"}) {
        const auto stored = co_await store.put(key, block);
        if (!stored) co_return stored.error();
        const auto used = co_await store.get("a"); // does not save it
        if (!used && used.error() != mooncake::Errc::not_found) co_return used.error();
    }
    const auto a = co_await store.exists("a");
    const auto c = co_await store.exists("c");
    if (a.error() != mooncake::Errc::not_found || !c)
        co_return mooncake::Error(mooncake::Errc::conflict, "a was to go, and c to stay");
    std::cout << "a went, c stayed\n";
    co_return mooncake::ok;
}

int main() {
    mooncake::Runtime runtime;
    auto config = FifoStore::Config();
    config.master.capacity = 2 * 4096;
    FifoStore store{runtime, std::move(config)};
    const auto done = runtime.run(fill(store));
    if (!done) std::cerr << done.error() << '\n';
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
