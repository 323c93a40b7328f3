#pragma once

/// Groups in a store: parts of unequal size, such as the full-attention KV, the sliding window and the SSM state of one block of
/// a hybrid cache, that are found, put, made visible, leased, replicated, evicted and removed as one. An entry of its own:
/// nothing else includes it.
///
/// A group is one object of the store, with a table of its parts in front. Why so, and not several objects that a master ties
/// together: all that holds for an object (visible all at once or not at all, versions, one lease, one place in the order of
/// eviction, checksums) holds for a group without another line; a look-up costs one key however many parts there are; old masters
/// keep groups as well. What it costs: the parts of a group lie in one segment, and none can be replaced by itself.
///
/// `exists`, `wait_for`, `remove`, `pin`, `list` and the like are those of the object.

#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/task.hpp>
#include <mooncake/store/client/options.hpp>
#include <mooncake/store/client/view.hpp>
#include <mooncake/store/group_layout.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

/// A group that was read.
struct Group {
    GroupLayout layout{};
    std::vector<std::byte> data{}; ///< with the table

    [[nodiscard]] std::size_t parts() const noexcept { return layout.parts(); }
    /// Requires: there is such a part.
    [[nodiscard]] ConstBytes part(std::size_t part) const noexcept { return layout.part(ConstBytes(data), part); }
};

/// A group in place, as long as `view.valid()`: see `View`.
struct GroupView {
    GroupLayout layout{};
    View view{};

    [[nodiscard]] std::size_t parts() const noexcept { return layout.parts(); }
    /// Requires: there is such a part.
    [[nodiscard]] ConstBytes part(std::size_t part) const noexcept { return layout.part(view.bytes(), part); }
};

namespace store::detail {

[[nodiscard]] inline Error of_group(std::string_view key, const Error& error) {
    return {error.code(), "group " + in_quotes(key) + ": " + std::string(error.context())};
}

template <class Bytes>
[[nodiscard]] Result<GroupLayout> layout_for(const std::vector<Bytes>& parts) {
    auto sizes = std::vector<std::uint64_t>();
    sizes.reserve(parts.size());
    for (const auto& part : parts) sizes.push_back(part.size());
    return GroupLayout::of(sizes);
}

/// How `wanted`, which memory is there for, is not what it has; nothing, if it is.
[[nodiscard]] inline std::optional<Error> other_layout(const GroupLayout& has, const GroupLayout& wanted) {
    if (has.parts() != wanted.parts())
        return Error(Errc::invalid_argument, "it has " + std::to_string(has.parts()) +
                                                 " parts, and there is memory for " + std::to_string(wanted.parts()));
    for (std::size_t i = 0; i < has.parts(); ++i)
        if (has.size(i) != wanted.size(i))
            return Error(Errc::invalid_argument, "its part " + std::to_string(i) + " has " +
                                                     std::to_string(has.size(i)) + " bytes, and the memory for it " +
                                                     std::to_string(wanted.size(i)) +
                                                     "; get_group_layout tells the sizes");
    return {};
}

/// `table`, and `parts` behind it, each from where it begins; what is between them is in `gaps`, which has 64 bytes a part.
template <class Bytes>
[[nodiscard]] std::vector<Bytes> in_one(const GroupLayout& layout, Bytes table, const std::vector<Bytes>& parts,
                                        Bytes gaps) {
    auto pieces = std::vector<Bytes>();
    pieces.reserve(1 + 2 * parts.size());
    pieces.push_back(table);
    auto end = std::uint64_t{table.size()};
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto gap = layout.offset(i) - end;
        if (gap != 0) pieces.push_back(gaps.subspan(GroupLayout::alignment * i, gap));
        if (!parts[i].empty()) pieces.push_back(parts[i]);
        end = layout.offset(i) + layout.size(i);
    }
    return pieces;
}

} // namespace store::detail

/// Stores `parts` as one, in the round trips of one `put`, from where they lie.
/// Errors: as `put`; `invalid_argument` (no parts, or more than 1023), `too_large`.
/// Lifetime: the bytes of the parts and the store outlive the task.
template <class Store>
Task<PutReceipt> put_group(Store* store, std::string key, std::vector<ConstBytes> parts, PutOptions options = {}) {
    const auto layout = store::detail::layout_for(parts);
    if (!layout) co_return store::detail::of_group(key, layout.error());
    const auto table = encode_group(*layout);
    const auto gaps = std::vector<std::byte>(parts.size() * GroupLayout::alignment);
    const auto pieces = store::detail::in_one(*layout, ConstBytes(table), parts, ConstBytes(gaps));
    co_return co_await store->put_gathered(key, pieces, options);
}

/// All of a group, in one round trip. Errors: as `get`; `invalid_argument`: it is no group, and the sentence says why.
/// Lifetime: the store outlives the task.
template <class Store>
Task<Group> get_group(Store* store, std::string key, GetOptions options = {}) {
    auto data = co_await store->get(key, options);
    if (!data) co_return data.error();
    auto layout = decode_group(*data, data->size());
    if (!layout) co_return store::detail::of_group(key, layout.error());
    co_return Group{.layout = std::move(*layout), .data = std::move(*data)};
}

