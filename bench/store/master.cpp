#include <mooncake/store/master/master.hpp>

#include "store/objects.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <array>
#include <chrono>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Objects looked up and leased in a master in this process, any of a million of them, a key a message or 128; the leases are
/// given back, 128 a message. Beside it what one would write without it: a hash map in 256 shards, each with its mutex, in which
/// the lease is a time. Both have the keys as strings, and compute the time once a message.
namespace {

using namespace mooncake;

constexpr std::uint64_t objects = 1'000'000, lookups = 256'000, leases_a_release = 128;

std::vector<std::string> names() {
    auto all = std::vector<std::string>();
    all.reserve(objects);
    for (std::uint64_t i = 0; i < objects; ++i)
        all.push_back("model/layer/" + std::to_string(100'000'000'000 + i)); // 24 bytes
    return all;
}

class Ours {
  public:
    explicit Ours(const std::vector<std::string>& keys) {
        bench::must(master_.handle(store::SegmentMount{.name = "node", .generation = 1, .bytes = objects * 64}));
        constexpr std::size_t at_once = 1'000;
        for (std::size_t begin = 0; begin < keys.size(); begin += at_once) {
            const auto first = keys.begin() + static_cast<std::ptrdiff_t>(begin);
            const auto start =
                store::PutStart{.keys = {first, first + at_once}, .sizes = std::vector<std::uint64_t>(at_once, 64)};
            const auto space = master_.handle(start).value();
            auto end = store::PutEnd();
            for (std::size_t i = 0; i < at_once; ++i)
                end.objects.push_back(
                    {.key = start.keys[i], .version = space.objects[i].version, .checksums = {std::uint64_t{1}}});
            (void)master_.handle(end).value();
        }
    }

    void look_up(const std::vector<std::string>& keys, std::size_t at_once) {
        auto message = store::Get{.keys = std::vector<std::string>(at_once)};
        auto held = store::Release();
        for (std::size_t i = 0; i < keys.size(); i += at_once) {
            for (std::size_t k = 0; k < at_once; ++k) message.keys[k] = keys[i + k];
            const auto reply = master_.handle(message).value();
            if (reply.objects.back().outcome != Errc::ok) bench::must(Result<void>(Errc::not_found));
            held.leases.push_back(reply.lease);
            if (held.leases.size() == leases_a_release) bench::must(master_.handle(std::exchange(held, {})));
        }
        bench::must(master_.handle(held));
    }

  private:
    Master<> master_{MasterConfig{.segment_ttl = Duration::max()}};
};

class ShardedMap {
  public:
    explicit ShardedMap(const std::vector<std::string>& keys) {
        for (const auto& key : keys) shard_of(key).objects.emplace(key, Entry{.size = 64});
    }

    void look_up(const std::vector<std::string>& keys, std::size_t at_once) {
        for (std::size_t i = 0; i < keys.size(); i += at_once) {
            const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
            for (std::size_t k = 0; k < at_once; ++k) {
                auto& shard = shard_of(keys[i + k]);
                const auto lock = std::lock_guard(shard.mutex);
                auto& entry = shard.objects.find(keys[i + k])->second;
                entry.lease = end;
                benchmark::DoNotOptimize(entry.size);
            }
        }
    }

  private:
    struct Hash {
        std::size_t operator()(std::string_view key) const noexcept { return hash_text(key); }
    };
    struct Entry {
        std::uint64_t size = 0, segment = 0, offset = 0, version = 0;
        TimePoint lease{};
    };
    struct alignas(64) Shard {
        std::mutex mutex;
        boost::unordered_flat_map<std::string, Entry, Hash> objects;
    };
    Shard& shard_of(std::string_view key) { return (*shards_)[Hash{}(key) >> 56]; }

    std::unique_ptr<std::array<Shard, 256>> shards_ = std::make_unique<std::array<Shard, 256>>();
};

void look_up(benchmark::State& state, std::size_t at_once) {
    const auto all = names();
    auto ours = Ours(all);
    auto map = ShardedMap(all);
    auto random = std::mt19937_64(1);
    auto keys = std::vector<std::string>();
    for (std::uint64_t i = 0; i < lookups; ++i) keys.push_back(all[random() % all.size()]);
    const auto of = [&](auto& one) {
        return [&] { return bench::timed(static_cast<double>(lookups), [&] { one.look_up(keys, at_once); }); };
    };
    bench::run(state, {.unit = bench::Unit::items,
                       .work_per_operation = static_cast<double>(at_once),
                       .peer = "sharded_map",
                       .ours = of(ours),
                       .peers = {of(map)}});
}

const auto rows = std::array{
    bench::Row("store/lookup/in_process", [](benchmark::State& state) { look_up(state, 1); }),
    bench::Row("store/lookup/in_process/batch:128", [](benchmark::State& state) { look_up(state, 128); }),
};

} // namespace
