// A stranger's group: what is accepted ends where its object does, its parts do not overlap, and it is written as it was read.
#include <mooncake/store/group_layout.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

/// Whether it was accepted.
bool check(std::span<const std::byte> table, std::uint64_t object_bytes) {
    using namespace mooncake;
    const auto layout = decode_group(table, object_bytes);
    if (!layout) {
        require(!layout.error().context().empty());
        return false;
    }
    require(layout->parts() >= 1 && layout->parts() <= GroupLayout::most_parts);
    require(layout->bytes() == object_bytes);
    auto end = GroupLayout::bytes_of_table(layout->parts());
    require(end <= table.size());
    for (std::size_t i = 0; i < layout->parts(); ++i) {
        require(layout->offset(i) % GroupLayout::alignment == 0);
        require(layout->offset(i) >= end && layout->offset(i) - end < GroupLayout::alignment);
        require(layout->offset(i) <= object_bytes && layout->size(i) <= object_bytes - layout->offset(i));
        end = layout->offset(i) + layout->size(i);
    }
    require(end == object_bytes);
    const auto again = encode_group(*layout);
    require(std::ranges::equal(again, table.first(again.size())));
    return true;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace mooncake;
    if (size < sizeof(std::uint64_t)) return 0;
    auto object_bytes = std::uint64_t{0};
    std::memcpy(&object_bytes, data, sizeof object_bytes);
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(sizeof object_bytes);
    (void)check(bytes, object_bytes);

    // Four letters, and zeros behind the sizes, are not to be found by chance: what comes are some sizes.
    const auto parts = std::clamp<std::size_t>(bytes.size() / 8, 1, GroupLayout::most_parts);
    auto table = std::vector<std::byte>(GroupLayout::bytes_of_table(parts));
    std::memcpy(table.data(), "MKG1", 4);
    table[4] = static_cast<std::byte>(parts & 255U);
    table[5] = static_cast<std::byte>(parts >> 8U);
    if (!bytes.empty()) std::memcpy(table.data() + 8, bytes.data(), std::min(bytes.size(), parts * 8));
    (void)check(table, object_bytes);

    // Sizes that can be, in an object that has them all: that is a group, and with a byte more or less none.
    for (std::size_t i = 0; i < parts; ++i) std::memset(table.data() + 8 + 8 * i + 4, 0, 4);
    auto sizes = std::vector<std::uint64_t>(parts);
    std::memcpy(sizes.data(), table.data() + 8, parts * 8);
    const auto layout = GroupLayout::of(sizes);
    require(layout.has_value()); // 1023 × 4 GiB are less than 2^48
    require(check(table, layout->bytes()));
    require(!check(table, layout->bytes() + 1) && !check(table, layout->bytes() - 1));
    return 0;
}
