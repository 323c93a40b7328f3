#include <mooncake/core/combine.hpp>
#include <mooncake/rpc/client.hpp>
#include <mooncake/store/master/server.hpp>
#include <mooncake/store/messages.hpp>

#include "cluster/daemon.hpp"
#include "store/objects.hpp"
#include "support/pairs.hpp"
#include "support/redis.hpp"
#include "support/serve.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

/// What a master in another process answers over one connection, 24-byte keys among 100,000, no bytes of objects moved: whether
/// keys are there, where they are (under a lease, given back 64 batches later), and space for new ones. The peer is a
/// redis-server that is asked as often for one value of 64 bytes.
namespace {

using namespace mooncake;

constexpr std::uint64_t key_count = 100'000, batch_size = 128, batches = 500, depth = 64, mixed_size = 333;

/// A master whose segments need no heartbeats, so that there need be no node.
void serve_master(std::vector<std::string>) {
    auto runtime = Runtime();
    auto config = MasterServer<>::Config{.log = cluster::stderr_log("master")};
    config.master.segment_ttl = Duration::max();
    auto server = MasterServer<>(runtime, std::move(config));
    server.start();
    cluster::announce(to_string(server.endpoint()));
    cluster::wait_for_stop();
    runtime.run(server.close());
}

const auto role = bench::Role("master_alone", &serve_master);

std::string key_of(std::uint64_t number) {
    const auto text = std::to_string(number);
    return "block-of-prompt-" + std::string(8 - text.size(), '0') + text;
}

/// A master with a segment of `bytes` that nobody has, and `count` objects of 4 KiB in it.
struct Asked {
    explicit Asked(std::uint64_t bytes, std::uint64_t count = key_count) : master("master_alone", {}) {
        auto mount = store::SegmentMount{.name = "nobody's", .generation = 1, .host = "here", .bytes = bytes};
        bench::must(runtime.run(client.call(mount)));
        for (std::uint64_t first = 0; first < count; first += 1'000) {
            auto start = store::PutStart();
            for (std::uint64_t i = first; i < first + 1'000; ++i) start.keys.push_back(key_of(i));
            bench::must(runtime.run(put(&client, std::move(start))));
        }
        auto random = std::minstd_rand(1);
        for (std::uint64_t i = 0; i < batches; ++i) {
            auto& batch = drawn.emplace_back();
            for (std::uint64_t k = 0; k < batch_size; ++k) batch.push_back(key_of(random() % count));
        }
    }
    ~Asked() { runtime.run(client.close()); }

    /// Space for the keys of `start`, and the end of writing to it.
    static Task<void> put(RpcClient<>* client, store::PutStart start) {
        start.sizes.assign(start.keys.size(), 4 * KiB);
        const auto started = co_await client->call(start);
        if (!started) co_return started.error();
        auto end = store::PutEnd{.term = started->term};
        for (std::size_t i = 0; i < start.keys.size(); ++i) {
            const auto& space = started->objects.at(i);
            if (space.outcome != Errc::ok) continue;
            end.objects.push_back({.key = std::move(start.keys[i]), .version = space.version, .checksums = {0}});
        }
        const auto ended = co_await client->call(end);
        if (!ended) co_return ended.error();
        co_return ok;
    }

    bench::Child master;
    Runtime runtime{{.threads = 1}};
    RpcClient<> client{runtime.executor(), {.server = bench::must(parse_endpoint(master.address()))}};
    std::vector<std::vector<std::string>> drawn = {}; ///< batches of keys
};

Task<void> exist(Asked* asked) {
    for (const auto& keys : asked->drawn) {
        const auto query = store::Query{.keys = keys};
        const auto reply = co_await asked->client.call(query);
        if (!reply) co_return reply.error();
        if (reply->outcomes.back() != Errc::ok) co_return reply->outcomes.back();
    }
    co_return ok;
}

/// Of each batch `count` keys, from the `first` on.
Task<void> look_up_some(Asked* asked, std::size_t first, std::size_t count) {
    auto held = store::Release();
    for (const auto& keys : asked->drawn) {
        auto get = store::Get();
        for (auto i = first; i < first + count; ++i) get.keys.push_back(keys[i]);
        const auto reply = co_await asked->client.call(get);
        if (!reply) co_return reply.error();
        if (reply->objects.back().outcome != Errc::ok) co_return reply->objects.back().outcome;
        held.leases.push_back(reply->lease);
        if (held.leases.size() != 64) continue;
        const auto released = co_await asked->client.call(held);
        if (!released) co_return released.error();
        held.leases.clear();
    }
    co_return ok;
}
Task<void> look_up(Asked* asked) { return look_up_some(asked, 0, batch_size); }

Task<void> look_up_many(Asked* asked) {
    auto tasks = std::vector<Task<void>>();
    for (std::uint64_t i = 0; i < depth; ++i) tasks.push_back(look_up_some(asked, i, 1));
    co_return co_await all_or_cancel(std::move(tasks));
}

void against_mget(benchmark::State& state, Task<void> (*how)(Asked*)) {
    auto asked = Asked(1 * GiB);
    auto redis = bench::Redis();
    redis.set("key", std::string(64, 'x'));
    bench::run(
        state,
        {.unit = bench::Unit::items,
         .work_per_operation = batch_size,
         .peer = "redis_mget128",
         .ours =
             [&] { return bench::timed(batches * batch_size, [&] { bench::must(asked.runtime.run(how(&asked))); }); },
         .peers = {[&] { return redis.get_many("key", 64, batches, batch_size); }}});
}

void pipelined(benchmark::State& state) {
    auto asked = Asked(1 * GiB);
    auto redis = bench::Redis();
    redis.set("key", std::string(64, 'x'));
    bench::run(state, {.unit = bench::Unit::items,
                       .peer = "redis_get_d64",
                       .ours =
                           [&] {
                               return bench::timed(batches * depth,
                                                   [&] { bench::must(asked.runtime.run(look_up_many(&asked))); });
                           },
                       .peers = {[&] { return redis.get("key", 64, batches, depth); }}});
}

/// Only the start is timed; what was started is aborted.
void put_start(benchmark::State& state) {
    auto asked = Asked(1 * GiB);
    auto next = key_count;
    const auto ours = [&] {
        auto seconds = 0.0;
        for (std::uint64_t i = 0; i < batches; ++i) {
            auto start = store::PutStart();
            for (std::uint64_t k = 0; k < batch_size; ++k) start.keys.push_back(key_of(next++));
            start.sizes.assign(batch_size, 4 * KiB);
            auto reply = Result<store::PutStartReply>(Errc::closed);
            seconds += bench::timed(0, [&] { reply = asked.runtime.run(asked.client.call(start)); }).seconds;
            auto abort = store::PutAbort{
                .keys = std::move(start.keys), .writer = store::WriterState::settled, .term = bench::must(reply).term};
            for (const auto& space : reply->objects) abort.versions.push_back(space.version);
            bench::must(asked.runtime.run(asked.client.call(abort)));
        }
        return bench::Sample{.work = batches * batch_size, .seconds = seconds};
    };
    const auto look_ups = [&] {
        auto held = store::Release();
        auto seconds = 0.0;
        for (const auto& keys : asked.drawn) {
            auto reply = Result<store::GetReply>(Errc::closed);
            seconds += bench::timed(0, [&] {
                           reply = asked.runtime.run(asked.client.call(store::Get{.keys = keys}));
                       }).seconds;
            held.leases.push_back(bench::must(reply).lease);
        }
        bench::must(asked.runtime.run(asked.client.call(held)));
        return bench::Sample{.work = batches * batch_size, .seconds = seconds};
    };
    bench::run(state, {.unit = bench::Unit::items,
                       .work_per_operation = batch_size,
                       .peer = "lookup_rpc",
                       .ours = ours,
                       .peers = {look_ups}});
}

/// Half of the batches put, into a segment that is full. The row's time is the median; the counters, in microseconds, are the slowest.
void mixed(benchmark::State& state) {
    auto asked = Asked(256 * MiB, 65'000);
    auto random = std::minstd_rand(2);
    auto next = key_count;
    auto times = std::vector<double>();
    for (auto i = 0; i < 6'000; ++i) {
        const auto puts = i % 2 == 0;
        auto start = store::PutStart();
        auto get = store::Get();
        for (std::uint64_t k = 0; k < mixed_size; ++k)
            puts ? start.keys.push_back(key_of(next++)) : get.keys.push_back(key_of(next - 1 - random() % 60'000));
        auto lease = std::uint64_t{0};
        times.push_back(1e6 *
                        bench::timed(0, [&] {
                            if (puts)
                                return bench::must(asked.runtime.run(Asked::put(&asked.client, std::move(start))));
                            lease = bench::must(asked.runtime.run(asked.client.call(get))).lease;
                        }).seconds);
        if (lease != 0) bench::must(asked.runtime.run(asked.client.call(store::Release{.leases = {lease}})));
        if (i == 999) times.clear(); // warm
    }
    std::ranges::sort(times);
    const auto at = [&](double share) {
        return times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))];
    };
    for (auto _ : state) state.SetIterationTime(at(.5) * 1e-6);
    state.counters["p99"] = at(.99);
    state.counters["p99.9"] = at(.999);
    state.counters["p99.9_vs_p50"] = at(.999) / at(.5);
}

const auto rows = std::array{
    bench::Row("store/exists_rpc/batch:128", [](benchmark::State& state) { against_mget(state, &exist); }),
    bench::Row("store/lookup_rpc/batch:128", [](benchmark::State& state) { against_mget(state, &look_up); }),
    bench::Row("store/lookup_rpc/pipelined:64", &pipelined),
    bench::Row("store/put_start/batch:128", &put_start),
    bench::Row("store/mixed_rpc/batch:333", &mixed),
};

} // namespace
