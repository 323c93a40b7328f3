// labels: io
#include <mooncake/core/combine.hpp>
#include <mooncake/core/random.hpp>
#include <mooncake/engine/transfer_engine.hpp>
#include <mooncake/metadata/memory.hpp>
#include <mooncake/testing/transport_pair.hpp>

#include "support/open_files.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace mooncake;
using namespace mooncake::test;
using namespace std::chrono_literals;

namespace {

struct TcpTraits : DefaultEngineTraits {
    using Transports = TransportSet<TcpTransport<>>;
    using Metadata = MemoryMetadata;
};
using Engine = TransferEngine<TcpTraits>;

constexpr std::size_t peers = 64, workers = 16;
constexpr std::uint64_t strip = 1 * KiB; ///< of each worker at each peer

/// The kernel's TCP connections that lead to one of some ports.
class Connections {
  public:
    void add(std::uint16_t port) { count_[port]; }

    /// Of those that are established, at the end that connected: most to one port, and all.
    struct Count {
        std::size_t most = 0, all = 0;
    };
    [[nodiscard]] Count established() {
        for (auto& [port, count] : count_) count = 0;
        auto seen = Pairs(); // a table that changes may say things twice
        for_each([&](unsigned local, unsigned remote, unsigned state) {
            if (state != established_state || !count_.contains(remote)) return;
            if (seen.emplace(local, remote).second) ++count_[remote];
        });
        auto result = Count();
        for (const auto& [port, count] : count_) result.most = std::max(result.most, count), result.all += count;
        return result;
    }
    /// Those that are in TIME_WAIT and were not when these began to be watched: other programs had the same ports.
    void begin() { before_ = in_time_wait(); }
    [[nodiscard]] std::size_t left_behind() const {
        auto left = in_time_wait();
        std::erase_if(left, [this](const auto& pair) { return before_.contains(pair); });
        return left.size();
    }

  private:
    using Pairs = std::set<std::pair<unsigned, unsigned>>;                ///< of ports
    static constexpr unsigned established_state = 1, time_wait_state = 6; // include/net/tcp_states.h of Linux

    [[nodiscard]] Pairs in_time_wait() const {
        auto pairs = Pairs();
        for_each([&](unsigned local, unsigned remote, unsigned state) {
            if (state == time_wait_state && (count_.contains(local) || count_.contains(remote)))
                pairs.emplace(local, remote);
        });
        return pairs;
    }

    /// Calls `see(local port, remote port, state)`.
    template <class See>
    static void for_each(See see) {
        auto table = std::ifstream("/proc/self/net/tcp");
        auto line = std::string();
        std::getline(table, line);
        while (std::getline(table, line)) {
            auto fields = std::istringstream(line);
            auto number = std::string(), local = std::string(), remote = std::string(), state = std::string();
            fields >> number >> local >> remote >> state;
            const auto hex = [](const std::string& text) {
                return static_cast<unsigned>(std::stoul(text.substr(text.find(':') + 1), nullptr, 16));
            };
            see(hex(local), hex(remote), hex(state));
        }
    }

    std::map<unsigned, std::size_t> count_;
    Pairs before_;
};

/// One engine that reads and writes at many.
struct Star {
    explicit Star(const TcpTransportConfig& config) : user(runtime, with("user", config)) {
        for (std::size_t i = 0; i < peers; ++i) {
            const auto name = "peer " + std::to_string(i);
            auto& owner = owners.emplace_back(runtime, with(name, {}));
            auto& bytes = memory.emplace_back(workers * strip);
            regions.push_back(runtime.run(owner.register_memory(bytes, Rights::read_write)).value());
            segments.push_back(runtime.run(user.open(name, 10s)).value());
            connections.add(parse_endpoint(segments.back().record().endpoints.front().description)->port);
        }
        connections.begin();
    }
    ~Star() {
        runtime.run(user.close());
        for (auto& owner : owners) runtime.run(owner.close());
    }
    Engine::Config with(std::string name, const TcpTransportConfig& tcp) const {
        auto config = Engine::Config{.name = std::move(name), .metadata = metadata};
        std::get<0>(config.transports) = tcp;
        return config;
    }

    /// `count` transfers, half of them writes, each of which is read back by the next one. How many went wrong.
    int transfer(std::size_t count) {
        auto wrong = std::atomic<int>(0);
        auto tasks = std::vector<Task<void>>();
        for (std::size_t i = 0; i < workers; ++i) tasks.push_back(work(this, i, count / workers / 2, &wrong));
        const auto all = [](std::vector<Task<void>> these) -> Task<void> {
            (void)co_await all_settled(std::move(these));
            co_return ok;
        };
        (void)runtime.run(all(std::move(tasks)));
        return wrong;
    }

