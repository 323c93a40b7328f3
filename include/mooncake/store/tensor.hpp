#pragma once

/// Tensors in a store: an object that begins with a small header, so that whoever gets it knows its shape, and can read some of
/// it. An entry of its own: nothing else includes it.

#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/task.hpp>
#include <mooncake/store/client/options.hpp>
#include <mooncake/store/tensor_layout.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

/// A tensor, or some of one, that was read.
struct Tensor {
    TensorLayout layout{};         ///< of `elements()`
    std::vector<std::byte> data{}; ///< with what lies before the first element
    std::uint64_t first = 0;       ///< where that is in `data`

    [[nodiscard]] ConstBytes elements() const noexcept { return ConstBytes(data).subspan(first); }
};

namespace store::detail {

/// Elements that lie in memory with gaps, as what is to be stored: row-major runs without.
struct Packed {
    std::vector<ConstBytes> pieces;
    std::vector<std::byte> copy; ///< what some pieces look at
};

/// Runs below `worth_a_piece` bytes, or too many of them, are copied together. Requires: it is valid, has strides, is in `memory`.
[[nodiscard]] inline Packed pack(const TensorLayout& layout, ConstBytes memory) {
    constexpr auto worth_a_piece = 4 * KiB, most_pieces = std::uint64_t{1024};
    auto packed = Packed();
    const auto total = bytes_of_elements(layout);
    if (total == 0) return packed;
    auto run = bytes_of_element(layout.dtype);
    auto outer = layout.shape.size(); // the dimensions in front of those that are without gaps
    const auto element = run;
    while (outer > 0 && (layout.shape[outer - 1] == 1 || layout.strides[outer - 1] * element == run))
        run *= layout.shape[--outer];
    const auto as_pieces = run >= worth_a_piece && total / run <= most_pieces;
    if (!as_pieces) packed.copy.reserve(total);
    auto index = std::vector<std::uint64_t>(outer);
    for (auto left = total / run; left > 0; --left) {
        auto at = std::uint64_t{0};
        for (std::size_t i = 0; i < outer; ++i) at += index[i] * layout.strides[i] * element;
        const auto piece = memory.subspan(at, run);
        if (as_pieces) packed.pieces.push_back(piece);
        else packed.copy.insert(packed.copy.end(), piece.begin(), piece.end());
        for (auto i = outer; i-- > 0;) {
            if (++index[i] < layout.shape[i]) break;
            index[i] = 0;
        }
    }
    if (!as_pieces) packed.pieces.emplace_back(packed.copy);
    return packed;
}

[[nodiscard]] inline Error of_tensor(std::string_view key, const Error& error) {
    return {error.code(), "tensor " + in_quotes(key) + ": " + std::string(error.context())};
}

} // namespace store::detail

/// Stores a tensor whose elements lie in `memory`. Those without gaps between them are stored as they lie, in whatever order of
/// dimensions; else they are stored row-major, gathered from where they are.
/// Errors: as `put`; `invalid_argument` (the layout, or `memory` is too small for it), `too_large`.
/// Lifetime: `memory` and the store outlive the task.
template <class Store>
Task<PutReceipt> put_tensor(Store* store, std::string key, TensorLayout layout, ConstBytes memory,
                            PutOptions options = {}) {
    if (auto valid = validate(layout); !valid) co_return store::detail::of_tensor(key, valid.error());
    layout = with_strides(std::move(layout));
    const auto spanned = bytes_spanned(layout);
    if (memory.size() < spanned)
        co_return store::detail::of_tensor(
            key,
            Error(Errc::invalid_argument, "its shape and strides reach " + std::to_string(spanned) +
                                              " bytes, and the memory given has " + std::to_string(memory.size())));
    auto packed = store::detail::Packed();
    if (bytes_of_elements(layout) == spanned) packed.pieces.push_back(memory.first(spanned));
    else {
        packed = store::detail::pack(layout, memory);
        layout.strides.clear();
    }
    const auto header = encode_tensor(layout);
    packed.pieces.insert(packed.pieces.begin(), ConstBytes(header));
    co_return co_await store->put_gathered(key, packed.pieces, options);
}

/// All of a tensor. Errors: as `get`; `invalid_argument`: it is no tensor, and the sentence says why.
/// Lifetime: the store outlives the task.
template <class Store>
Task<Tensor> get_tensor(Store* store, std::string key, GetOptions options = {}) {
    auto data = co_await store->get(key, options);
    if (!data) co_return data.error();
    auto layout = decode_tensor(*data, data->size());
    if (!layout) co_return store::detail::of_tensor(key, layout.error());
    co_return Tensor{.layout = std::move(*layout), .data = std::move(*data), .first = sizeof(TensorHeader)};
}

/// What a tensor is, without its elements. Errors: as `get_tensor`. Lifetime: the store outlives the task.
template <class Store>
Task<TensorLayout> get_tensor_layout(Store* store, std::string key, RangeOptions options = {}) {
    auto header = TensorHeader();
    const auto size = co_await store->get_range(key, 0, header, options);
    if (size.error() == Errc::out_of_range) co_return store::detail::of_tensor(key, decode_tensor({}, 0).error());
    if (!size) co_return size.error();
    auto layout = decode_tensor(header, *size);
    if (!layout) co_return store::detail::of_tensor(key, layout.error());
    co_return std::move(*layout);
}

/// Elements `first` … `first + count - 1` of the first dimension, and nothing else of it is read but the header, which is read
/// before. Both are of one version, whoever writes meanwhile.
/// Errors: as `get_tensor`; `out_of_range`; `not_supported` (it was put with its dimensions in another order, so that these
/// elements do not lie together); `conflict` (it is replaced faster than it can be read). Lifetime: the store outlives the task.
template <class Store>
Task<Tensor> get_tensor_slice(Store* store, std::string key, std::uint64_t first, std::uint64_t count,
                              RangeOptions options = {}) {
    constexpr auto attempts = 8;
    for (auto attempt = 1;; ++attempt) {
        auto version = std::uint64_t{0};
        auto heading = options;
        heading.version_read = &version;
        auto described = co_await get_tensor_layout(store, key, heading);
        if (!described) co_return described.error();
        auto& layout = *described;
        if (layout.shape.empty())
            co_return store::detail::of_tensor(
                key, Error(Errc::out_of_range, "it has no dimensions to slice; get all of its one element"));
        if (first > layout.shape[0] || count > layout.shape[0] - first)
            co_return store::detail::of_tensor(
                key, Error(Errc::out_of_range, std::to_string(count) + " from " + std::to_string(first) +
                                                   " on are wanted of its first dimension, and that has " +
                                                   std::to_string(layout.shape[0])));
        const auto inner = store::detail::span_of(layout, 1).value();
        if (layout.shape[0] > 1 && inner > layout.strides[0])
            co_return store::detail::of_tensor(
                key, Error(Errc::not_supported, "its first dimension is not its outermost: it has stride " +
                                                    std::to_string(layout.strides[0]) +
                                                    ", and what is inside of it reaches " + std::to_string(inner) +
                                                    " elements; put it row-major, or get all of it"));
        const auto element = bytes_of_element(layout.dtype);
        const auto at = sizeof(TensorHeader) + first * layout.strides[0] * element;
        layout.shape[0] = count;
        auto slice = Tensor{.layout = std::move(layout)};
        slice.data.resize(bytes_spanned(slice.layout));
        auto reading = options;
        reading.version = version;
        const auto size = co_await store->get_range(key, at, slice.data, reading);
        if (size) co_return slice;
        if (size.error() != Errc::conflict || attempt == attempts) co_return size.error();
    }
}

} // namespace mooncake
