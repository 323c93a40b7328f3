// A project with policies of its own: an eviction policy and a transport.
#include <mooncake/mooncake.hpp>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <vector>

/// The newest goes first.
class LastInFirstOut {
  public:
    static constexpr std::string_view name = "lifo";

    void insert(mooncake::Slot slot, const mooncake::EvictionEntry&) { order_.push_back(slot); }
    void touch(mooncake::Slot, mooncake::TimePoint) {}
    void remove(mooncake::Slot slot, mooncake::Departure) { std::erase(order_, slot); }
    template <class Evictable>
    std::optional<mooncake::Slot> victim(Evictable&& evictable) const {
        for (auto slot = order_.rbegin(); slot != order_.rend(); ++slot)
            if (evictable(*slot)) return *slot;
        return std::nullopt;
    }
    [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }

  private:
    std::vector<mooncake::Slot> order_;
};
static_assert(mooncake::EvictionPolicy<LastInFirstOut>);

/// A loopback that counts what it moves.
class CountingTransport {
  public:
    static constexpr std::string_view name = "counting";
    static constexpr unsigned cost = 1;
    static constexpr auto capabilities = mooncake::TransportCapabilities{.one_sided = true};
    inline static std::atomic<std::uint64_t> bytes = 0;

    struct Config {};
    using Link = mooncake::LoopbackTransport::Link;

    explicit CountingTransport(mooncake::TransportContext context, Config = {}) : inner_(std::move(context)) {}

    void start() { inner_.start(); }
    [[nodiscard]] std::string describe() const { return inner_.describe(); }
    [[nodiscard]] bool reaches(std::string_view description) const { return inner_.reaches(description); }
    mooncake::Task<Link> connect(mooncake::PeerDescription peer, mooncake::Deadline deadline) {
        return inner_.connect(std::move(peer), deadline);
    }
    mooncake::Task<void> transfer(Link link, mooncake::SliceGroup group) {
        bytes += mooncake::total_bytes(group.slices);
        return inner_.transfer(link, group);
    }
    mooncake::asio::awaitable<void> close() { return inner_.close(); }

  private:
    mooncake::LoopbackTransport inner_;
};
static_assert(mooncake::Transport<CountingTransport>);

struct MyMaster : mooncake::DefaultMasterTraits {
    using Eviction = LastInFirstOut;
};
struct MyEngine : mooncake::EmbeddedEngineTraits {
    using Transports = mooncake::TransportSet<CountingTransport>;
};
struct MyStoreTraits {
    using Engine = MyEngine;
    using Master = mooncake::EmbeddedMaster<MyMaster>;
};
using MyStore = mooncake::Store<MyStoreTraits>;

mooncake::Task<void> use(MyStore& store) {
    const auto block = std::vector<std::byte>(4096, std::byte{7});
    for (const auto* key : {"a", "b", "c"}) {
        const auto stored = co_await store.put(key, block);
        if (!stored) co_return stored.error();
    }
    const auto a = co_await store.get("a");
    if (!a) co_return a.error();
    const auto b = co_await store.exists("b");
    if (*a != block || b.error() != mooncake::Errc::not_found || CountingTransport::bytes != 4 * 4096)
        co_return mooncake::Errc::corrupt;
    co_return mooncake::ok;
}

int main() {
    mooncake::Runtime runtime;
    auto config = MyStore::Config();
    config.master.capacity = 2 * 4096;
    MyStore store{runtime, std::move(config)};
    const auto done = runtime.run(use(store));
    if (!done) std::cerr << done.error() << '\n';
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
