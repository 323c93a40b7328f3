#include "support/copies.hpp"

/// Copies between cold sets, in order, block by block; the peer is memcpy.
namespace {

using namespace mooncake;

constexpr std::uint64_t set_bytes = 512 * MiB;

template <Copier C, std::size_t Block>
void copy(benchmark::State& state) {
    const auto source = bench::cold_arena(set_bytes), target = bench::cold_arena(set_bytes);
    const auto to = target->bytes(), from = source->bytes();
    bench::run(state, {.work_per_operation = Block,
                       .peer = "memcpy",
                       .ours = [=] { return bench::copy_all<C>(to, from, Block); },
                       .peers = {[=] { return bench::copy_all<MemcpyCopier>(to, from, Block); }}});
}

template <std::size_t Block>
void copy_and_hash(benchmark::State& state) {
    const auto source = bench::cold_arena(set_bytes), target = bench::cold_arena(set_bytes);
    const auto to = target->bytes(), from = source->bytes();
    const auto ours = [=] {
        return bench::timed(set_bytes, [=] {
            for (std::size_t at = 0; at < set_bytes; at += Block)
                benchmark::DoNotOptimize(mooncake::copy_and_hash(to.data() + at, from.data() + at, Block));
        });
    };
    bench::run(state, {.work_per_operation = Block,
                       .peer = "memcpy",
                       .ours = ours,
                       .peers = {[=] { return bench::copy_all<MemcpyCopier>(to, from, Block); }}});
}

const bench::Row rows[] = {
    bench::Row("memory/copy/auto/4096", &copy<AutoCopier, 4 * KiB>),
    bench::Row("memory/copy/auto/65536", &copy<AutoCopier, 64 * KiB>),
    bench::Row("memory/copy/auto/1048576", &copy<AutoCopier, 1 * MiB>),
    bench::Row("memory/copy/non_temporal/65536", &copy<NonTemporalCopier, 64 * KiB>),
    bench::Row("memory/copy/non_temporal/1048576", &copy<NonTemporalCopier, 1 * MiB>),
#if defined(__x86_64__)
    bench::Row("memory/copy/rep_movsb/65536", &copy<RepMovsbCopier, 64 * KiB>),
    bench::Row("memory/copy/rep_movsb/1048576", &copy<RepMovsbCopier, 1 * MiB>),
#endif
    bench::Row("memory/copy_and_hash/1048576", &copy_and_hash<1 * MiB>),
};

} // namespace
