// KV pages as a serving engine has them, scattered over its cache, to a peer in one batch: 64 requests that are checked,
// sent and reported on together. Each page has two parts, keys and values, which lie apart here and side by side there.
#include <mooncake/mooncake.hpp>

#include <array>
#include <cstdlib>
#include <iostream>
#include <vector>

using namespace std::chrono_literals;

constexpr std::uint64_t pages = 64, part = 32 * mooncake::KiB;

mooncake::Task<void> send(mooncake::TransferEngine<>& peer, std::string locator, std::vector<std::byte>& cache) {
    const auto segment = co_await peer.open(locator, 5s);
    if (!segment) co_return segment.error();
    auto batch = peer.batch();
    batch.reserve(pages);
    for (std::uint64_t i = 0; i < pages; ++i) {
        const auto slot = i * 37 % pages; // pages are where there was room
        const auto keys = mooncake::ConstBytes(cache).subspan(slot * part, part);
        const auto values = mooncake::ConstBytes(cache).subspan((pages + slot) * part, part);
        batch.write(std::array{keys, values}, *segment, i * 2 * part);
    }
    const auto report = co_await batch.submit({.deadline = 5s}); // `cache` stays as it is until then
    if (!report) co_return report.error();
    auto bytes = std::uint64_t{0};
    for (const auto& request : report->requests) {
        if (request.outcome != mooncake::Errc::ok) co_return request.outcome;
        bytes += request.bytes;
    }
    std::cout << report->requests.size() << " pages, " << bytes << " bytes over " << report->requests.front().transport
              << '\n';
    co_return mooncake::ok;
}

int main() {
    mooncake::Runtime runtime;
    mooncake::TransferEngine<> decoder{runtime}, prefill{runtime};
    auto arena = mooncake::Arena::create({.bytes = pages * 2 * part});
    if (!arena) return std::cerr << arena.error() << '\n', EXIT_FAILURE;
    const auto region = runtime.run(decoder.register_arena(*arena, mooncake::Rights::write));
    if (!region) return std::cerr << region.error() << '\n', EXIT_FAILURE;

    auto cache = std::vector<std::byte>(pages * 2 * part);
    for (std::size_t i = 0; i < cache.size(); ++i) cache[i] = static_cast<std::byte>(i / part);
    const auto sent = runtime.run(send(prefill, decoder.locator(), cache));
    if (!sent) return std::cerr << sent.error() << '\n', EXIT_FAILURE;
    const auto second = (*arena)->bytes().subspan(2 * part, 2 * part); // page 1 was in slot 37
    const auto arrived = second[0] == std::byte{37} && second[part] == std::byte{37 + pages};
    return arrived ? EXIT_SUCCESS : EXIT_FAILURE;
}
