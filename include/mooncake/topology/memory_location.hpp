#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/environment.hpp>
#include <mooncake/topology/priority_matrix.hpp>

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

namespace mooncake {

/// On which NUMA node most of `memory` lies, as the kernel says of some of its pages: `cpu:0`, …; `*` where none of them is
/// there yet or the kernel does not say. Changes nothing and touches no page. Complexity: O(1).
[[nodiscard]] inline std::string memory_location(ConstBytes memory) {
    if (auto* const environment = Environment::current()) return location_of(environment->memory_node());
    constexpr std::size_t most = 64;
    const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    const auto first = reinterpret_cast<std::uintptr_t>(memory.data()) / page;
    const auto last =
        memory.empty() ? first : (reinterpret_cast<std::uintptr_t>(memory.data()) + memory.size() - 1) / page;
    const auto count = memory.empty() ? 0 : std::min<std::uintptr_t>(most, last - first + 1);
    auto pages = std::array<void*, most>();
    auto nodes = std::array<int, most>();
    for (std::uintptr_t i = 0; i < count; ++i) {
        const auto at = first + (count == 1 ? 0 : (last - first) / (count - 1) * i);
        pages[i] = reinterpret_cast<void*>(at * page);
    }
    // Without new places for them it moves none, and says where they are.
    if (syscall(SYS_move_pages, 0, count, pages.data(), nullptr, nodes.data(), 0) != 0) return std::string(anywhere);
    auto best = -1, most_pages = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const auto there =
            static_cast<int>(std::count(nodes.begin(), nodes.begin() + static_cast<int>(count), nodes[i]));
        if (nodes[i] >= 0 && there > most_pages) best = nodes[i], most_pages = there;
    }
    return best < 0 ? std::string(anywhere) : location_of(static_cast<unsigned>(best));
}

} // namespace mooncake
