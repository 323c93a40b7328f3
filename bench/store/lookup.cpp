#include <mooncake/store/key_digest.hpp>

#include "store/objects.hpp"

#include <random>

/// Keys looked up in batches of 128, anywhere among 100,000, in a store that is all in this process: whether they are
/// there, and the same with a lease on each, given back after.
namespace {

using namespace mooncake;

constexpr std::uint64_t key_count = 100'000, batch_size = 128, batches = 2'000;

Task<void> exist(EmbeddedStore<>* store, const std::vector<std::string_view>* keys) {
    for (std::uint64_t i = 0; i < batches; ++i) {
        const auto batch = std::span(*keys).subspan(i * batch_size, batch_size);
        const auto found = co_await store->exists_batch(batch);
        if (!found) co_return found.error();
        if (found->back() != Errc::ok) co_return found->back();
    }
    co_return ok;
}

Task<void> lease(EmbeddedStore<>* store, const std::vector<std::string_view>* keys) {
    for (std::uint64_t i = 0; i < batches; ++i) {
        const auto batch = std::span(*keys).subspan(i * batch_size, batch_size);
        const auto found = co_await store->lease_batch(batch);
        if (!found) co_return found.error();
        if (found->outcomes.back() != Errc::ok) co_return found->outcomes.back();
        const auto released = co_await store->release(found->lease.id);
        if (!released) co_return released.error();
    }
    co_return ok;
}

std::string text_key(std::uint64_t number) { return bench::object_key(number); }
std::string digest_key(std::uint64_t number) {
    const auto digest = digest_of(std::as_bytes(std::span(&number, 1)));
    return std::string(std::string_view(digest));
}

void look_up(benchmark::State& state, Task<void> (*how)(EmbeddedStore<>*, const std::vector<std::string_view>*),
             std::string (*key)(std::uint64_t) = &text_key) {
    auto runtime = Runtime();
    auto config = EmbeddedStore<>::Config();
    config.master.capacity = 64 * MiB;
    auto store = EmbeddedStore<>(runtime, std::move(config));
    auto names = std::vector<std::string>();
    for (std::uint64_t i = 0; i < key_count; ++i) names.push_back(key(i));
    const auto value = std::vector<std::byte>(64, std::byte{1});
    for (const auto& name : names) bench::must(runtime.run(store.put(name, value)));
    auto random = std::minstd_rand(1);
    auto keys = std::vector<std::string_view>();
    for (std::uint64_t i = 0; i < batches * batch_size; ++i) keys.emplace_back(names[random() % names.size()]);
    const auto ours = [&] {
        return bench::timed(static_cast<double>(keys.size()), [&] { bench::must(runtime.run(how(&store, &keys))); });
    };
    bench::run(state, {.unit = bench::Unit::items, .work_per_operation = batch_size, .ours = ours});
}

const auto rows = std::array{
    bench::Row("store/lookup/batch:128", [](benchmark::State& state) { look_up(state, &exist); }),
    bench::Row("store/lookup/digests:128", [](benchmark::State& state) { look_up(state, &exist, &digest_key); }),
    bench::Row("store/lease/batch:128", [](benchmark::State& state) { look_up(state, &lease); }),
};

} // namespace
