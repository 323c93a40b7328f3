// labels: io coroutine
#include <mooncake/store/store.hpp>
#include <mooncake/store/tensor.hpp>

#include "embedded_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <future>
#include <numeric>
#include <string>
#include <vector>

using namespace mooncake;

namespace {

using Fixture = test::EmbeddedFixture;
using Numbers = std::vector<std::uint16_t>;

Numbers counted(std::size_t count) {
    auto numbers = Numbers(count);
    std::iota(numbers.begin(), numbers.end(), std::uint16_t{0});
    return numbers;
}
ConstBytes bytes(const Numbers& numbers) { return std::as_bytes(std::span(numbers)); }

/// The elements in the order of their indices, wherever they lie.
Numbers in_order(const TensorLayout& given, ConstBytes memory) {
    const auto layout = with_strides(given);
    auto numbers = Numbers();
    auto index = std::vector<std::uint64_t>(layout.shape.size());
    for (auto left = bytes_of_elements(layout) / 2; left > 0; --left) {
        auto at = std::uint64_t{0};
        for (std::size_t i = 0; i < index.size(); ++i) at += index[i] * layout.strides[i];
        auto& number = numbers.emplace_back();
        std::memcpy(&number, memory.data() + at * 2, 2);
        for (auto i = index.size(); i-- > 0;) {
            if (++index[i] < layout.shape[i]) break;
            index[i] = 0;
        }
    }
    return numbers;
}

} // namespace

