#include "store/cluster.hpp"
#include "store/objects.hpp"
#include "support/redis.hpp"

/// Reads of objects whose descriptors the client keeps under their leases, so that nobody is asked. Small ones, one after the
/// other, against a get of as many bytes from a redis-server; each row `asked` is the same where nothing is kept.
namespace {

using namespace mooncake;

constexpr std::uint64_t lent_bytes = 1 * GiB, own_bytes = 256 * MiB, small = 64, block = 1 * MiB;
constexpr std::uint64_t small_count = 1000, small_reads = 20'000, block_count = 960;
constexpr std::uint32_t kept = 8192;

template <class Store>
Task<void> get_small(Store* store, const std::vector<std::string>* keys, Verify verify) {
    auto into = std::array<std::byte, small>();
    for (std::uint64_t i = 0; i < small_reads; ++i) {
        const auto size = co_await store->get_into((*keys)[i % keys->size()], into, {.verify = verify});
        if (!size) co_return size.error();
    }
    co_return ok;
}

template <class Store>
Task<void> view_small(Store* store, const std::vector<std::string>* keys, Verify verify) {
    for (std::uint64_t i = 0; i < small_reads; ++i) {
        const auto view = co_await store->view((*keys)[i % keys->size()], {.verify = verify});
        if (!view) co_return view.error();
        if (!view->valid() || !view->zero_copy()) co_return Error(Errc::not_mapped, "the row is for views in place");
    }
    co_return ok;
}

template <class Store>
void read_small(benchmark::State& state, Runtime& runtime, Store& store,
                Task<void> (*how)(Store*, const std::vector<std::string>*, Verify), Verify verify) {
    auto bytes = std::vector<std::byte>(small, std::byte{7});
    auto objects = bench::Objects<Store>{.store = &store, .memory = bytes, .block = small, .count = small_count};
    (void)objects.put(runtime);
    auto keys = std::vector<std::string>();
    for (std::uint64_t i = 0; i < small_count; ++i) keys.push_back(bench::object_key(i));
    auto redis = bench::Redis();
    redis.set("key", std::string(small, 'x'));
    bench::run(state, {.unit = bench::Unit::calls,
                       .peer = "redis_get",
                       .ours =
                           [&] {
                               return bench::timed(static_cast<double>(small_reads),
                                                   [&] { bench::must(runtime.run(how(&store, &keys, verify))); });
                           },
                       .peers = {[&] { return redis.get("key", small, 2'000, 1); }}});
}

void embedded_small(benchmark::State& state, std::uint32_t descriptors, Verify verify,
                    Task<void> (*how)(EmbeddedStore<>*, const std::vector<std::string>*, Verify)) {
    auto runtime = Runtime();
    auto config = EmbeddedStore<>::Config();
    config.master.capacity = 64 * MiB;
    config.client.cached_descriptors = descriptors;
    auto store = EmbeddedStore<>(runtime, std::move(config));
    read_small(state, runtime, store, how, verify);
}

void cluster_small(benchmark::State& state, std::uint32_t descriptors, const std::string& way) {
    const auto cluster = bench::Cluster(64 * MiB, way);
    auto runtime = Runtime();
    auto config = ClusterStore::Config();
    config.master.rpc.server = bench::must(parse_endpoint(cluster.master.address()));
    config.client.cached_descriptors = descriptors;
    auto store = ClusterStore(runtime, std::move(config));
    read_small(state, runtime, store, &get_small<ClusterStore>, Verify::unless_leased);
}

/// Objects of 1 MiB, against copies between memories as cold.
void embedded_blocks(benchmark::State& state, Verify verify) {
    auto runtime = Runtime();
    auto config = EmbeddedStore<>::Config();
    config.master.capacity = lent_bytes;
    config.client.cached_descriptors = kept;
    auto store = EmbeddedStore<>(runtime, std::move(config));
    const auto own = bench::cold_arena(own_bytes), other = bench::cold_arena(block_count * block);
    auto objects = bench::Objects<EmbeddedStore<>>{
        .store = &store, .memory = own->bytes(), .count = block_count, .options = {.verify = verify}};
    (void)objects.put(runtime);
    bench::run(state,
               {.work_per_operation = block,
                .peer = "copy",
                .ours = [&] { return objects.get(runtime); },
                .peers = bench::copies(runtime, own->bytes(), other->bytes().first(block_count * block), block)});
}

using State = benchmark::State;
const auto rows = std::array{
    bench::Row("store/get/cached/64",
               [](State& state) { embedded_small(state, kept, Verify::unless_leased, &get_small<EmbeddedStore<>>); }),
    bench::Row("store/get/cached_verified/64",
               [](State& state) { embedded_small(state, kept, Verify::always, &get_small<EmbeddedStore<>>); }),
    bench::Row("store/get/asked/64",
               [](State& state) { embedded_small(state, 0, Verify::unless_leased, &get_small<EmbeddedStore<>>); }),
    bench::Row("store/view/64",
               [](State& state) { embedded_small(state, kept, Verify::unless_leased, &view_small<EmbeddedStore<>>); }),
    bench::Row("store/view/asked/64",
               [](State& state) { embedded_small(state, 0, Verify::unless_leased, &view_small<EmbeddedStore<>>); }),
    bench::Row("store/get/cached_shm/64", [](State& state) { cluster_small(state, kept, "shm"); }),
    bench::Row("store/get/asked_shm/64", [](State& state) { cluster_small(state, 0, "shm"); }),
    bench::Row("store/get/cached/1048576", [](State& state) { embedded_blocks(state, Verify::unless_leased); }),
    bench::Row("store/get/cached_verified/1048576", [](State& state) { embedded_blocks(state, Verify::always); }),
};

} // namespace
