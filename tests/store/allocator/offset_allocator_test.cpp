// labels: unit, conformance
#include <mooncake/store/allocator/offset_allocator.hpp>
#include <mooncake/testing/allocator_conformance.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>

using namespace mooncake;

namespace {

struct LacksAllocate {
    static constexpr std::uint64_t granularity = 64;
    explicit LacksAllocate(std::uint64_t) {}
    void free(const Allocation&, std::uint64_t) {}
    std::uint64_t free_bytes() const noexcept { return 0; }
    std::uint64_t largest_free() const noexcept { return 0; }
};
struct Whole : LacksAllocate {
    using LacksAllocate::LacksAllocate;
    std::optional<Allocation> allocate(std::uint64_t) { return Allocation(); }
};
struct LacksFree : Whole {
    using Whole::Whole;
    void free(const Allocation&, std::uint64_t) = delete;
};
struct FreeBytesMayThrow : Whole {
    using Whole::Whole;
    std::uint64_t free_bytes() const { return 0; }
};
struct LacksLargestFree : Whole {
    using Whole::Whole;
    std::uint64_t largest_free() const noexcept = delete;
};
struct AllocatesOffsets : Whole {
    using Whole::Whole;
    std::optional<std::uint64_t> allocate(std::uint64_t) { return 0; }
};
struct LacksCapacity {
    [[maybe_unused]] static constexpr std::uint64_t granularity = 64;
    std::optional<Allocation> allocate(std::uint64_t) { return Allocation(); }
    void free(const Allocation&, std::uint64_t) {}
    std::uint64_t free_bytes() const noexcept { return 0; }
    std::uint64_t largest_free() const noexcept { return 0; }
};

static_assert(SpaceAllocator<Whole>);
static_assert(!SpaceAllocator<LacksAllocate>);
static_assert(!SpaceAllocator<LacksFree>);
static_assert(!SpaceAllocator<FreeBytesMayThrow>);
static_assert(!SpaceAllocator<LacksLargestFree>);
static_assert(!SpaceAllocator<AllocatesOffsets>);
static_assert(!SpaceAllocator<LacksCapacity>);
static_assert(!SpaceAllocator<int>);

using Class = store::detail::SizeClass;
static_assert(Class::floor(~std::uint64_t{0}) < Class::count);
static_assert(Class::ceil(64) == Class::floor(64) && Class::ceil(65) == Class::floor(65) + 1);

} // namespace

TEST_CASE("allocator: the offset allocator conforms") { testing::allocator_conformance<OffsetAllocator>(); }
TEST_CASE("allocator: the archetype conforms") { testing::allocator_conformance<testing::MinimalAllocator>(); }

TEST_CASE("allocator: every size lies in a class that begins at or below it and ends above it") {
    for (std::uint64_t granules = 1; granules < 100'000; ++granules) {
        const auto at = Class::floor(granules);
        REQUIRE(Class::least(at) <= granules);
        REQUIRE(Class::least(at + 1) > granules);
        REQUIRE(Class::least(Class::ceil(granules)) >= granules);
    }
}

TEST_CASE("allocator: a space of many terabytes is handed out to the last byte") {
    constexpr auto capacity = 64 * 1024 * GiB;
    auto allocator = OffsetAllocator(capacity);
    auto extents = 0;
    while (allocator.allocate(3 * 1024 * GiB)) ++extents;
    CHECK(extents == 21);
    CHECK(allocator.allocate(1024 * GiB).has_value());
    CHECK(allocator.free_bytes() == 0);
}