/// The sizes of a group's parts, without them: reads 64 bytes, and the rest of the table where it has more than 7 parts.
/// Errors: as `get_group`; `conflict` (it is replaced faster than it can be read). Lifetime: the store outlives the task.
template <class Store>
Task<GroupLayout> get_group_layout(Store* store, std::string key, RangeOptions options = {}) {
    constexpr auto attempts = 8;
    for (auto attempt = 1;; ++attempt) {
        auto version = std::uint64_t{0};
        auto heading = options;
        heading.version_read = &version;
        auto first = std::array<std::byte, GroupLayout::alignment>();
        const auto size = co_await store->get_range(key, 0, first, heading);
        if (size.error() == Errc::out_of_range) co_return store::detail::of_group(key, decode_group({}, 0).error());
        if (!size) co_return size.error();
        if (options.version_read != nullptr) *options.version_read = version;
        const auto parts = parts_of_group(first, *size);
        if (!parts) co_return store::detail::of_group(key, parts.error());
        auto table = std::vector<std::byte>(first.begin(), first.end());
        table.resize(GroupLayout::bytes_of_table(*parts));
        if (table.size() > first.size()) {
            auto rest = options;
            rest.version = version;
            const auto behind = MutableBytes(table).subspan(first.size());
            const auto read = co_await store->get_range(key, first.size(), behind, rest);
            if (read.error() == Errc::conflict && options.version == 0 && attempt < attempts) continue;
            if (!read) co_return read.error();
        }
        auto layout = decode_group(table, *size);
        if (!layout) co_return store::detail::of_group(key, layout.error());
        co_return std::move(*layout);
    }
}

/// The parts of a group into memory that is there for them, in one round trip: `into[i]` has the size of part i. Gives the size
/// of all of it. On errors the memory may hold anything.
/// Errors: as `get_scattered`; `invalid_argument`: it is no group, or has other parts, and the sentence says both.
/// Lifetime: the memory and the store outlive the task.
template <class Store>
Task<std::uint64_t> get_group_into(Store* store, std::string key, std::vector<MutableBytes> into,
                                   RangeOptions options = {}) {
    constexpr auto attempts = 8;
    const auto wanted = store::detail::layout_for(into);
    if (!wanted) co_return store::detail::of_group(key, wanted.error());
    const auto expected = encode_group(*wanted);
    auto table = std::vector<std::byte>(expected.size());
    auto gaps = std::vector<std::byte>(into.size() * GroupLayout::alignment);
    const auto pieces = store::detail::in_one(*wanted, MutableBytes(table), into, MutableBytes(gaps));
    for (auto attempt = 1;; ++attempt) {
        const auto size = co_await store->get_scattered(key, pieces, options);
        if (size && *size == wanted->bytes() && table == expected) co_return *size;
        if (!size && size.error() != Errc::too_large) co_return size.error();
        const auto has = co_await get_group_layout(store, key, options);
        if (!has) co_return has.error();
        const auto differs = store::detail::other_layout(*has, *wanted);
        if (differs) co_return store::detail::of_group(key, *differs);
        if (attempt == attempts) // it is what is wanted by now, and was not whenever it was read
            co_return store::detail::of_group(
                key, Error(Errc::conflict, "it is replaced by groups of other sizes faster than it can be read"));
    }
}

/// Part `part` of a group, and nothing else of it but the table, which is read before; gives its size. Both are of one version,
/// whoever writes meanwhile. Whoever knows the sizes needs no table: `get_range` from `GroupLayout::offset(part)` on.
/// Errors: as `get_group_layout`; `out_of_range` (there is no such part), `too_large` (for `into`).
/// Lifetime: the memory and the store outlive the task.
template <class Store>
Task<std::uint64_t> get_group_part(Store* store, std::string key, std::size_t part, MutableBytes into,
                                   RangeOptions options = {}) {
    constexpr auto attempts = 8;
    for (auto attempt = 1;; ++attempt) {
        auto version = std::uint64_t{0};
        auto heading = options;
        heading.version_read = &version;
        const auto layout = co_await get_group_layout(store, key, heading);
        if (!layout) co_return layout.error();
        if (part >= layout->parts())
            co_return store::detail::of_group(
                key, Error(Errc::out_of_range, "part " + std::to_string(part) + " is wanted, and it has " +
                                                   std::to_string(layout->parts()) + "; the first is part 0"));
        const auto size = layout->size(part);
        if (size > into.size())
            co_return store::detail::of_group(
                key, Error(Errc::too_large, "its part " + std::to_string(part) + " has " + std::to_string(size) +
                                                " bytes, and the memory for it " + std::to_string(into.size())));
        if (options.version_read != nullptr) *options.version_read = version;
        auto reading = options;
        reading.version = version;
        const auto read = co_await store->get_range(key, layout->offset(part), into.first(size), reading);
        if (read) co_return size;
        if (read.error() != Errc::conflict || options.version != 0 || attempt == attempts) co_return read.error();
    }
}

/// A group where it lies, if its memory can be this process's, else a copy. Errors: as `view`; `invalid_argument`: it is no group.
/// Lifetime: the store outlives the view.
template <class Store>
Task<GroupView> view_group(Store* store, std::string key, ViewOptions options = {}) {
    auto view = co_await store->view(key, options);
    if (!view) co_return view.error();
    auto layout = decode_group(view->bytes(), view->size());
    if (!view->valid())
        co_return store::detail::of_group(
            key, Error(Errc::lease_expired, "its lease was over before its table was read; view it again"));
    if (!layout) co_return store::detail::of_group(key, layout.error());
    co_return GroupView{.layout = std::move(*layout), .view = std::move(*view)};
}

} // namespace mooncake
