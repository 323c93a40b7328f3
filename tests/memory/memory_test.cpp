#include <mooncake/memory/arena.hpp>
#include <mooncake/memory/copier.hpp>
#include <mooncake/memory/region_table.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <set>

using namespace mooncake;

namespace {

struct LacksCopy {};
struct CopyMayThrow {
    static void copy(std::byte*, const std::byte*, std::size_t) {}
};
struct CopyReturns {
    static int copy(std::byte*, const std::byte*, std::size_t) noexcept { return 0; }
};
static_assert(!Copier<LacksCopy>);
static_assert(!Copier<CopyMayThrow>);
static_assert(!Copier<CopyReturns>);

/// Copies every size up to 600 at several alignments, and some large ones; nothing beside them changes.
template <class Copy>
void copies(Copy copy) {
    auto from = std::vector<std::byte>(3 * MiB), to = std::vector<std::byte>(3 * MiB);
    auto random = std::mt19937(1);
    for (auto& byte : from) byte = static_cast<std::byte>(random());
    const auto check = [&](std::size_t size, std::size_t source, std::size_t target) {
        CAPTURE(size);
        std::memset(to.data(), 0x77, size + target + 64);
        copy(to.data() + target, from.data() + source, size);
        REQUIRE(std::memcmp(to.data() + target, from.data() + source, size) == 0);
        for (std::size_t i = 0; i < target; ++i) REQUIRE(to[i] == std::byte{0x77});
        for (std::size_t i = 0; i < 64; ++i) REQUIRE(to[target + size + i] == std::byte{0x77});
    };
    for (std::size_t size = 0; size <= 600; ++size)
        for (const std::size_t shift : {0, 1, 31, 63}) check(size, shift, (shift * 7) % 64);
    for (const std::size_t size : {16UL * KiB, 16 * KiB + 1, 256 * KiB - 1, 256 * KiB, 2 * MiB + 255})
        check(size, 3, 5);
}

Region region(MutableBytes bytes, Rights rights) {
    return {.bytes = bytes, .rights = rights, .keys = make_keys(rights), .location = "cpu:0"};
}

} // namespace

TEST_CASE("copier: each copies all sizes at all alignments, and nothing else") {
    SUBCASE("memcpy") { copies(&MemcpyCopier::copy); }
#if defined(__x86_64__)
    SUBCASE("rep movsb") { copies(&RepMovsbCopier::copy); }
#endif
    SUBCASE("non-temporal") { copies(&NonTemporalCopier::copy); }
    SUBCASE("auto") { copies(&AutoCopier::copy); }
    SUBCASE("with a hash") {
        copies([](std::byte* to, const std::byte* from, std::size_t n) {
            REQUIRE(copy_and_hash(to, from, n) == hash_bytes({from, n}));
        });
    }
}

TEST_CASE("arena: memory that is there, aligned, sealed, and no more than the machine has") {
    for (const auto kind : {PageKind::hugetlb, PageKind::transparent, PageKind::plain}) {
        const auto arena =
            Arena::create({.bytes = 5 * MiB, .pages = kind, .prefault_threads = 2, .name = "test-arena"});
        REQUIRE(arena.has_value());
        const auto bytes = (*arena)->bytes();
        CHECK(bytes.size() == 6 * MiB);
        CHECK(reinterpret_cast<std::uintptr_t>(bytes.data()) % (2 * MiB) == 0);
        CHECK((*arena)->pages() >= kind);
        bytes.front() = bytes.back() = std::byte{9};
        CHECK(ftruncate((*arena)->fd(), 4096) != 0);
        const auto read_only = (*arena)->read_only_fd();
        REQUIRE(read_only.has_value());
        CHECK_FALSE(Mapping::of(read_only->get(), 0, 2 * MiB, PROT_READ | PROT_WRITE).has_value());
        const auto window = Mapping::of(read_only->get(), 4 * MiB, 2 * MiB, PROT_READ);
        REQUIRE(window.has_value());
        CHECK(window->bytes().back() == std::byte{9});
    }
    CHECK(Arena::create({.bytes = 0}).error() == Errc::invalid_argument);
    for (const auto bytes : {Arena::available_memory() + 1 * GiB, ~std::uint64_t{0}}) {
        const auto refused = Arena::create({.bytes = bytes});
        CHECK(refused.error() == Errc::out_of_memory);
        CHECK(refused.error().message().find("are available") != std::string::npos);
    }
}

