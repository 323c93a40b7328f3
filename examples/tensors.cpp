// A layer's KV cache as a tensor: put from where it lies, and some of it read without the rest.
#include <mooncake/mooncake.hpp>
#include <mooncake/store/tensor.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <span>
#include <vector>

using namespace mooncake;

Task<void> share(EmbeddedStore<>* store) {
    // 128 tokens, 8 heads of 64 numbers each, in a cache with room for 16 heads a token: every token has a gap behind it.
    auto cache = std::vector<std::uint16_t>(128 * 16 * 64);
    for (std::size_t i = 0; i < cache.size(); ++i) cache[i] = static_cast<std::uint16_t>(i / (16 * 64)); // the token
    auto layout = TensorLayout{.dtype = DType::bf16, .shape = {128, 8, 64}, .strides = {16 * 64, 64, 1}};
    auto put = put_tensor(store, "request-1/layer-0", layout, std::as_bytes(std::span(cache)));
    const auto stored = co_await std::move(put);
    if (!stored) co_return stored.error();

    auto get = get_tensor_slice(store, "request-1/layer-0", 100, 4);
    const auto slice = co_await std::move(get);
    if (!slice) co_return slice.error();
    auto token = std::uint16_t{0};
    std::memcpy(&token, slice->elements().data(), sizeof token);
    std::cout << slice->layout.shape[0] << " tokens from token " << token << " on: " << slice->elements().size()
              << " of the " << bytes_of_elements(layout) << " bytes\n";

    auto beyond = get_tensor_slice(store, "request-1/layer-0", 126, 4);
    const auto error = co_await std::move(beyond);
    std::cout << error.error().message() << '\n';
    if (token != 100) co_return Error(Errc::corrupt, "these are other tokens");
    co_return ok;
}

int main() {
    Runtime runtime;
    EmbeddedStore<> store{runtime};
    const auto shared = runtime.run(share(&store));
    if (!shared) std::cerr << shared.error().message() << '\n';
    return shared ? EXIT_SUCCESS : EXIT_FAILURE;
}
