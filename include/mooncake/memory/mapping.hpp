#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/result.hpp>

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace mooncake {

/// Pages of memory, of a file or of none, at an address that huge pages can back. Unmapped when it dies.
class Mapping {
  public:
    static constexpr std::uint64_t huge_page = 2 * MiB;

    Mapping() = default;
    Mapping(Mapping&& other) noexcept
        : base_(std::exchange(other.base_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    Mapping& operator=(Mapping&& other) noexcept {
        std::swap(base_, other.base_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~Mapping() {
        if (base_) munmap(base_, size_);
    }

    /// Part of a file. `offset` and `size` are whole pages; `protection` is of `mmap`.
    /// Errors: `out_of_memory`, `system`.
    [[nodiscard]] static Result<Mapping> of(int fd, std::uint64_t offset, std::uint64_t size, int protection) {
        return make(size, protection, MAP_SHARED, fd, offset);
    }

    /// Memory of no file, for this process alone. `flags`: more of `mmap`'s, such as `MAP_HUGETLB`.
    /// Errors: `out_of_memory`, `system`.
    [[nodiscard]] static Result<Mapping> anonymous(std::uint64_t size, int flags = 0) {
        return make(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    }

    [[nodiscard]] MutableBytes bytes() const noexcept { return {static_cast<std::byte*>(base_), size_}; }

  private:
    Mapping(void* base, std::uint64_t size) noexcept : base_(base), size_(size) {}

    static Result<Mapping> make(std::uint64_t size, int protection, int flags, int fd, std::uint64_t offset) {
        const auto map = [&](void* at, int more) {
            return mmap(at, size, protection, flags | more, fd, static_cast<off_t>(offset));
        };
        // Nothing is mapped over: where that fails the kernel may have unmapped what was there, and somebody else may have
        // mapped memory in its place by the time one cleans up. A place that is taken meanwhile is no error.
        auto* base = MAP_FAILED;
        for (auto tries = 0; base == MAP_FAILED && tries < 16; ++tries) {
            auto* const place = aligned_place(size);
            if (place == nullptr) break;
            base = map(place, MAP_FIXED_NOREPLACE);
            if (base == MAP_FAILED && errno != EEXIST) break;
        }
        if (base == MAP_FAILED) base = map(nullptr, 0); // anywhere, then: slower, perhaps
        if (base == MAP_FAILED) return errno_error(fd < 0 ? "mmap of memory" : "mmap of a memory file", errno);
        return Mapping(base, size);
    }

    /// Where `size` bytes are free just now, at the beginning of a huge page. Null: nowhere.
    static void* aligned_place(std::uint64_t size) noexcept {
        constexpr auto flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        auto* const space = mmap(nullptr, size + huge_page, PROT_NONE, flags, -1, 0);
        if (space == MAP_FAILED) return nullptr;
        munmap(space, size + huge_page);
        return reinterpret_cast<void*>(round_up(reinterpret_cast<std::uintptr_t>(space), huge_page));
    }

    void* base_ = nullptr;
    std::uint64_t size_ = 0;
};

} // namespace mooncake
