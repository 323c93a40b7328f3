// A stranger's tensor: what is accepted lies in its object, counts without wrapping, and is written as it was read.
#include <mooncake/store/tensor_layout.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

namespace {

__extension__ typedef unsigned __int128 Wide; // NOLINT(modernize-use-using): `using` has no such mark

void require(bool condition) {
    if (!condition) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace mooncake;
    if (size < sizeof(std::uint64_t)) return 0;
    auto object_bytes = std::uint64_t{0};
    std::memcpy(&object_bytes, data, sizeof object_bytes);
    auto bytes = std::as_bytes(std::span(data, size)).subspan(sizeof object_bytes);
    // Four letters and twelve zeros are not to be found by chance: what comes is the rest.
    auto header = TensorHeader();
    std::memcpy(header.data(), "MKT1", 4);
    if (!bytes.empty()) std::memcpy(header.data() + 4, bytes.data(), std::min(bytes.size(), sizeof header - 4));
    header[6] = header[7] = std::byte{0};
    for (const auto& one : {ConstBytes(header), bytes}) {
        const auto layout = decode_tensor(one, object_bytes);
        if (!layout) {
            require(!layout.error().context().empty());
            continue;
        }
        require(validate(*layout).has_value());
        require(layout->strides.size() == layout->shape.size());
        require(object_bytes - sizeof header >= bytes_spanned(*layout));
        // The last element, in numbers that do not wrap.
        auto last = Wide{0};
        for (std::size_t i = 0; i < layout->shape.size(); ++i)
            if (layout->shape[i] != 0) last += static_cast<Wide>(layout->shape[i] - 1) * layout->strides[i];
        const auto empty = std::ranges::count(layout->shape, std::uint64_t{0}) != 0;
        require(empty || (last + 1) * bytes_of_element(layout->dtype) + sizeof header <= object_bytes);
        const auto again = encode_tensor(*layout);
        require(std::ranges::equal(again, one.first(sizeof header)));
    }
    return 0;
}
