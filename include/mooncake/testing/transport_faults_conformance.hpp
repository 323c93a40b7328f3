#pragma once

#include <mooncake/testing/transport_pair.hpp>

#include <algorithm>
#include <atomic>
#include <vector>

namespace mooncake::testing {

namespace detail {

inline constexpr auto returned_mark = std::byte{0xEE};

/// The slices of a transfer that takes a while: 48 of half a MiB.
struct LargeGroup {
    static constexpr std::uint64_t length = 512 * KiB, count = 48, bytes = count * length;

    /// `at`: where in the region it begins.
    explicit LargeGroup(const RegionPin& region, std::uint64_t at = 0) : memory(bytes), slices(count) {
        for (std::size_t i = 0; i < count; ++i)
            slices[i] = {.local = memory.data() + i * length,
                         .length = length,
                         .remote = region->offset + at + i * length,
                         .key = region->keys.write,
                         .outcome = Errc::corrupt};
    }
    [[nodiscard]] bool outcomes_are(Errc one, Errc other) const {
        return std::all_of(slices.begin(), slices.end(),
                           [=](const Slice& slice) { return slice.outcome == one || slice.outcome == other; });
    }
    /// Every slice that is `ok` is the region's.
    [[nodiscard]] bool ok_means_moved(const RegionPin& region) const {
        return std::all_of(slices.begin(), slices.end(), [&](const Slice& slice) {
            return slice.outcome != Errc::ok ||
                   same({slice.local, slice.length},
                        region->bytes.subspan(slice.remote - region->offset, slice.length));
        });
    }

