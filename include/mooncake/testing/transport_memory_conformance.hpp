#pragma once

/// The part of a transport's conformance that is about peers' memory which is at hand.

#include <mooncake/testing/transport_pair.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

namespace mooncake::testing::detail {

constexpr auto mark = std::byte{0xA5};
constexpr auto other_mark = std::byte{0x5A};

template <Transport T>
void mapping() {
    auto pair = TransportPair<T>();
    const auto region = pair.add(1 * MiB, Rights::read_write, mark), readable = pair.add(4096, Rights::read, mark);
    const auto map = [&](std::uint64_t offset, std::uint64_t length, std::uint64_t key, Direction direction) {
        return pair.runtime.run(pair.client.map(pair.link, offset, length, key, direction, Deadline(10s)));
    };
    auto window = map(region->offset + 100, 1000, region->keys.write, Direction::write);
    REQUIRE(window.has_value());
    CHECK(untouched({window->bytes, 1000}, mark));
    fill(region->bytes, 3);
    CHECK(same({window->bytes, 1000}, region->bytes.subspan(100, 1000)));
    fill({window->bytes, 1000}, 4);
    CHECK(same({window->bytes, 1000}, region->bytes.subspan(100, 1000)));
    const auto end = region->offset + region->bytes.size();
    CHECK(map(end - 10, 11, region->keys.read, Direction::read).error() == Errc::out_of_range);
    CHECK(map(~0ULL - 3, 8, region->keys.read, Direction::read).error() == Errc::out_of_range);
    CHECK(map(region->offset, 8, region->keys.read ^ 1, Direction::read).error() == Errc::access_denied);
    CHECK(map(region->offset, 8, region->keys.read, Direction::write).error() == Errc::access_denied);
    CHECK(map(readable->offset, 8, readable->keys.read, Direction::write).error() == Errc::access_denied);
    CHECK(map(readable->offset, 8, readable->keys.read, Direction::read).has_value());

    // A window is a use of its region: it ends with its holder.
    pair.remove(readable);
    auto pinned = std::weak_ptr<const Region>(region);
    pair.remove(region);
    CHECK(untouched(readable->bytes, mark));
    CHECK(pinned.use_count() > 1);
    CHECK(same({window->bytes, 1000}, region->bytes.subspan(100, 1000)));
    window->hold.reset();
    const auto until = Deadline(10s);
    while (pinned.use_count() > 1 && !until.passed()) std::this_thread::yield();
    CHECK(pinned.use_count() == 1);
}

/// All of a group or none of it, and nothing that `transfer` would have refused.
template <Transport T>
void immediate() {
    auto pair = TransportPair<T>();
    const auto region = pair.add(1 * MiB, Rights::read_write, mark), readable = pair.add(4096, Rights::read, mark);
    auto memory = std::vector<std::byte>(4096, other_mark);
    const auto slice = [&](const RegionPin& of, std::uint64_t at, std::uint64_t key) {
        return Slice{.local = memory.data(), .length = memory.size(), .remote = of->offset + at, .key = key};
    };
    const auto now = [&](Direction direction, auto... slices) {
        auto all = std::array{slices...};
        const auto moved = pair.client.transfer_now(pair.link, {.direction = direction, .slices = all});
        for (const auto& one : all) CHECK((!moved || one.outcome == Errc::ok));
        return moved;
    };
    const auto place = slice(region, 0, region->keys.write), other = slice(region, 8192, region->keys.write);
    CHECK(pair.move_one(Direction::read, memory, readable->offset, readable->keys.read) == Errc::ok);
    CHECK(pair.move_one(Direction::read, memory, region->offset, region->keys.write) == Errc::ok);
    std::fill(memory.begin(), memory.end(), other_mark);
    CHECK(now(Direction::write, place, other));
    CHECK(untouched(region->bytes.first(4096), other_mark));
    CHECK(untouched(region->bytes.subspan(4096, 4096), mark));
    CHECK(untouched(region->bytes.subspan(8192, 4096), other_mark));
    std::memset(region->bytes.data(), 0, 4096);
    CHECK(now(Direction::read, place));
    CHECK(untouched(memory, std::byte{}));

    std::fill(memory.begin(), memory.end(), mark);
    CHECK_FALSE(now(Direction::write, place, slice(region, 1 * MiB - 1, region->keys.write)));
    CHECK_FALSE(now(Direction::write, place, slice(region, 4096, region->keys.write ^ 1)));
    CHECK_FALSE(now(Direction::write, place, slice(readable, 0, readable->keys.read)));
    auto late = place;
    late.epoch = 3;
    pair.regions->fence().raise(region->offset, 4096, 3);
    if constexpr (FencingTransport<T>) {
        const auto until = Deadline(10s);
        while (!pair.server.fence(region->offset, 4096, 3) && !until.passed()) std::this_thread::yield();
    }
    CHECK_FALSE(now(Direction::write, late));
    CHECK(untouched(region->bytes.first(4096), std::byte{}));
    late.epoch = 4;
    CHECK(now(Direction::write, late));
    CHECK(untouched(region->bytes.first(4096), mark));
    CHECK(pair.regions->fence().under_way() == 0);

    auto hashed = place;
    CHECK_FALSE(pair.client.transfer_now(
        pair.link, {.direction = Direction::read, .digest = Digest::xxh3, .slices = std::span(&hashed, 1)}));
    pair.close_server();
    const auto until = Deadline(10s);
    while (pair.client.transfer_now(pair.link, {.direction = Direction::read, .slices = std::span(&hashed, 1)}) &&
           !until.passed())
        std::this_thread::yield();
    CHECK_FALSE(until.passed());
}

} // namespace mooncake::testing::detail
