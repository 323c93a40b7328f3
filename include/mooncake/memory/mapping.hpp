#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/result.hpp>

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace mooncake {

/// Pages of a file as memory of this process, at an address that huge pages can back. Unmapped when it dies.
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

    /// `offset` and `size` are whole pages; `protection` is of `mmap`.
    /// Errors: `out_of_memory`, `system`.
    [[nodiscard]] static Result<Mapping> of(int fd, std::uint64_t offset, std::uint64_t size, int protection) {
        // More address space than needed, of which the aligned part is used and the rest given back.
        auto* const space =
            mmap(nullptr, size + huge_page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (space == MAP_FAILED) return errno_error("mmap of address space", errno);
        const auto begin = reinterpret_cast<std::uintptr_t>(space);
        const auto aligned = round_up(begin, huge_page);
        if (aligned != begin) munmap(space, aligned - begin);
        if (const auto tail = begin + huge_page - aligned; tail != 0)
            munmap(reinterpret_cast<void*>(aligned + size), tail);
        auto mapping = Mapping(reinterpret_cast<void*>(aligned), size);
        if (mmap(mapping.base_, size, protection, MAP_SHARED | MAP_FIXED, fd, static_cast<off_t>(offset)) == MAP_FAILED)
            return errno_error("mmap of a memory file", errno);
        return mapping;
    }

    [[nodiscard]] MutableBytes bytes() const noexcept { return {static_cast<std::byte*>(base_), size_}; }

  private:
    Mapping(void* base, std::uint64_t size) noexcept : base_(base), size_(size) {}

    void* base_ = nullptr;
    std::uint64_t size_ = 0;
};

} // namespace mooncake