    std::vector<std::byte> memory;
    std::vector<Slice> slices;
};

/// Moves again and again until it works: a transport may lose its connection by a cancellation, but not for good.
template <Transport T>
bool works_again(TransportPair<T>& pair, const RegionPin& region) {
    auto byte = std::byte{};
    auto slice = Slice{.local = &byte, .length = 1, .remote = region->offset, .key = region->keys.read};
    for (const auto until = Deadline(10s); !until.passed();)
        if (pair.move(Direction::read, std::span(&slice, 1)).has_value() && slice.outcome == Errc::ok) return true;
    return false;
}

template <Transport T>
void deadline_passed(Direction direction) {
    auto pair = TransportPair<T>();
    const auto region = pair.add(LargeGroup::bytes, Rights::read_write);
    auto group = LargeGroup(region);
    fill(direction == Direction::read ? region->bytes : MutableBytes(group.memory), 11);
    const auto passed = Deadline(SteadyClock{}.now() - 1s);
    CHECK(pair.move(direction, group.slices, passed).has_value()); // the path is not to blame
    CHECK(group.outcomes_are(Errc::timed_out, Errc::ok));
    CHECK(std::any_of(group.slices.begin(), group.slices.end(),
                      [](const Slice& slice) { return slice.outcome == Errc::timed_out; }));
    CHECK(group.ok_means_moved(region));
    CHECK(works_again(pair, region));
}

/// Whether a transfer is ended by its own deadline, or from outside by a cancellation.
enum class Ending : std::uint8_t { deadline, cancellation };

/// Ends transfers at many moments. Afterwards the memory is the caller's again: nobody writes to it any more.
template <Transport T>
void ended_in_the_middle(Direction direction, Ending ending) {
    auto pair = TransportPair<T>();
    const auto region = pair.add(LargeGroup::bytes, Rights::read_write);
    auto groups = std::vector<LargeGroup>();
    auto ended = 0;
    for (const auto after : {50us, 200us, 500us, 1000us, 2000us, 3000us, 5000us, 8000us}) {
        CAPTURE(after.count());
        auto& group = groups.emplace_back(region);
        fill(direction == Direction::read ? region->bytes : MutableBytes(group.memory), 13);
        if (ending == Ending::deadline) {
            CHECK(pair.move(direction, group.slices, after).has_value());
            CHECK(group.outcomes_are(Errc::timed_out, Errc::ok));
        } else {
            auto transfer = pair.client.transfer(pair.link, {.direction = direction, .slices = group.slices});
            (void)pair.runtime.run(with_deadline(std::move(transfer), after));
            CHECK(group.outcomes_are(Errc::cancelled, Errc::ok));
        }
        ended += group.outcomes_are(Errc::ok, Errc::ok) ? 0 : 1;
        CHECK(group.ok_means_moved(region));
        std::fill(group.memory.begin(), group.memory.end(), returned_mark);
        CHECK(works_again(pair, region));
    }
    MESSAGE(T::name << ": " << ended << " of " << groups.size() << " transfers ended early");
    pair.close();
    for (const auto& group : groups) CHECK(untouched(group.memory, returned_mark));
}

/// Several threads, each with a part of the region that only it writes.
template <Transport T>
void concurrent_groups() {
    constexpr std::size_t threads = 4, rounds = 12, count = 64, length = 6000;
    auto pair = TransportPair<T>();
    const auto region = pair.add(threads * count * length, Rights::read_write);
    auto wrong = std::atomic<int>{0};
    const auto work = [&](std::size_t thread) {
        auto memory = std::vector<std::byte>(count * length);
        auto slices = std::vector<Slice>(count);
        for (std::size_t i = 0; i < count; ++i)
            slices[i] = {.local = memory.data() + i * length,
                         .length = length,
                         .remote = region->offset + (thread * count + i) * length,
                         .key = region->keys.write};
        for (std::size_t round = 0; round < rounds; ++round) {
            for (const auto direction : {Direction::write, Direction::read}) {
                if (direction == Direction::write) fill(memory, thread * rounds + round);
                else std::fill(memory.begin(), memory.end(), std::byte{});
                const auto group = SliceGroup{.direction = direction, .slices = slices};
                const auto moved = sync_wait(pair.runtime.executor(thread), pair.client.transfer(pair.link, group));
                for (const auto& slice : slices) wrong += slice.outcome != Errc::ok;
                wrong += !moved;
            }
            wrong += !same(memory, region->bytes.subspan(thread * count * length, count * length));
        }
    };
    {
        auto pool = std::vector<std::jthread>();
        for (std::size_t i = 0; i < threads; ++i) pool.emplace_back(work, i);
    }
    CHECK(wrong == 0);
}

/// The peer is closed while transfers run: they end with an error, and nothing hangs.
template <Transport T>
void peer_closed() {
    auto pair = TransportPair<T>();
    const auto region = pair.add(2 * LargeGroup::bytes, Rights::read_write);
    auto groups = std::vector<LargeGroup>();
    for (const auto at : {std::uint64_t{0}, LargeGroup::bytes}) groups.emplace_back(region, at);
    auto moved = std::atomic<int>{0};
    auto failed = std::atomic<int>{0};
    auto consistent = std::atomic<bool>{true};
    const auto work = [&](std::size_t thread) {
        const auto direction = thread == 0 ? Direction::write : Direction::read;
        for (const auto until = Deadline(30s); !until.passed(); ++moved) {
            const auto group = SliceGroup{.direction = direction, .slices = groups[thread].slices};
            const auto result = sync_wait(pair.runtime.executor(thread), pair.client.transfer(pair.link, group));
            if (result) continue;
            ++failed;
            if (result.error() == Errc::ok || groups[thread].outcomes_are(Errc::ok, Errc::ok)) consistent = false;
            return;
        }
    };
    {
        auto first = std::jthread(work, 0), second = std::jthread(work, 1);
        while (moved < 4) std::this_thread::yield();
        pair.close_server();
    }
    CHECK(failed == 2);
    CHECK(consistent);
    // And afterwards too: at once, or when the transport has given up.
    CHECK_FALSE(pair.move(Direction::read, groups[0].slices, 10s).has_value());
    CHECK_FALSE(groups[0].outcomes_are(Errc::ok, Errc::ok));
}

template <Transport T>
void closing() {
    auto pair = TransportPair<T>();
    const auto region = pair.add(4096, Rights::read_write);
    auto memory = std::vector<std::byte>(16);
    CHECK(pair.move_one(Direction::write, memory, region->offset, region->keys.write) == Errc::ok);
    const auto server = pair.server.describe();
    pair.close();
    pair.close();
    auto slice = Slice{.local = memory.data(), .length = 16, .remote = region->offset, .key = region->keys.read};
    CHECK_FALSE(pair.move(Direction::read, std::span(&slice, 1), 10s).has_value());
    CHECK(slice.outcome != Errc::ok);
    if (const auto link = pair.connect(server, pair.regions->generation()); link) {
        pair.link = *link;
        CHECK_FALSE(pair.move(Direction::read, std::span(&slice, 1), 10s).has_value());
    }
    pair.close();
}

/// Peers that are not there, or never were.
template <Transport T>
void nobody_there() {
    auto pair = TransportPair<T>();
    const auto region = pair.add(4096, Rights::read_write);
    const auto gone = pair.server.describe();
    CHECK(pair.client.reaches(gone));
    pair.close_server();
    auto memory = std::vector<std::byte>(16);
    for (const auto& description : {gone, std::string(), std::string("no such thing"), std::string(5000, 'x'),
                                    gone.substr(0, gone.size() / 2), gone + "0"}) {
        CAPTURE(description);
        (void)pair.client.reaches(description);
        const auto link = pair.connect(description, pair.regions->generation());
        if (!link) continue;
        pair.link = *link;
        auto slice = Slice{.local = memory.data(), .length = 16, .remote = region->offset, .key = region->keys.read};
        CHECK_FALSE(pair.move(Direction::read, std::span(&slice, 1), 10s).has_value());
        CHECK(slice.outcome != Errc::ok);
    }
}

} // namespace detail

/// What a `Transport` must do when things go wrong; a part of `transport_conformance`.
template <Transport T>
void transport_faults_conformance() {
    using detail::Ending;
    SUBCASE("a write whose deadline has passed ends") { detail::deadline_passed<T>(Direction::write); }
    SUBCASE("a read whose deadline has passed ends") { detail::deadline_passed<T>(Direction::read); }
    SUBCASE("a write gives its memory back at its deadline") {
        detail::ended_in_the_middle<T>(Direction::write, Ending::deadline);
    }
    SUBCASE("a read gives its memory back at its deadline") {
        detail::ended_in_the_middle<T>(Direction::read, Ending::deadline);
    }
    SUBCASE("a write that is cancelled gives its memory back") {
        detail::ended_in_the_middle<T>(Direction::write, Ending::cancellation);
    }
    SUBCASE("a read that is cancelled gives its memory back") {
        detail::ended_in_the_middle<T>(Direction::read, Ending::cancellation);
    }
    SUBCASE("groups from several executors do not mix") { detail::concurrent_groups<T>(); }
    SUBCASE("a peer that is closed ends what is on its way") { detail::peer_closed<T>(); }
    SUBCASE("closing is for good, and may be repeated") { detail::closing<T>(); }
    SUBCASE("a peer that is not there is an error, and no hang") { detail::nobody_there<T>(); }
}

} // namespace mooncake::testing
