#include "store/objects.hpp"

/// Objects of 1 MiB in a store that is all in this process, one after another. The peer copies as much between cold
/// memories, without asking anybody where, and without checksums.
namespace {

using namespace mooncake;

constexpr std::uint64_t block = 1 * MiB, capacity = 1 * GiB, own_bytes = 256 * MiB, count = 960;

using Objects = bench::Objects<EmbeddedStore<>>;

void get(benchmark::State& state) {
    auto runtime = Runtime();
    auto config = EmbeddedStore<>::Config();
    config.master.capacity = capacity;
    auto store = EmbeddedStore<>(runtime, std::move(config));
    const auto own = bench::cold_arena(own_bytes), other = bench::cold_arena(count * block);
    auto objects = Objects{.store = &store, .memory = own->bytes(), .count = count};
    (void)objects.put(runtime);
    bench::run(state, {.work_per_operation = block,
                       .peer = "copy",
                       .ours = [&] { return objects.get(runtime); },
                       .peers = bench::copies(runtime, own->bytes(), other->bytes().first(count * block), block)});
}

/// Into a store that is full: each put evicts an older object.
void put(benchmark::State& state) {
    auto runtime = Runtime();
    auto config = EmbeddedStore<>::Config();
    config.master.capacity = capacity;
    auto store = EmbeddedStore<>(runtime, std::move(config));
    const auto own = bench::cold_arena(own_bytes), other = bench::cold_arena(count * block);
    auto objects = Objects{.store = &store, .memory = own->bytes(), .count = count};
    const auto ours = [&] {
        const auto sample = objects.put(runtime);
        objects.first += count;
        return sample;
    };
    // The other way round: from the small set into the large one.
    const auto from = own->bytes();
    const auto to = other->bytes().first(count * block);
    auto peers = std::vector<bench::Measure>();
    const auto add = [&]<Copier C>(C) {
        peers.push_back(bench::on(runtime, [=] {
            return bench::timed(static_cast<double>(to.size()), [=] {
                for (std::size_t at = 0; at < to.size(); at += block)
                    C::copy(to.data() + at, from.data() + at % from.size(), block);
            });
        }));
    };
    add(MemcpyCopier());
    add(NonTemporalCopier());
#if defined(__x86_64__)
    add(RepMovsbCopier());
#endif
    bench::run(state, {.work_per_operation = block, .peer = "copy", .ours = ours, .peers = std::move(peers)});
}

const auto rows =
    std::array{bench::Row("store/get/embedded/1048576", &get), bench::Row("store/put/embedded/1048576", &put)};

} // namespace