TEST_CASE("arena: it tells how far it has come, in order, until all is there") {
    auto told = std::vector<std::uint64_t>();
    constexpr auto bytes = 200 * MiB;
    auto config = ArenaConfig{.bytes = bytes, .pages = PageKind::plain, .prefault_threads = 2};
    config.progress = [&](std::uint64_t done, std::uint64_t all) {
        CHECK(all == bytes);
        told.push_back(done);
    };
    REQUIRE(Arena::create(config).has_value());
    REQUIRE(told.size() == 4);
    CHECK(std::is_sorted(told.begin(), told.end()));
    CHECK(told.back() == bytes);
}

TEST_CASE("arena: what it says of its pages is what the kernel says") {
    for (const auto sharing : {ArenaSharing::host, ArenaSharing::process})
        for (const auto kind : {PageKind::transparent, PageKind::plain}) {
            const auto arena = Arena::create({.bytes = 8 * MiB, .pages = kind, .sharing = sharing});
            REQUIRE(arena.has_value());
            CHECK((*arena)->shareable() == (sharing == ArenaSharing::host));
            const auto maps = core::detail::read_text_file("/proc/self/smaps");
            auto begin = std::array<char, 20>();
            std::snprintf(begin.data(), begin.size(), "%" PRIxPTR "-",
                          reinterpret_cast<std::uintptr_t>((*arena)->bytes().data()));
            const auto entry = maps.find(begin.data());
            REQUIRE(entry != std::string::npos);
            const auto* const field = sharing == ArenaSharing::host ? "ShmemPmdMapped:" : "AnonHugePages:";
            const auto huge = maps.find(field, entry);
            REQUIRE(huge != std::string::npos);
            const auto kilobytes = std::strtoull(maps.c_str() + huge + std::strlen(field), nullptr, 10);
            // A kernel that has run out of huge pages may give fewer than were asked for, and never more.
            if ((*arena)->pages() == PageKind::plain) CHECK(kilobytes == 0);
            CHECK(kilobytes <= 8 * KiB);
        }
}

TEST_CASE("access: keys open what they are for, and 0 opens nothing") {
    const auto both = make_keys(Rights::read_write), read = make_keys(Rights::read), none = make_keys(Rights::none);
    CHECK(both.rights_of(both.read) == Rights::read);
    CHECK(both.rights_of(both.write) == Rights::read_write);
    CHECK(both.rights_of(0) == Rights::none);
    CHECK(both.rights_of(read.read) == Rights::none);
    CHECK(read.write == 0);
    CHECK(read.rights_of(0) == Rights::none);
    CHECK(none.rights_of(0) == Rights::none);
    auto secrets = std::set<std::uint64_t>();
    for (int i = 0; i < 1000; ++i) secrets.insert(random_secret());
    CHECK(secrets.size() == 1000);
    CHECK_FALSE(secrets.contains(0));
}

