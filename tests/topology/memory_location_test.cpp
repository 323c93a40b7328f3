#include <mooncake/memory/arena.hpp>
#include <mooncake/topology/discover.hpp>
#include <mooncake/topology/memory_location.hpp>

#include <doctest/doctest.h>

#include <sys/mman.h>

#include <cstring>
#include <vector>

namespace mooncake {
namespace {

TEST_CASE("memory location: where the kernel says it is, and nowhere before it is there") {
    constexpr std::size_t bytes = 8 * MiB;
    auto* const pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(pages != MAP_FAILED);
    const auto memory = ConstBytes(static_cast<const std::byte*>(pages), bytes);
    CHECK(memory_location(memory) == "*");
    std::memset(pages, 1, bytes);
    const auto location = memory_location(memory);
    if (location == "*") MESSAGE("SKIPPED: this kernel, or its sandbox, does not say where pages are");
    else CHECK(find_priority(priority_matrix(discover()), location) != nullptr);
    if (discover().nodes.size() == 1) CHECK((location == "cpu:0" || location == "*"));
    munmap(pages, bytes);
    CHECK(memory_location(memory) == "*"); // gone: said, and not touched
    CHECK(memory_location({}) == "*");
    CHECK(memory_location(memory.first(1)) == "*");
    const auto byte = std::byte{1};
    CHECK(memory_location({&byte, 1}) == location);
}

} // namespace
} // namespace mooncake
