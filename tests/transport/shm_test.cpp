// labels: io
#include <mooncake/core/combine.hpp>
#include <mooncake/testing/transport_pair.hpp>
#include <mooncake/transport/shm.hpp>

#include <doctest/doctest.h>

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace mooncake;
using namespace mooncake::testing;
using namespace mooncake::transport::detail;

namespace {

/// A unix socket to the server of `pair`, for saying what no client of ours would.
FileDescriptor raw(const TransportPair<ShmTransport>& pair) {
    const auto description = pair.server.describe();
    auto fd = FileDescriptor(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const auto name = UnixAddress(description.substr(description.rfind(' ') + 1));
    REQUIRE(::connect(fd.get(), name.get(), name.length) == 0);
    return fd;
}

void send(const FileDescriptor& fd, std::string_view bytes) {
    (void)::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}
bool cut_off(const FileDescriptor& fd) {
    auto byte = std::array<char, 256>();
    for (;;)
        if (::recv(fd.get(), byte.data(), byte.size(), 0) <= 0) return true;
}

std::string_view bytes_of(const ShmMessage& message) {
    return {reinterpret_cast<const char*>(&message), sizeof message};
}

} // namespace

TEST_CASE("shm: a region that goes while it is being mapped is free in the end, and is reached no more") {
    auto pair = TransportPair<ShmTransport>();
    for (int round = 0; round < 300; ++round) {
        auto region = pair.add(4096, Rights::read_write);
        const auto offset = region->offset, key = region->keys.write;
        const auto watched = std::weak_ptr<const Region>(region);
        auto byte = std::byte{1};
        auto slice = Slice{.local = &byte, .length = 1, .remote = offset, .key = key};
        {
            auto remover = std::jthread([&] {
                const auto until = SteadyClock{}.now() + std::chrono::microseconds(round % 100);
                while (SteadyClock{}.now() < until) std::this_thread::yield();
                pair.regions->remove(region);
                region.reset();
            });
            CHECK(pair.move(Direction::write, std::span(&slice, 1)).has_value());
            CHECK((slice.outcome == Errc::ok || slice.outcome == Errc::out_of_range));
        }
        REQUIRE(expires(watched));
        CHECK(pair.move_one(Direction::write, {&byte, 1}, offset, key) == Errc::out_of_range);
    }
}

TEST_CASE("shm: a private arena is refused, and the link goes on") {
    auto pair = TransportPair<ShmTransport>();
    const auto shared = pair.add(4096, Rights::read);
    const auto arena = Arena::create({.bytes = 4096, .sharing = ArenaSharing::process}).value();
    const auto region = pair.regions->add(
        {.bytes = arena->bytes(), .rights = Rights::read, .keys = make_keys(Rights::read), .arena = arena});
    auto byte = std::byte{};
    CHECK(pair.move_one(Direction::read, {&byte, 1}, (*region)->offset, (*region)->keys.read) == Errc::not_mapped);
    CHECK(pair.move_one(Direction::read, {&byte, 1}, shared->offset, shared->keys.read) == Errc::ok);
}

TEST_CASE("shm: memory of the user's own is reached where it is") {
    auto pair = TransportPair<ShmTransport>();
    auto theirs = std::vector<std::byte>(5 * MiB + 3);
    fill(theirs, 1);
    auto region =
        pair.regions->add({.bytes = theirs, .rights = Rights::read_write, .keys = make_keys(Rights::read_write)})
            .value();
    auto mine = std::vector<std::byte>(theirs.size());
    SUBCASE("as a whole, and to its last byte") {
        CHECK(pair.move_one(Direction::read, mine, region->offset, region->keys.read) == Errc::ok);
        CHECK(same(mine, theirs));
        fill(mine, 2);
        CHECK(pair.move_one(Direction::write, mine, region->offset, region->keys.write) == Errc::ok);
        CHECK(same(mine, theirs));
        const auto end = region->offset + theirs.size();
        CHECK(pair.move_one(Direction::read, {mine.data(), 2}, end - 1, region->keys.read) == Errc::out_of_range);
        CHECK(pair.move_one(Direction::read, {mine.data(), 0}, end, region->keys.read) == Errc::ok);
        CHECK(pair.move_one(Direction::write, {mine.data(), 1}, end - 1, region->keys.read) == Errc::access_denied);
    }
    SUBCASE("in many slices, together with memory that is mapped") {
        const auto shared = pair.add(4096, Rights::read);
        fill(shared->bytes, 3);
        auto slices = std::vector<Slice>();
        constexpr auto length = std::uint64_t{1'000};
        for (std::uint64_t i = 0; i < 300; ++i) {
            const auto mapped = i % 7 == 0;
            slices.push_back({.local = mine.data() + i * length,
                              .length = length,
                              .remote = mapped ? shared->offset : region->offset + i * length,
                              .key = mapped ? shared->keys.read : region->keys.read});
        }
        slices[5].remote = region->offset + theirs.size(); // is not there
        auto group =
            SliceGroup{.direction = Direction::read, .digest = Digest::xxh3, .slices = slices, .deadline = 10s};
        CHECK(pair.runtime.run(pair.client.transfer(pair.link, group)).has_value());
        for (std::uint64_t i = 0; i < 300; ++i) {
            const auto from =
                i % 7 == 0 ? ConstBytes(shared->bytes).first(length) : ConstBytes(theirs).subspan(i * length, length);
            CHECK(slices[i].outcome == (i == 5 ? Errc::out_of_range : Errc::ok));
            if (i == 5) continue;
            CHECK(same({mine.data() + i * length, length}, from));
            CHECK(slices[i].digest == hash_bytes(from));
        }
    }
    SUBCASE("but cannot be mapped") {
        const auto window = pair.runtime.run(
            pair.client.map(pair.link, region->offset, 16, region->keys.read, Direction::read, Deadline(10s)));
        CHECK(window.error() == Errc::not_mapped);
    }
    SUBCASE("until its owner takes it back, who waits for those that use it") {
        CHECK(pair.move_one(Direction::read, mine, region->offset, region->keys.read) == Errc::ok);
        const auto offset = region->offset;
        const auto key = region->keys.read;
        const auto watched = std::weak_ptr<const Region>(region);
        pair.regions->remove(region);
        region.reset();
        REQUIRE(expires(watched));
        CHECK(pair.move_one(Direction::read, mine, offset, key) == Errc::out_of_range);
    }
    SUBCASE("and not where there is nothing") {
        auto* const page = theirs.data() + 2 * MiB - reinterpret_cast<std::uintptr_t>(theirs.data()) % (4 * KiB);
        REQUIRE(mprotect(page, 4 * KiB, PROT_NONE) == 0);
        CHECK(pair.move_one(Direction::read, mine, region->offset, region->keys.read) == Errc::not_mapped);
        REQUIRE(mprotect(page, 4 * KiB, PROT_READ | PROT_WRITE) == 0);
    }
}

TEST_CASE("shm: more questions at once than the socket holds are all answered") {
    auto pair = TransportPair<ShmTransport>();
    const auto region = pair.add(4096, Rights::read);
    auto maps = std::vector<Task<MappedWindow>>();
    for (int i = 0; i < 3000; ++i)
        maps.push_back(
            pair.client.map(pair.link, region->offset, 16, region->keys.read, Direction::read, Deadline(10s)));
    const auto count = [](std::vector<Task<MappedWindow>> asked) -> Task<int> {
        const auto windows = co_await all_settled(std::move(asked));
        auto answered = 0;
        for (const auto& window : windows) answered += window.has_value() ? 1 : 0;
        co_return answered;
    };
    auto counting = count(std::move(maps));
    CHECK(pair.runtime.run(std::move(counting)).value() == 3000);
}

TEST_CASE("shm: a mapping that its asker gave up is given back") {
    auto pair = TransportPair<ShmTransport>();
    for (int round = 0; round < 100; ++round) {
        auto region = pair.add(4096, Rights::read);
        const auto watched = std::weak_ptr<const Region>(region);
        auto mapped = pair.client.map(pair.link, region->offset, 1, region->keys.read, Direction::read,
                                      Deadline(SteadyClock{}.now()));
        (void)pair.runtime.run(std::move(mapped)); // most often timed_out, with the reply on its way
        pair.regions->remove(region);
        region.reset();
        REQUIRE(expires(watched));
    }
}

TEST_CASE("shm: peers that send garbage, or go without a word, harm nobody") {
    auto pair = TransportPair<ShmTransport>();
    const auto region = pair.add(4096, Rights::read_write);
    auto hello = ShmMessage{.kind = ShmKind::hello, .id = wire_version, .generation = pair.regions->generation()};
    for (int i = 0; i < 50; ++i) (void)raw(pair);
    for (const auto& [first, second] :
         {std::pair(std::string("garbage"), std::string()), std::pair(std::string(4096, 'G'), std::string()),
          std::pair(std::string(bytes_of(ShmMessage{.kind = ShmKind::map})), std::string()),
          std::pair(std::string(bytes_of(hello)), std::string(bytes_of(ShmMessage{.kind = ShmKind::released}))),
          std::pair(std::string(bytes_of(hello)), std::string(bytes_of(ShmMessage{.kind = ShmKind::reply}))),
          std::pair(std::string(bytes_of(ShmMessage{.kind = ShmKind::hello, .id = 99})), std::string())}) {
        const auto peer = raw(pair);
        send(peer, first);
        if (!second.empty()) send(peer, second);
        CHECK(cut_off(peer));
    }
    auto byte = std::byte{};
    CHECK(pair.move_one(Direction::read, {&byte, 1}, region->offset, region->keys.read) == Errc::ok);
}

namespace {

/// Asks `fence` until it says yes.
template <class Pair>
bool fenced_in_time(Pair& pair, const RegionPin& region, std::uint64_t epoch) {
    pair.regions->fence().raise(region->offset, region->bytes.size(), epoch);
    for (const auto until = Deadline(std::chrono::seconds(10)); !until.passed(); std::this_thread::yield())
        if (pair.server.fence(region->offset, region->bytes.size(), epoch)) return true;
    return false;
}

} // namespace

TEST_CASE("shm: who maps the memory writes no more for an allocation that its owner has fenced") {
    auto pair = TransportPair<ShmTransport>();
    const auto region = pair.add(64 * KiB, Rights::read_write);
    CHECK(pair.server.fence(region->offset, 4096, 1)); // nobody maps it yet
    auto bytes = std::vector<std::byte>(4096, std::byte{7});
    const auto write = [&](std::uint64_t epoch) {
        auto slice = Slice{.local = bytes.data(),
                           .length = bytes.size(),
                           .remote = region->offset,
                           .key = region->keys.write,
                           .epoch = epoch};
        (void)pair.move(Direction::write, std::span(&slice, 1));
        return slice.outcome;
    };
    CHECK(write(5) == Errc::ok);
    CHECK(fenced_in_time(pair, region, 5));
    CHECK(write(5) == Errc::stale_epoch);
    CHECK(write(4) == Errc::stale_epoch);
    CHECK(write(6) == Errc::ok);
    CHECK(write(0) == Errc::ok);
}

TEST_CASE("shm: a peer that does not answer keeps the fence open until it is gone") {
    auto pair = TransportPair<ShmTransport>();
    const auto region = pair.add(64 * KiB, Rights::read_write);
    auto stopped = raw(pair);
    send(stopped,
         bytes_of(ShmMessage{.kind = ShmKind::hello, .id = wire_version, .generation = pair.regions->generation()}));
    send(stopped,
         bytes_of(ShmMessage{.kind = ShmKind::map, .id = 9, .offset = region->offset, .key = region->keys.write}));
    auto answer = ShmMessage();
    REQUIRE(::recv(stopped.get(), &answer, sizeof answer, 0) == sizeof answer);
    REQUIRE(::recv(stopped.get(), &answer, sizeof answer, 0) == sizeof answer);
    REQUIRE(answer.status == 0);
    pair.regions->fence().raise(region->offset, 4096, 3);
    for (const auto until = Deadline(std::chrono::milliseconds(500)); !until.passed(); std::this_thread::yield())
        REQUIRE_FALSE(pair.server.fence(region->offset, 4096, 3));
    REQUIRE(::recv(stopped.get(), &answer, sizeof answer, 0) == sizeof answer);
    CHECK(answer.kind == ShmKind::fence);
    CHECK(answer.id == 3);
    stopped = FileDescriptor();
    CHECK(fenced_in_time(pair, region, 3));
}

TEST_CASE("shm: one peer has so many mappings, and no more") {
    auto pair = TransportPair<ShmTransport>();
    const auto region = pair.add(64 * KiB, Rights::read_write);
    const auto peer = raw(pair);
    auto answer = ShmMessage();
    const auto ask = [&](const ShmMessage& message) {
        send(peer, bytes_of(message));
        if (::recv(peer.get(), &answer, sizeof answer, 0) != sizeof answer) return Errc::connection_lost;
        return static_cast<Errc>(answer.status); // the descriptor beside it is not taken, and the kernel closes it
    };
    REQUIRE(ask({.kind = ShmKind::hello, .id = wire_version, .generation = pair.regions->generation()}) == Errc::ok);
    const auto write = ShmMessage{.kind = ShmKind::map, .id = 9, .offset = region->offset, .key = region->keys.write};
    REQUIRE(ask(write) == Errc::ok);
    for (std::size_t i = 1; i < ShmServer::most_mappings; ++i)
        if (const auto outcome = ask(write); outcome != Errc::ok) FAIL("mapping ", i, ": ", to_string(outcome));
    CHECK(ask(write) == Errc::too_large);
}

TEST_CASE("shm: what was fenced before a region was mapped is not written over it") {
    auto pair = TransportPair<ShmTransport>();
    const auto region = pair.add(64 * KiB, Rights::read_write);
    pair.regions->fence().raise(region->offset, 4096, 8);
    auto byte = std::byte{1};
    auto slice = Slice{.local = &byte, .length = 1, .remote = region->offset, .key = region->keys.write, .epoch = 8};
    CHECK(pair.move(Direction::write, std::span(&slice, 1)).has_value());
    CHECK(slice.outcome == Errc::not_mapped); // and the engine goes on over a way on which the owner looks
    CHECK(region->bytes[0] == std::byte{0});
    slice.epoch = 9;
    CHECK(pair.move(Direction::write, std::span(&slice, 1)).has_value());
    CHECK(slice.outcome == Errc::ok);
}

TEST_CASE("shm: strangers who say nothing make room, and those who have shown a key stay") {
    auto pair = TransportPair<ShmTransport>();
    const auto region = pair.add(4096, Rights::read_write);
    auto byte = std::vector<std::byte>(1);
    REQUIRE(pair.move_one(Direction::read, byte, region->offset, region->keys.read) == Errc::ok);
    auto strangers = std::vector<FileDescriptor>();
    const auto begun = SteadyClock{}.now();
    for (std::size_t i = 0; i <= ShmServer::most_strangers; ++i) strangers.push_back(raw(pair));
    CHECK(cut_off(strangers.front()));
    CHECK(SteadyClock{}.now() - begun < ShmServer::stranger_for / 2);
    const auto another = pair.connect(pair.server.describe(), pair.regions->generation());
    CHECK(another.has_value());
    CHECK(pair.move_one(Direction::read, byte, region->offset, region->keys.read) == Errc::ok);
}

TEST_CASE("shm: a stranger who says nothing is gone after a while, and one who has shown a key is not") {
    auto pair = TransportPair<ShmTransport>();
    const auto region = pair.add(4096, Rights::read_write);
    auto byte = std::vector<std::byte>(1);
    REQUIRE(pair.move_one(Direction::read, byte, region->offset, region->keys.read) == Errc::ok);
    const auto begun = SteadyClock{}.now();
    CHECK(cut_off(raw(pair)));
    CHECK(SteadyClock{}.now() - begun > ShmServer::stranger_for - 1s);
    CHECK(pair.move_one(Direction::read, byte, region->offset, region->keys.read) == Errc::ok);
}

TEST_CASE("shm: descriptors that nobody asked for are closed") {
    auto pair = TransportPair<ShmTransport>();
    const auto count = [] {
        return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                             std::filesystem::directory_iterator());
    };
    const auto before = count();
    for (auto round = 0; round < 20; ++round) {
        auto peer = raw(pair);
        auto message = ShmMessage{.kind = ShmKind::hello, .id = wire_version, .generation = pair.regions->generation()};
        auto part = iovec{&message, sizeof message};
        const int fds[] = {0, 1};
        alignas(cmsghdr) auto control = std::array<char, CMSG_SPACE(sizeof fds)>{};
        auto header = msghdr{};
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        auto* const extra = CMSG_FIRSTHDR(&header);
        extra->cmsg_level = SOL_SOCKET;
        extra->cmsg_type = SCM_RIGHTS;
        extra->cmsg_len = CMSG_LEN(sizeof fds);
        std::memcpy(CMSG_DATA(extra), fds, sizeof fds);
        REQUIRE(::sendmsg(peer.get(), &header, MSG_NOSIGNAL) == sizeof message);
        CHECK(cut_off(peer));
    }
    for (const auto until = Deadline(std::chrono::seconds(5)); count() > before && !until.passed();)
        std::this_thread::yield();
    CHECK(count() <= before);
}