TEST_CASE("region table: offsets lead to bytes of one region, checked without overflow") {
    auto memory = std::vector<std::byte>(3 * MiB);
    auto table = RegionTable(7);
    CHECK(table.snapshot().resolve(0, 0, 1, Rights::none).error == Errc::out_of_range);
    const auto a = table.add(region(MutableBytes(memory).first(2 * MiB), Rights::read_write)).value();
    const auto b = table.add(region(MutableBytes(memory).subspan(2 * MiB, 1000), Rights::write)).value();
    CHECK(a->offset == 0);
    CHECK(b->offset == 2 * MiB);
    const auto now = table.snapshot();
    constexpr auto most = ~std::uint64_t{0};
    for (const auto* near : {static_cast<const RegionPin*>(nullptr), &a, &b}) { // wherever one looks first
        CAPTURE(near == nullptr);
        const auto resolve = [&](std::uint64_t offset, std::uint64_t length, std::uint64_t key, Rights needed) {
            return now.resolve(offset, length, key, needed, near);
        };
        CHECK(resolve(5, 10, a->keys.read, Rights::read).bytes == memory.data() + 5);
        CHECK(resolve(5, 10, a->keys.read, Rights::write).error == Errc::access_denied);
        CHECK(resolve(5, 10, b->keys.write, Rights::write).error == Errc::access_denied);
        CHECK(resolve(2 * MiB - 1, 2, a->keys.read, Rights::read).error == Errc::out_of_range);
        CHECK(*resolve(2 * MiB + 999, 1, b->keys.write, Rights::write).region == b);
        CHECK(resolve(2 * MiB + 999, 1, b->keys.write, Rights::read).error == Errc::access_denied);
        for (const auto& [offset, length] :
             {std::pair{2 * MiB + 999, std::uint64_t{2}}, std::pair{most, std::uint64_t{1}},
              std::pair{most - 5, std::uint64_t{10}}, std::pair{std::uint64_t{1}, most}, std::pair{most, most}})
            CHECK(resolve(offset, length, b->keys.write, Rights::write).error == Errc::out_of_range);
    }
    CHECK(table.add(region({}, Rights::read)).error() == Errc::invalid_argument);
    CHECK(table.add(region({memory.data(), most - 5 * MiB}, Rights::read)).error() == Errc::out_of_range);
}

TEST_CASE("region table: of thousands, whichever goes, the others are where they were") {
    auto table = RegionTable(1);
    auto memory = std::vector<std::byte>(100);
    auto pins = std::vector<RegionPin>();
    for (int i = 0; i < 3'000; ++i) pins.push_back(table.add(region(memory, Rights::read)).value());
    const auto before = table.snapshot();
    const auto found = [&](const RegionSnapshot& in, const RegionPin& pin) {
        const auto where = in.resolve(pin->offset + 99, 1, pin->keys.read, Rights::read);
        return where.error == Errc::ok && *where.region == pin;
    };
    for (std::size_t i = 0; i < pins.size(); ++i)
        if (i % 3 != 0 || i / 128 == 5) table.remove(pins[i]); // a chunk as a whole, too
    const auto after = table.snapshot();
    for (std::size_t i = 0; i < pins.size(); ++i) {
        REQUIRE(found(before, pins[i]));
        REQUIRE(found(after, pins[i]) == (i % 3 == 0 && i / 128 != 5));
    }
    table.remove(pins[1]); // again
    const auto last = table.add(region(memory, Rights::read)).value();
    CHECK(found(table.snapshot(), last));
}

TEST_CASE("region table: what is removed is gone for new accesses, and its offset is never used again") {
    auto memory = std::vector<std::byte>(1000);
    auto table = RegionTable(7);
    auto told = std::vector<std::uint64_t>();
    const int owner = 0;
    table.listen(&owner, [&](const RegionPin& gone) { told.push_back(gone->offset); });
    auto first = table.add(region(memory, Rights::read)).value();
    const auto before = table.snapshot();
    table.remove(first);
    table.remove(first);
    CHECK(told == std::vector<std::uint64_t>{0});
    CHECK(before.resolve(0, 1, first->keys.read, Rights::read).error == Errc::ok); // it holds what it saw
    CHECK(table.snapshot().resolve(0, 1, first->keys.read, Rights::read).error == Errc::out_of_range);
    const auto second = table.add(region(memory, Rights::read)).value();
    CHECK(second->offset == 2 * MiB);
    table.unlisten(&owner);
    table.remove(second);
    CHECK(told.size() == 1);
}