TEST_CASE("tensor: what is put is got, contiguous, transposed, with gaps, of no elements and of one") {
    auto f = Fixture(64 * MiB);
    const auto memory = counted(60'000);
    const auto layouts = std::vector<TensorLayout>{
        {.dtype = DType::u16, .shape = {100, 20, 30}},
        {.dtype = DType::u16, .shape = {30, 20, 100}, .strides = {1, 30, 600}},        // transposed
        {.dtype = DType::u16, .shape = {10, 2, 50}, .strides = {6000, 60, 1}},         // short runs with gaps
        {.dtype = DType::u16, .shape = {4, 5000}, .strides = {10'000, 1}},             // long runs with gaps
        {.dtype = DType::u16, .shape = {7, 11}, .strides = {3, 1000}},                 // columns
        {.dtype = DType::u16, .shape = {3, 4}, .strides = {0, 1}},                     // one row, three times
        {.dtype = DType::u16, .shape = {1, 5, 1, 2}, .strides = {99'999, 40, 77, 20}}, // of dimensions of one
        {.dtype = DType::u16, .shape = {0, 5}},
        {.dtype = DType::u16},
    };
    for (std::size_t i = 0; i < layouts.size(); ++i) {
        CAPTURE(i);
        const auto key = "t" + std::to_string(i);
        REQUIRE(f.run(put_tensor(&f.store, key, layouts[i], bytes(memory))).value().stored());
        const auto tensor = f.run(get_tensor(&f.store, key)).value();
        CHECK(tensor.layout.shape == layouts[i].shape);
        CHECK(tensor.layout.dtype == DType::u16);
        CHECK(in_order(tensor.layout, tensor.elements()) == in_order(layouts[i], bytes(memory)));
        CHECK(f.run(get_tensor_layout(&f.store, key)).value() == tensor.layout);
        // Nothing of the gaps is stored.
        CHECK(tensor.elements().size() <= std::max(bytes_of_elements(layouts[i]), bytes_spanned(layouts[i])));
    }
    CHECK(f.run(get_tensor_layout(&f.store, "t1")).value().strides == layouts[1].strides); // as it lay
    CHECK(f.run(get_tensor(&f.store, "t3")).value().elements().size() == 40'000);
}

TEST_CASE("tensor: a slice along the first dimension has these elements, and is all that is read") {
    auto f = Fixture(64 * MiB);
    const auto memory = counted(60'000);
    const auto layout = TensorLayout{.dtype = DType::u16, .shape = {100, 20, 30}};
    REQUIRE(f.run(put_tensor(&f.store, "t", layout, bytes(memory))).has_value());
    const auto slice = f.run(get_tensor_slice(&f.store, "t", 7, 3)).value();
    CHECK(slice.layout.shape == TensorLayout::Dimensions{3, 20, 30});
    CHECK(slice.elements().size() == 3 * 1200);
    CHECK(in_order(slice.layout, slice.elements()) == Numbers(memory.begin() + 4200, memory.begin() + 6000));
    CHECK(f.run(get_tensor_slice(&f.store, "t", 99, 1)).value().elements().size() == 1200);
    CHECK(f.run(get_tensor_slice(&f.store, "t", 100, 0)).value().elements().empty());
    CHECK(f.run(get_tensor_slice(&f.store, "t", 0, 100)).value().elements().size() == 120'000);
    // Inner dimensions may be in any order, as long as the first is the outermost.
    REQUIRE(f.run(put_tensor(&f.store, "inner", {.dtype = DType::u16, .shape = {5, 3, 4}, .strides = {12, 1, 3}},
                             bytes(memory)))
                .has_value());
    const auto inner = f.run(get_tensor_slice(&f.store, "inner", 2, 2)).value();
    CHECK(in_order(inner.layout, inner.elements()) ==
          in_order({.dtype = DType::u16, .shape = {2, 3, 4}, .strides = {12, 1, 3}}, bytes(memory).subspan(48)));
}

TEST_CASE("tensor: what goes wrong is said with the key, what it was, and what would be right") {
    auto f = Fixture();
    const auto memory = counted(600);
    const auto said = [](const auto& result, Errc code) {
        REQUIRE(result.has_error());
        CHECK(result.error() == code);
        return std::string(result.error().context());
    };
    CHECK(said(f.run(put_tensor(&f.store, "t", {.dtype = DType::u16, .shape = {601}}, bytes(memory))),
               Errc::invalid_argument) ==
          "tensor 't': its shape and strides reach 1202 bytes, and the memory given has 1200");
    CHECK(said(f.run(put_tensor(&f.store, "t", {.dtype = DType::u16, .shape = {2}, .strides = {1, 1}}, bytes(memory))),
               Errc::invalid_argument)
              .find("give one for each") != std::string::npos);
    CHECK(said(f.run(get_tensor(&f.store, "t")), Errc::not_found).find("'t'") != std::string::npos);
    REQUIRE(f.run(f.store.put("text", bytes_of("no tensor"))).has_value());
    const auto no_tensor =
        "tensor 'text': it is no tensor: it does not begin with the 128 bytes of a header; put it with "
        "put_tensor";
    CHECK(said(f.run(get_tensor(&f.store, "text")), Errc::invalid_argument) == no_tensor);
    CHECK(said(f.run(get_tensor_layout(&f.store, "text")), Errc::invalid_argument) == no_tensor);
    CHECK(said(f.run(get_tensor_slice(&f.store, "text", 0, 1)), Errc::invalid_argument) == no_tensor);
    REQUIRE(f.run(put_tensor(&f.store, "t", {.dtype = DType::u16, .shape = {20, 30}}, bytes(memory))).has_value());
    CHECK(said(f.run(get_tensor_slice(&f.store, "t", 19, 2)), Errc::out_of_range) ==
          "tensor 't': 2 from 19 on are wanted of its first dimension, and that has 20");
    CHECK(f.run(get_tensor_slice(&f.store, "t", ~std::uint64_t{0}, 2)).error() == Errc::out_of_range);
    CHECK(f.run(get_tensor_slice(&f.store, "t", 1, ~std::uint64_t{0})).error() == Errc::out_of_range);
    REQUIRE(f.run(put_tensor(&f.store, "turned", {.dtype = DType::u16, .shape = {30, 20}, .strides = {1, 30}},
                             bytes(memory)))
                .has_value());
    CHECK(said(f.run(get_tensor_slice(&f.store, "turned", 1, 2)), Errc::not_supported) ==
          "tensor 'turned': its first dimension is not its outermost: it has stride 1, and what is inside of it "
          "reaches 571 "
          "elements; put it row-major, or get all of it");
    REQUIRE(f.run(put_tensor(&f.store, "one", {.dtype = DType::u16}, bytes(memory))).has_value());
    CHECK(f.run(get_tensor_slice(&f.store, "one", 0, 1)).error() == Errc::out_of_range);
}

TEST_CASE("store: a part of another version than was asked for is a conflict that names both") {
    auto f = Fixture();
    const auto memory = counted(50);
    const auto first = f.run(f.store.put("k", bytes(memory))).value().version;
    auto into = std::vector<std::byte>(10);
    auto read = std::uint64_t{0};
    CHECK(f.run(f.store.get_range("k", 0, into, {.version = first, .version_read = &read})).has_value());
    CHECK(read == first);
    const auto second = f.run(f.store.upsert("k", bytes(memory))).value().version;
    const auto other = f.run(f.store.get_range("k", 0, into, {.version = first}));
    REQUIRE(other.has_error());
    CHECK(other.error() == Errc::conflict);
    CHECK(other.error().context() == "object 'k': version " + std::to_string(first) +
                                         " is wanted, and it has version " + std::to_string(second) +
                                         "; read from the beginning again");
    CHECK(f.run(f.store.get_range("gone", 0, into, {.version = first})).error() == Errc::not_found);
}

namespace {

/// By turns a tensor of one shape and of another, each of its own number throughout.
Task<void> replace(EmbeddedStore<>& store, std::atomic<bool>& over) {
    for (auto i = 0; i < 300; ++i) {
        const auto numbers = Numbers(1000, static_cast<std::uint16_t>(i % 2));
        auto layout = TensorLayout{.dtype = DType::u16, .shape = {10, 100}};
        if (i % 2 == 1) layout.shape = {20, 50};
        auto put = put_tensor(&store, "t", std::move(layout), bytes(numbers), {.mode = WriteMode::upsert});
        const auto done = co_await std::move(put);
        if (!done) co_return done.error();
    }
    over = true;
    co_return ok;
}
Task<int> slice(EmbeddedStore<>& store, std::atomic<bool>& over) {
    auto read = 0;
    while (!over) {
        auto some = get_tensor_slice(&store, "t", 3, 2);
        const auto got = co_await std::move(some);
        if (got.error() == Errc::not_found || got.error() == Errc::conflict) continue;
        if (!got) co_return got.error();
        const auto number = std::uint16_t{got->layout.shape[1] == 50};
        if (in_order(got->layout, got->elements()) != Numbers(bytes_of_elements(got->layout) / 2, number))
            co_return Error(Errc::corrupt, "elements of one version under the shape of another");
        ++read;
    }
    co_return read;
}

} // namespace

TEST_CASE("tensor: a slice has the shape of its own version, however often it is replaced") {
    auto f = Fixture();
    auto over = std::atomic<bool>(false);
    auto reading =
        std::async(std::launch::async, [&] { return sync_wait(f.runtime.executor(1), slice(f.store, over)); });
    const auto replaced = sync_wait(f.runtime.executor(0), replace(f.store, over));
    over = true;
    const auto read = reading.get();
    CHECK_MESSAGE(replaced.has_value(), replaced.error().message());
    REQUIRE_MESSAGE(read.has_value(), read.error().message());
    CHECK(*read > 0);
}
