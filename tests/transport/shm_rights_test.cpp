// labels: io
#include <mooncake/testing/transport_pair.hpp>
#include <mooncake/transport/shm.hpp>

#include "support/skip.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace mooncake;
using namespace mooncake::testing;
using namespace mooncake::transport::detail;

namespace {

constexpr auto mark = std::byte{0x5a};
constexpr int refused = 40, attacked = 41, no_rights = 42;

/// Everything that a process can try with a descriptor it was handed for reading. System calls only: it runs in a fork.
void attack(int fd, std::size_t bytes) noexcept {
    const auto scribble = [bytes](int with) {
        auto* const at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, with, 0);
        if (at != MAP_FAILED) *static_cast<volatile char*>(at) = 'X';
        const auto letter = 'X';
        (void)!pwrite(with, &letter, 1, 0);
        (void)fallocate(with, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes));
        (void)!ftruncate(with, 0);
    };
    scribble(fd);
    auto* const seen = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (seen != MAP_FAILED && mprotect(seen, bytes, PROT_READ | PROT_WRITE) == 0)
        *static_cast<volatile char*>(seen) = 'X';
    if (seen != MAP_FAILED) (void)madvise(seen, bytes, MADV_REMOVE);
    auto path = std::array<char, 64>();
    std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", fd);
    (void)fchmod(fd, 0666);
    (void)chmod(path.data(), 0666);
    (void)!truncate(path.data(), 0);
    if (const auto again = open(path.data(), O_RDWR); again >= 0) scribble(again);
}

/// A peer in a process of its own, of user `uid`, who shows `key` and then does his worst. Tells what came of it.
int hostile_peer(const TransportPair<ShmTransport>& pair, const RegionPin& region, std::uint64_t key, uid_t uid) {
    const auto description = pair.server.describe();
    const auto name = UnixAddress(description.substr(description.rfind(' ') + 1));
    const auto hello = ShmMessage{.kind = ShmKind::hello, .id = wire_version, .generation = pair.regions->generation()};
    const auto map = ShmMessage{.kind = ShmKind::map, .id = 9, .offset = region->offset, .key = key};
    const auto child = fork();
    if (child == 0) {
        if (setresuid(uid, uid, uid) != 0) _exit(no_rights);
        const auto fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (connect(fd, name.get(), name.length) != 0) _exit(no_rights);
        if (send_message(fd, hello) != 0 || send_message(fd, map) != 0) _exit(no_rights);
        for (auto answers = 0; answers < 2;) {
            auto received = receive_message(fd);
            if (received.error == EAGAIN) continue;
            if (received.error != 0) _exit(no_rights);
            if (++answers < 2) continue;
            if (received.message.status != 0) _exit(refused);
            attack(received.fd.get(), region->bytes.size());
        }
        _exit(attacked);
    }
    auto status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace

TEST_CASE("shm: a peer who may read changes no byte, whoever he is") {
    if (geteuid() != 0) return test::skip("takes on another user's rights: run it as root");
    constexpr uid_t root = 0, nobody = 65'534;
    auto pair = TransportPair<ShmTransport>();
    SUBCASE("memory that others may write to is not handed to one of the same user, who could open it again") {
        const auto region = pair.add(64 * KiB, Rights::read_write, mark);
        CHECK(hostile_peer(pair, region, region->keys.read, root) == refused);
        CHECK(untouched(region->bytes, mark));
    }
    SUBCASE("one of another user is kept to reading by the kernel") {
        const auto region = pair.add(64 * KiB, Rights::read_write, mark);
        CHECK(hostile_peer(pair, region, region->keys.read, nobody) == attacked);
        CHECK(untouched(region->bytes, mark));
    }
    SUBCASE("memory for reading only is sealed, and read in place by all") {
        const auto region = pair.add(64 * KiB, Rights::read, mark);
        region->arena->settle_rights(Rights::read);
        CHECK(hostile_peer(pair, region, region->keys.read, root) == attacked);
        CHECK(hostile_peer(pair, region, region->keys.read, nobody) == attacked);
        CHECK(untouched(region->bytes, mark));
        region->bytes[0] = std::byte{1}; // its owner writes on
        CHECK(region->bytes[0] == std::byte{1});
    }
    SUBCASE("a wrong key is handed nothing") {
        const auto region = pair.add(64 * KiB, Rights::read_write, mark);
        CHECK(hostile_peer(pair, region, region->keys.read ^ 1, nobody) == refused);
        CHECK(untouched(region->bytes, mark));
    }
    SUBCASE("and one who may write does") {
        const auto region = pair.add(64 * KiB, Rights::read_write, mark);
        CHECK(hostile_peer(pair, region, region->keys.write, root) == attacked);
        CHECK_FALSE(untouched(region->bytes, mark));
    }
}

TEST_CASE("shm: an owner may trust processes of his own user") {
    auto pair = TransportPair<ShmTransport>({.trust = ShmTrust::same_user});
    const auto region = pair.add(64 * KiB, Rights::read_write, mark);
    CHECK(hostile_peer(pair, region, region->keys.read, geteuid()) == attacked);
}
