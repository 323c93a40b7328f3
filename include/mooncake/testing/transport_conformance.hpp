#pragma once

#include <mooncake/testing/transport_faults_conformance.hpp>
#include <mooncake/testing/transport_memory_conformance.hpp>
#include <mooncake/testing/transport_pair.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <random>

namespace mooncake::testing {

namespace detail {

/// Writes `size` bytes a little into the region and reads them back; what lies beside them stays what it was.
template <Transport T>
void round_trip(TransportPair<T>& pair, const RegionPin& region, std::uint64_t size) {
    CAPTURE(size);
    constexpr std::uint64_t before = 3, after = 5;
    auto memory = std::vector<std::byte>(before + size + after, other_mark);
    const auto local = MutableBytes(memory).subspan(before, size);
    const auto remote = region->bytes.subspan(before, size);
    fill(local, size + 1);
    auto slice = Slice{.local = local.data(),
                       .length = size,
                       .remote = region->offset + before,
                       .key = region->keys.write,
                       .outcome = Errc::corrupt};
    const auto written = pair.move(Direction::write, std::span(&slice, 1), {}, Digest::xxh3);
    CHECK(written.has_value());
    CHECK(slice.outcome == Errc::ok);
    CHECK(slice.digest == hash_bytes(local));
    CHECK(same(remote, local));
    CHECK(untouched(region->bytes.first(before), mark));
    CHECK(untouched(region->bytes.subspan(before + size, after), mark));

    const auto sum = hash_bytes(local);
    std::fill(memory.begin(), memory.end(), other_mark);
    slice.outcome = Errc::corrupt;
    slice.digest = 0;
    slice.key = region->keys.read;
    const auto read = pair.move(Direction::read, std::span(&slice, 1), {}, Digest::xxh3);
    CHECK(read.has_value());
    CHECK(slice.outcome == Errc::ok);
    CHECK(slice.digest == sum);
    CHECK(same(remote, local));
    CHECK(untouched(ConstBytes(memory).first(before), other_mark));
    CHECK(untouched(ConstBytes(memory).last(after), other_mark));
    std::memset(region->bytes.data(), static_cast<int>(mark), before + size + after);
}

template <Transport T>
void sizes() {
    auto pair = TransportPair<T>();
    const auto region = pair.add(33 * MiB + 8, Rights::read_write, mark);
    for (const std::uint64_t size : {0UL, 1UL, 31UL, 4095UL, 4096UL, 65'537UL, 1UL << 20, 33UL << 20})
        round_trip(pair, region, size);
}

/// `count` slices of `length(i)` bytes, in a shuffled order at both ends.
template <Transport T, class Length>
void many_slices(std::size_t count, Length length) {
    auto pair = TransportPair<T>();
    auto slices = std::vector<Slice>(count);
    auto sum = std::uint64_t{0};
    for (std::size_t i = 0; i < count; ++i) {
        slices[i].length = length(i);
        slices[i].remote = sum;
        sum += slices[i].length;
    }
    const auto region = pair.add(sum, Rights::read_write, mark);
    auto memory = std::vector<std::byte>(sum);
    fill(memory, 7);
    auto random = std::mt19937_64(7);
    std::shuffle(slices.begin(), slices.end(), random);
    auto at = std::uint64_t{0};
    for (auto& slice : slices) {
        slice.local = memory.data() + at;
        slice.remote += region->offset;
        slice.key = region->keys.write;
        slice.outcome = Errc::corrupt;
        at += slice.length;
    }
    CHECK(pair.move(Direction::write, slices, {}, Digest::xxh3).has_value());
    const auto arrived = [&](const Slice& slice) {
        const auto local = ConstBytes(slice.local, slice.length);
        return slice.outcome == Errc::ok && slice.digest == hash_bytes(local) &&
               same(local, region->bytes.subspan(slice.remote - region->offset, slice.length));
    };
    CHECK(std::all_of(slices.begin(), slices.end(), arrived));
    std::fill(memory.begin(), memory.end(), other_mark);
    for (auto& slice : slices) slice.outcome = Errc::corrupt;
    CHECK(pair.move(Direction::read, slices, {}, Digest::xxh3).has_value());
    CHECK(std::all_of(slices.begin(), slices.end(), arrived));
}

/// Tries to move 16 bytes, or as many as `length` says, both ways: each time the outcome is `expected` and nothing moves.
template <Transport T>
void refused(TransportPair<T>& pair, const RegionPin& region, std::uint64_t remote, std::uint64_t key, Errc expected,
             std::uint64_t length = 16) {
    CAPTURE(remote);
    auto memory = std::vector<std::byte>(length, other_mark);
    CHECK(pair.move_one(Direction::write, memory, remote, key) == expected);
    CHECK(pair.move_one(Direction::read, memory, remote, key) == expected);
    CHECK(untouched(memory, other_mark));
    CHECK(untouched(region->bytes, mark));
}

template <Transport T>
void ranges() {
    auto pair = TransportPair<T>();
    const auto region = pair.add(3 * MiB, Rights::read_write, mark); // ends in the middle of the offset space's unit
    const auto next = pair.add(2 * MiB, Rights::read_write, mark);
    constexpr auto most = std::numeric_limits<std::uint64_t>::max();
    const auto end = region->offset + region->bytes.size(), key = region->keys.write;
    for (const auto remote : {end - 15, end, end + 100, most, most - 8, most - 15, most - 16, most / 2 + 1})
        refused(pair, region, remote, key, Errc::out_of_range);
    refused(pair, region, region->offset, key, Errc::out_of_range, region->bytes.size() + 1);
    refused(pair, next, next->offset - 8, key, Errc::out_of_range); // not one region's
    refused(pair, next, next->offset + 2 * MiB - 15, next->keys.write, Errc::out_of_range);
    auto last = std::vector<std::byte>(16);
    CHECK(pair.move_one(Direction::read, last, end - 16, key) == Errc::ok);
    CHECK(untouched(last, mark));
}

template <Transport T>
void fences() {
    auto pair = TransportPair<T>();
    const auto region = pair.add(1 * MiB, Rights::read_write, mark);
    const auto write = [&](std::uint64_t remote, std::uint64_t epoch) {
        auto memory = std::vector<std::byte>(4096, other_mark);
        auto slice =
            Slice{.local = memory.data(), .length = 4096, .remote = remote, .key = region->keys.write, .epoch = epoch};
        CHECK(pair.move(Direction::write, std::span(&slice, 1)).has_value());
        return slice.outcome;
    };
    const auto place = region->offset + 64 * KiB;
    CHECK(write(place, 3) == Errc::ok);
    pair.regions->fence().raise(place, 4096, 3);
    if constexpr (FencingTransport<T>) {
        const auto until = Deadline(10s);
        while (!pair.server.fence(place, 4096, 3) && !until.passed()) std::this_thread::yield();
        CHECK_FALSE(until.passed());
    }
    CHECK(pair.regions->fence().quiet(place, 4096, 3));
    std::memset(region->bytes.data() + 64 * KiB, static_cast<int>(mark), 4096);
    CHECK(write(place, 3) == Errc::stale_epoch);
    CHECK(write(place, 2) == Errc::stale_epoch);
    CHECK(write(place - 1, 3) == Errc::stale_epoch);
    CHECK(write(place + 4095, 1) == Errc::stale_epoch);
    CHECK(untouched(region->bytes, mark));
    CHECK(write(place + 4096, 3) == Errc::ok); // beside it
    CHECK(write(place, 4) == Errc::ok);        // whom it belongs to now
    CHECK(write(place, 0) == Errc::ok);        // of no allocation
}

template <Transport T>
void keys() {
    auto pair = TransportPair<T>();
    const auto both = pair.add(4096, Rights::read_write, mark), readable = pair.add(4096, Rights::read, mark);
    const auto writable = pair.add(4096, Rights::write, mark);
    for (const auto& region : {both, readable, writable})
        for (const auto key : {std::uint64_t{0}, both->keys.write ^ 1, both->keys.read ^ (std::uint64_t{1} << 63)})
            refused(pair, region, region->offset, key, Errc::access_denied);
    refused(pair, readable, readable->offset, both->keys.write, Errc::access_denied);
    refused(pair, both, both->offset, readable->keys.read, Errc::access_denied);

    auto memory = std::vector<std::byte>(16, other_mark);
    CHECK(pair.move_one(Direction::write, memory, both->offset, both->keys.read) == Errc::access_denied);
    CHECK(pair.move_one(Direction::write, memory, readable->offset, readable->keys.read) == Errc::access_denied);
    CHECK(untouched(both->bytes, mark));
    CHECK(untouched(readable->bytes, mark));
    CHECK(pair.move_one(Direction::read, memory, writable->offset, writable->keys.write) == Errc::access_denied);
    CHECK(untouched(memory, other_mark));

    CHECK(pair.move_one(Direction::write, memory, writable->offset, writable->keys.write) == Errc::ok);
    CHECK(same(writable->bytes.first(16), memory));
    CHECK(pair.move_one(Direction::read, memory, readable->offset, readable->keys.read) == Errc::ok);
    CHECK(untouched(memory, mark));
    std::fill(memory.begin(), memory.end(), other_mark);
    CHECK(pair.move_one(Direction::read, memory, both->offset, both->keys.read) == Errc::ok);
    std::fill(memory.begin(), memory.end(), other_mark);
    CHECK(pair.move_one(Direction::write, memory, both->offset, both->keys.write) == Errc::ok);
    CHECK(pair.move_one(Direction::write, memory, both->offset, both->keys.read) == Errc::access_denied);
    CHECK(pair.move_one(Direction::read, memory, both->offset, both->keys.write) == Errc::ok);
}

/// Good and bad slices in one group: each has its own outcome, and only good ones move.
template <Transport T>
void mixed(Direction direction) {
    auto pair = TransportPair<T>();
    constexpr std::size_t count = 200, length = 1000;
    const auto region = pair.add(count * length, Rights::read_write, mark);
    auto memory = std::vector<std::byte>(count * length, other_mark);
    auto slices = std::vector<Slice>();
    auto expected = std::vector<Errc>();
    for (std::size_t i = 0; i < count; ++i) {
        const auto beyond = i % 3 == 1, unknown = i % 5 == 1 && !beyond;
        slices.push_back({.local = memory.data() + i * length,
                          .length = length,
                          .remote = region->offset + (beyond ? count * length - length + 1 : i * length),
                          .key = region->keys.write + unknown,
                          .outcome = Errc::corrupt});
        expected.push_back(beyond ? Errc::out_of_range : unknown ? Errc::access_denied : Errc::ok);
    }
    CHECK(pair.move(direction, slices).has_value());
    for (std::size_t i = 0; i < count; ++i) {
        CAPTURE(i);
        CHECK(slices[i].outcome == expected[i]);
        const auto moved = direction == Direction::read ? mark : other_mark, still = moved == mark ? other_mark : mark;
        const auto bytes = direction == Direction::read ? MutableBytes(memory) : region->bytes;
        CHECK(untouched(bytes.subspan(i * length, length), expected[i] == Errc::ok ? moved : still));
    }
}

template <Transport T>
void generations() {
    auto pair = TransportPair<T>();
    const auto region = pair.add(4096, Rights::read_write, mark);
    auto stale = pair.connect(pair.server.describe(), pair.regions->generation() + 1);
    if (!stale) {
        CHECK(stale.error() == Errc::stale_generation);
        return;
    }
    auto memory = std::vector<std::byte>(16, other_mark);
    auto slice = Slice{.local = memory.data(), .length = 16, .remote = region->offset, .key = region->keys.write};
    const auto fresh = std::exchange(pair.link, *stale);
    for (const auto direction : {Direction::write, Direction::read}) {
        slice.outcome = Errc::corrupt;
        (void)pair.move(direction,
                        std::span(&slice, 1)); // whether the path failed, or only the slice, is its own affair
        CHECK(slice.outcome == Errc::stale_generation);
    }
    CHECK(untouched(memory, other_mark));
    CHECK(untouched(region->bytes, mark));
    pair.link = fresh;
    CHECK(pair.move_one(Direction::read, memory, region->offset, region->keys.read) == Errc::ok);
}

template <Transport T>
void removal() {
    auto pair = TransportPair<T>();
    auto gone = pair.add(2 * MiB, Rights::read_write, mark);
    const auto stays = pair.add(2 * MiB, Rights::read_write, mark);
    const auto offset = gone->offset, key = gone->keys.write;
    auto memory = std::vector<std::byte>(1 * MiB, other_mark);
    CHECK(pair.move_one(Direction::write, memory, offset, key) == Errc::ok);
    CHECK(pair.move_one(Direction::read, memory, offset, gone->keys.read) == Errc::ok);
    const auto watched = std::weak_ptr<const Region>(gone);
    pair.remove(gone);
    gone.reset();
    CHECK(expires(watched));
    const auto after = pair.add(2 * MiB, Rights::read_write, mark);
    CHECK(after->offset > stays->offset);
    CHECK(pair.move_one(Direction::write, memory, offset, key) == Errc::out_of_range);
    CHECK(pair.move_one(Direction::read, memory, offset, key) == Errc::out_of_range);
    CHECK(pair.move_one(Direction::read, memory, stays->offset, stays->keys.read) == Errc::ok);
    CHECK(pair.move_one(Direction::read, memory, after->offset, after->keys.read) == Errc::ok);
}

/// Regions side by side under one key: which of them is meant depends on the offset alone.
template <Transport T>
void shared_key() {
    auto pair = TransportPair<T>();
    const auto first = pair.add(2 * MiB, Rights::read_write, mark);
    auto arena = Arena::create({.bytes = 2 * MiB, .pages = PageKind::plain, .prefault_threads = 1});
    REQUIRE(arena.has_value());
    std::memset((*arena)->bytes().data(), static_cast<int>(other_mark), 2 * MiB);
    auto beside =
        Region{.bytes = (*arena)->bytes(), .rights = Rights::read_write, .keys = first->keys, .arena = *arena};
    const auto second = pair.add(std::move(beside));
    CHECK(second->offset == first->offset + 2 * MiB);
    auto memory = std::vector<std::byte>(64);
    const auto key = first->keys.read;
    CHECK(pair.move_one(Direction::read, memory, first->offset + 2 * MiB - 64, key) == Errc::ok);
    CHECK(untouched(memory, mark));
    CHECK(pair.move_one(Direction::read, memory, second->offset, key) == Errc::ok);
    CHECK(untouched(memory, other_mark));
    CHECK(pair.move_one(Direction::read, memory, first->offset + 2 * MiB - 32, key) == Errc::out_of_range);
}

} // namespace detail

/// What every `Transport` must do, as its concept says. Call it from a `TEST_CASE`.
template <Transport T>
void transport_conformance() {
    SUBCASE("what is written is there, and is read back, whatever its size") { detail::sizes<T>(); }
    SUBCASE("thousands of small slices go in one group") {
        detail::many_slices<T>(5000, [](std::size_t) { return 4 * KiB; });
    }
    SUBCASE("slices of any lengths, none among them, are scattered and gathered") {
        detail::many_slices<T>(300, [](std::size_t i) { return i % 7 == 0 ? 0 : i * i; });
    }
    SUBCASE("an empty group is done at once") {
        auto pair = TransportPair<T>();
        CHECK(pair.move(Direction::read, {}).has_value());
        CHECK(pair.move(Direction::write, {}).has_value());
    }
    SUBCASE("offsets outside of a region are refused, however large") { detail::ranges<T>(); }
    SUBCASE("a key opens its region only, and for its rights only") { detail::keys<T>(); }
    SUBCASE("a refused slice does no harm to the others of a write") { detail::mixed<T>(Direction::write); }
    SUBCASE("a refused slice does no harm to the others of a read") { detail::mixed<T>(Direction::read); }
    SUBCASE("a segment of another generation is not touched") { detail::generations<T>(); }
    SUBCASE("a write that comes after the fence was raised is refused, and no other") { detail::fences<T>(); }
    SUBCASE("a region that was removed comes free and is reached no more") { detail::removal<T>(); }
    SUBCASE("regions side by side may have one key") { detail::shared_key<T>(); }
    if constexpr (MappingTransport<T>) {
        SUBCASE("memory of the peer is mapped as its keys allow") { detail::mapping<T>(); }
    }
    if constexpr (ImmediateTransport<T>) {
        SUBCASE("a small group is moved at once, or not at all") { detail::immediate<T>(); }
    }
    transport_faults_conformance<T>();
}

} // namespace mooncake::testing
