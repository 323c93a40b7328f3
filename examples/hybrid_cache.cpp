// A block of a hybrid cache: parts of unequal size that are there together or not at all.
#include <mooncake/mooncake.hpp>
#include <mooncake/store/group.hpp>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <utility>
#include <vector>

using namespace mooncake;

Task<void> share(EmbeddedStore<>* store) {
    // Of 256 tokens: keys and values of the layers with full attention, those of the sliding window, and the state of an SSM.
    const auto full = std::vector<std::byte>(2 * 256 * 1024, std::byte{1});
    const auto window = std::vector<std::byte>(100'000, std::byte{2});
    const auto state = std::vector<std::byte>(4'321, std::byte{3});
    auto put = put_group(store, "block-1", {full, window, state});
    const auto stored = co_await std::move(put);
    if (!stored) co_return stored.error();

    // Whoever has the same model knows the sizes: one round trip, each part to where it belongs.
    auto full_here = std::vector<std::byte>(full.size()), window_here = std::vector<std::byte>(window.size()),
         state_here = std::vector<std::byte>(state.size());
    auto get = get_group_into(store, "block-1", {full_here, window_here, state_here});
    const auto got = co_await std::move(get);
    if (!got) co_return got.error();
    if (full_here != full || window_here != window || state_here != state)
        co_return Error(Errc::corrupt, "these are other parts");

    // Whoever does not asks for them, and may read one part alone.
    auto ask = get_group_layout(store, "block-1");
    const auto layout = co_await std::move(ask);
    if (!layout) co_return layout.error();
    std::cout << layout->parts() << " parts:";
    for (std::size_t i = 0; i < layout->parts(); ++i) std::cout << ' ' << layout->size(i);
    std::cout << " bytes, in an object of " << layout->bytes() << '\n';
    auto get_state = get_group_part(store, "block-1", 2, state_here);
    const auto part = co_await std::move(get_state);
    if (!part) co_return part.error();

    auto wrong = get_group_into(store, "block-1", {full_here, state_here});
    const auto error = co_await std::move(wrong);
    std::cout << error.error().message() << '\n';
    if (error) co_return Error(Errc::corrupt, "memory for two parts took three");
    co_return ok;
}

int main() {
    Runtime runtime;
    EmbeddedStore<> store{runtime};
    const auto shared = runtime.run(share(&store));
    if (!shared) std::cerr << shared.error().message() << '\n';
    return shared ? EXIT_SUCCESS : EXIT_FAILURE;
}
