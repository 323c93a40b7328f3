// labels: coroutine
#include "pair.hpp"
#include "support/skip.hpp"

#include <sys/mman.h>

using namespace mooncake;
using namespace mooncake::test;

namespace {

/// Huge pages of its own: with small ones the first touch would take longer than the rest of the test.
class HugeMemory {
  public:
    explicit HugeMemory(std::uint64_t bytes)
        : base_(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)),
          bytes_(bytes) {
        REQUIRE(base_ != MAP_FAILED);
        (void)madvise(base_, bytes, MADV_HUGEPAGE);
    }
    HugeMemory(const HugeMemory&) = delete;
    HugeMemory& operator=(const HugeMemory&) = delete;
    ~HugeMemory() { munmap(base_, bytes_); }

    [[nodiscard]] MutableBytes bytes() const noexcept { return {static_cast<std::byte*>(base_), bytes_}; }

  private:
    void* base_;
    std::uint64_t bytes_;
};

} // namespace

TEST_CASE("large: one request moves more than 4 GiB, whatever the transport") {
    constexpr auto piece = 16 * MiB, total = 4 * GiB + piece;
    if (Arena::available_memory() < 2 * total) return skip("needs 8 GiB of free memory");
    auto pair = EnginePair();
    const auto remote = HugeMemory(total);
    auto local = std::vector<std::byte>(piece);
    const auto region = pair.runtime.run(pair.owner.register_memory(remote.bytes(), Rights::read_write)).value();
    const auto segment = pair.open();
    const auto sources = std::vector<ConstBytes>(total / piece, ConstBytes(local)); // the same bytes again and again
    const auto targets = std::vector<MutableBytes>(total / piece, MutableBytes(local));
    const auto same_everywhere = [&] {
        auto wrong = 0;
        for (std::uint64_t at = 0; at < total; at += piece)
            wrong += !testing::same(local, remote.bytes().subspan(at, piece));
        return wrong == 0;
    };
    auto seed = std::uint64_t{0};
    for (const auto* transport : {"loopback", "shm", "tcp"}) {
        CAPTURE(transport);
        testing::fill(local, ++seed);
        auto writes = pair.user.batch();
        writes.write(sources, segment, region->offset);
        const auto written = pair.runtime.run(writes.submit({.deadline = 120s})).value().requests.front();
        CHECK(written.outcome == Errc::ok);
        CHECK(written.transport == transport);
        CHECK(written.bytes == total);
        CHECK(same_everywhere());
        (seed == 1 ? pair.loopback : pair.shm).set(EnginePair::failing()); // the next one's turn
    }
    auto beyond = pair.user.batch();
    beyond.read(targets, segment, region->offset + 1);
    const auto refused = pair.runtime.run(beyond.submit({.deadline = 120s})).value().requests.front();
    CHECK(refused.outcome == Errc::out_of_range); // of its last slice
    CHECK(refused.bytes < total);
}