    static Task<void> work(Star* star, std::size_t worker, std::size_t pairs, std::atomic<int>* wrong) {
        auto random = SplitMix64(worker + 1);
        auto sent = std::vector<std::byte>(strip), received = sent;
        for (std::size_t i = 0; i < pairs; ++i) {
            const auto peer = random() % peers;
            const auto length = 1 + random() % strip;
            const auto at = star->regions[peer]->offset + worker * strip + random() % (strip - length + 1);
            testing::fill(MutableBytes(sent).first(length), random());
            const auto out = ConstBytes(sent).first(length);
            const auto in = MutableBytes(received).first(length);
            const auto options = TransferOptions{.deadline = Deadline(30s)};
            const auto written = co_await star->user.write(out, star->segments[peer], at, options);
            const auto read = co_await star->user.read(in, star->segments[peer], at, options);
            *wrong += !written || !read || !testing::same(out, in);
        }
        co_return ok;
    }

    testing::OrderedRuntime runtime{{.threads = 2}};
    std::shared_ptr<MemoryMetadata> metadata = std::make_shared<MemoryMetadata>();
    Engine user;
    std::deque<Engine> owners;
    std::deque<std::vector<std::byte>> memory;
    std::vector<RegionPin> regions;
    std::vector<Engine::Segment> segments;
    Connections connections;
};

} // namespace

TEST_CASE("endpoints: 10,000 short transfers to 64 peers use few lanes to each, and leave no ports behind") {
    auto star = Star({});
    auto most = std::size_t{0};
    auto over = std::atomic<bool>(false);
    auto watching = std::jthread([&] {
        auto connections = star.connections;
        while (!over) {
            most = std::max(most, connections.established().most);
            std::this_thread::sleep_for(20ms);
        }
    });
    const auto begun = SteadyClock{}.now();
    CHECK(star.transfer(10'000) == 0);
    const auto took = SteadyClock{}.now() - begun;
    over = true;
    watching.join();
    const auto lanes = star.connections.established();
    const auto left_behind = star.connections.left_behind();
    CHECK(lanes.all >= peers);
    CHECK(std::max(most, lanes.most) <= 4);
    CHECK(left_behind == 0);
    MESSAGE(lanes.all, " lanes, at most ", std::max(most, lanes.most), " to a peer; ", left_behind,
            " ports in TIME_WAIT; ", std::chrono::duration_cast<std::chrono::milliseconds>(took).count(), " ms");
}

TEST_CASE("endpoints: lanes that nobody uses are closed, and made again for who comes back") {
    auto star = Star({.idle = 1s});
    for (auto round = 1U; round <= 2; ++round) {
        CHECK(star.transfer(1'000) == 0);
        CHECK(comes_true([&] { return star.connections.established().all == 0; }));
        CHECK(star.connections.left_behind() <= round * 4 * peers); // by lanes, not by transfers
    }
}

TEST_CASE("endpoints: with fewer lanes than peers all transfers arrive, and in quiet there are no more than that") {
    constexpr std::size_t most = 16;
    auto star = Star({.most_lanes = most});
    for (auto round = 0; round < 3; ++round) {
        CHECK(star.transfer(1'000) == 0);
        auto lanes = star.connections.established().all;
        CHECK(comes_true([&] { return (lanes = star.connections.established().all) <= most; }));
        CHECK(lanes > most / 2);
    }
}

TEST_CASE("endpoints: limits that make no sense are refused with a sentence") {
    auto runtime = Runtime({.threads = 1});
    const auto refuses = [&](const TcpTransportConfig& tcp, const char* sentence) {
        auto config = Engine::Config{.name = "odd", .metadata = std::make_shared<MemoryMetadata>()};
        std::get<0>(config.transports) = tcp;
        CHECK_THROWS_WITH_AS(Engine(runtime, config), doctest::Contains(sentence), boost::system::system_error);
    };
    refuses({.idle = 9ms}, "TcpTransportConfig::idle is 9 ms; give 10 ms to a year");
    refuses({.idle = std::chrono::milliseconds::max()}, "give 10 ms to a year");
    refuses({.most_lanes = 0}, "TcpTransportConfig::most_lanes is 0; give at least 1");
}
