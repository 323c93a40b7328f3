// labels: concurrent
#include <mooncake/memory/arena.hpp>
#include <mooncake/memory/file_descriptor.hpp>
#include <mooncake/memory/mapping.hpp>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

using namespace mooncake;

namespace {

FileDescriptor memory_file(std::uint64_t bytes, unsigned flags = 0) {
    auto fd = FileDescriptor(memfd_create("mapping-test", MFD_CLOEXEC | flags));
    REQUIRE(fd);
    REQUIRE(ftruncate(fd.get(), static_cast<off_t>(bytes)) == 0);
    return fd;
}

} // namespace

TEST_CASE("mapping: begins where a huge page could, and is gone when it dies") {
    const auto fd = memory_file(6 * MiB);
    auto* base = static_cast<std::byte*>(nullptr);
    {
        const auto whole = Mapping::of(fd.get(), 0, 6 * MiB, PROT_READ | PROT_WRITE).value();
        const auto tail = Mapping::of(fd.get(), 4 * MiB, 2 * MiB, PROT_READ).value();
        base = whole.bytes().data();
        CHECK(reinterpret_cast<std::uintptr_t>(base) % Mapping::huge_page == 0);
        CHECK(reinterpret_cast<std::uintptr_t>(tail.bytes().data()) % Mapping::huge_page == 0);
        whole.bytes()[5 * MiB] = std::byte{3};
        CHECK(tail.bytes()[1 * MiB] == std::byte{3});
        const auto own = Mapping::anonymous(2 * MiB).value();
        CHECK(own.bytes()[1 * MiB] == std::byte{0});
    }
    CHECK(msync(base, 4 * KiB, MS_ASYNC) != 0);
}

TEST_CASE("mapping: what cannot be mapped is an error, and takes nothing of other threads' memory with it") {
    // More huge pages than the machine has: the kernel refuses, after it has looked for a place.
    const auto bytes = Arena::available_memory() / (2 * MiB) * (2 * MiB);
    const auto huge = memory_file(bytes, MFD_HUGETLB);
    const auto read_only = FileDescriptor(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    auto stop = std::atomic<bool>{false};
    auto wrong = std::atomic<int>{0};
    const auto others = [&] {
        while (!stop) {
            auto places = std::vector<std::byte*>();
            for (int i = 0; i < 16; ++i) {
                auto* const place = mmap(nullptr, 1 * MiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                if (place == MAP_FAILED) continue;
                places.push_back(static_cast<std::byte*>(place));
                std::memset(place, 7, 4 * KiB);
            }
            for (auto* const place : places) {
                if (msync(place, 1 * MiB, MS_ASYNC) != 0) ++wrong; // somebody unmapped it
                else if (*place != std::byte{7}) ++wrong;
                munmap(place, 1 * MiB);
            }
        }
    };
    {
        auto first = std::jthread(others), second = std::jthread(others);
        for (int i = 0; i < 3000; ++i) {
            CHECK_FALSE(Mapping::of(huge.get(), 0, bytes, PROT_READ | PROT_WRITE).has_value());
            CHECK_FALSE(Mapping::anonymous(bytes, MAP_HUGETLB).has_value());
            CHECK_FALSE(Mapping::of(read_only.get(), 0, 2 * MiB, PROT_READ | PROT_WRITE).has_value());
            CHECK(Mapping::anonymous(2 * MiB).has_value());
        }
        stop = true;
    }
    CHECK(wrong == 0);
}
