#pragma once

#include <mooncake/core/hash.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/core/with_deadline.hpp>
#include <mooncake/memory/region_table.hpp>
#include <mooncake/transport/concept.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace mooncake::testing {

using namespace std::chrono_literals;

/// Bytes that tell where they are: the same for the same seed, and different a byte further on.
inline void fill(MutableBytes bytes, std::uint64_t seed) {
    auto state = seed * 0x9E3779B97F4A7C15ULL + 1;
    for (std::size_t at = 0; at < bytes.size(); at += sizeof state) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        std::memcpy(bytes.data() + at, &state, std::min(sizeof state, bytes.size() - at));
    }
}

inline bool same(ConstBytes a, ConstBytes b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

/// Whether every byte is `mark`: nobody wrote here.
inline bool untouched(ConstBytes bytes, std::byte mark) {
    return bytes.empty() ||
           (bytes.front() == mark && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

/// Waits, at most 10 s, until nobody holds the region.
template <class T>
bool expires(std::weak_ptr<T> region) {
    const auto until = Deadline(10s);
    while (!region.expired() && !until.passed()) std::this_thread::yield();
    return region.expired();
}

/// A runtime whose `run` returns when all of its threads have done what they had to do by then. Between threads that talk over a
/// socket there is an order, which a thread sanitizer does not see.
class OrderedRuntime : public Runtime {
  public:
    using Runtime::Runtime;

    template <class T>
    Result<T> run(Task<T> task) {
        auto result = Runtime::run(std::move(task));
        pass_all();
        return result;
    }
    template <class V>
        requires std::is_void_v<V>
    void run(asio::awaitable<V, Executor> operation) {
        Runtime::run(std::move(operation));
        pass_all();
    }

  private:
    static Task<void> nothing() { co_return ok; }
    void pass_all() {
        for (std::size_t i = 0; i < size(); ++i) (void)sync_wait(executor(i), nothing());
    }
};

/// Two ends of a transport in one process: one that serves regions, and one that reads and writes them.
template <Transport T>
class TransportPair {
  public:
    explicit TransportPair(typename T::Config server_config = {}, typename T::Config client_config = {})
        : regions(std::make_shared<RegionTable>(random_secret())),
          server(TransportContext{runtime, regions, {}}, std::move(server_config)),
          client(TransportContext{runtime, std::make_shared<RegionTable>(random_secret()), {}},
                 std::move(client_config)) {
        server.start();
        client.start();
        auto made = connect(server.describe(), regions->generation());
        if (made) link = *made;
        CHECK_MESSAGE(made.has_value(), (made ? "" : made.error().message()));
    }
    ~TransportPair() { close(); }

    Result<typename T::Link> connect(std::string description, std::uint64_t generation) {
        auto peer = PeerDescription{.description = std::move(description), .generation = generation};
        if constexpr (HandshakingTransport<T>)
            peer.handshake = [this](std::string question, Deadline) { return carried(std::move(question)); };
        return runtime.run(client.connect(std::move(peer), Deadline(10s)));
    }

    /// A region of `bytes` bytes, all `mark`.
    RegionPin add(std::uint64_t bytes, Rights rights, std::byte mark = {}) {
        auto arena = Arena::create({.bytes = bytes, .pages = PageKind::plain, .prefault_threads = 1});
        REQUIRE(arena.has_value());
        std::memset((*arena)->bytes().data(), static_cast<int>(mark), (*arena)->bytes().size());
        return add(
            {.bytes = (*arena)->bytes().first(bytes), .rights = rights, .keys = make_keys(rights), .arena = *arena});
    }
    RegionPin add(Region region) {
        auto added = regions->add(std::move(region));
        REQUIRE(added.has_value());
        if constexpr (RegisteringTransport<T>) REQUIRE(runtime.run(server.attach(*added)).has_value());
        return *added;
    }
    void remove(const RegionPin& region) {
        regions->remove(region);
        if constexpr (RegisteringTransport<T>) server.detach(*region);
    }

    Result<void> move(Direction direction, std::span<Slice> slices, Deadline deadline = {},
                      Digest digest = Digest::none) {
        const auto group = SliceGroup{.direction = direction, .digest = digest, .slices = slices, .deadline = deadline};
        return runtime.run(client.transfer(link, group));
    }
    Errc move_one(Direction direction, MutableBytes local, std::uint64_t remote, std::uint64_t key) {
        auto slice = Slice{.local = local.data(), .length = local.size(), .remote = remote, .key = key};
        const auto moved = move(direction, std::span(&slice, 1));
        CHECK_MESSAGE(moved.has_value(), (moved ? "" : moved.error().message()));
        return slice.outcome;
    }

    void close_server() { runtime.run(server.close()); }
    void close_client() { runtime.run(client.close()); }
    void close() {
        close_client();
        close_server();
    }

    /// A handshake, carried as an engine would.
    Task<std::string> carried(std::string question)
        requires HandshakingTransport<T>
    {
        co_return server.accept(std::move(question));
    }

    OrderedRuntime runtime{{.threads = 3}};
    std::shared_ptr<RegionTable> regions; ///< of the server
    T server, client;
    typename T::Link link; ///< from client to server
};

} // namespace mooncake::testing
