#pragma once

#include <cstddef>
#include <string>

namespace bench {

/// Debian's mimalloc, as it comes. It is loaded and not linked: linked, it would be everybody's malloc.
class Mimalloc {
  public:
    /// Looks for it once. Thread: any.
    static const Mimalloc& get();

    /// Why it cannot be used; empty when it can.
    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
    [[nodiscard]] void* allocate(std::size_t bytes) const noexcept { return malloc_(bytes); }
    void free(void* memory) const noexcept { free_(memory); }

  private:
    Mimalloc();

    std::string problem_;
    void* (*malloc_)(std::size_t) = nullptr;
    void (*free_)(void*) = nullptr;
};

} // namespace bench
