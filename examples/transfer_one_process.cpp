// Two engines in one process: one shares memory, the other reads and writes it.
#include <mooncake/mooncake.hpp>

#include <cstdlib>
#include <iostream>

using namespace std::chrono_literals;

// [readme
mooncake::Task<void> transfer(mooncake::TransferEngine<>& owner, mooncake::TransferEngine<>& peer) {
    auto arena = mooncake::Arena::create({.bytes = 4 * mooncake::MiB});
    if (!arena) co_return arena.error();
    const auto region = co_await owner.register_arena(*arena, mooncake::Rights::read_write);
    if (!region) co_return region.error();

    const auto segment = co_await peer.open(owner.locator(), 1s); // finds the ways to it: loopback, shm, tcp
    if (!segment) co_return segment.error();
    const auto page = std::vector<std::byte>(64 * mooncake::KiB, std::byte{42});
    auto back = std::vector<std::byte>(page.size());

    auto batch = peer.batch();
    for (std::uint64_t i = 0; i < 4; ++i) batch.write(page, *segment, i * page.size());
    const auto written = co_await batch.submit({.deadline = 5s});
    if (!written) co_return written.error();
    const auto read = co_await peer.read(back, *segment, 0, {.deadline = 5s});
    if (!read) co_return read.error();

    std::cout << written->requests.size() << " pages written over " << read->transport << ", read back "
              << (back == page ? "the same" : "different") << '\n';
    if (back != page) co_return mooncake::Errc::corrupt;
    co_return mooncake::ok;
}
// readme]

int main() {
    mooncake::Runtime runtime;
    mooncake::TransferEngine<> owner{runtime}, peer{runtime};
    const auto done = runtime.run(transfer(owner, peer));
    if (!done) std::cerr << done.error() << '\n';
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
