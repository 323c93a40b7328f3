#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/environment.hpp>
#include <mooncake/core/text_file.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

/// How much memory there is to be had. Pure functions over what the kernel's files say, and one that reads them.
namespace mooncake::memory::detail {

inline constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

/// The number behind `name` in a file of lines such as `MemAvailable:   1234 kB`; nothing there: `otherwise`.
[[nodiscard]] inline std::uint64_t number_in(std::string_view text, std::string_view name, std::uint64_t otherwise) {
    for (auto at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
        if (at != 0 && text[at - 1] != '\n') continue;
        auto first = text.find_first_not_of(" \t", at + name.size());
        if (first == std::string_view::npos) break;
        auto number = otherwise;
        std::from_chars(text.data() + first, text.data() + text.size(), number);
        return number;
    }
    return otherwise;
}

[[nodiscard]] constexpr std::uint64_t times(std::uint64_t number, std::uint64_t unit) noexcept {
    return number > no_limit / unit ? no_limit : number * unit;
}

/// Bytes of plain pages that `/proc/meminfo` has available.
[[nodiscard]] inline std::uint64_t plain_room(std::string_view meminfo) {
    return times(number_in(meminfo, "MemAvailable:", no_limit), KiB);
}
/// Bytes of huge pages that are reserved and free.
[[nodiscard]] inline std::uint64_t huge_room(std::string_view meminfo) {
    const auto free = number_in(meminfo, "HugePages_Free:", 0), promised = number_in(meminfo, "HugePages_Rsvd:", 0);
    return times(free - std::min(free, promised), times(number_in(meminfo, "Hugepagesize:", 2048), KiB));
}

/// What is left below one control group's limit, of its files `memory.max`, `memory.current` and `memory.stat`. What it uses
/// for cached files is given back when it is wanted.
[[nodiscard]] inline std::uint64_t group_room(std::string_view max, std::string_view current, std::string_view stat) {
    const auto limit = number_in(max, "", no_limit); // `max` is no number, and no limit
    const auto used = number_in(current, "", 0);
    const auto files = number_in(stat, "active_file", 0) + number_in(stat, "inactive_file", 0);
    return limit == no_limit ? no_limit : limit - std::min(limit, used - std::min(used, files));
}

/// What is left to this process by its control group (version 2) and all above it. `root`: where they are mounted.
[[nodiscard]] inline std::uint64_t groups_room(std::string_view proc_self_cgroup,
                                               const std::string& root = "/sys/fs/cgroup") {
    const auto line = proc_self_cgroup.find("0::");
    if (line == std::string_view::npos) return no_limit;
    auto path = std::string(proc_self_cgroup.substr(line + 3, proc_self_cgroup.find('\n', line) - line - 3));
    auto room = no_limit;
    for (;;) {
        const auto folder = root + path;
        room = std::min(room, group_room(core::detail::read_text_file((folder + "/memory.max").c_str()),
                                         core::detail::read_text_file((folder + "/memory.current").c_str()),
                                         core::detail::read_text_file((folder + "/memory.stat").c_str())));
        const auto slash = path.rfind('/');
        if (path.empty() || slash == std::string::npos) return room;
        path.resize(slash);
    }
}

/// Bytes of plain pages, and of huge ones, that this process can have.
struct Room {
    std::uint64_t plain = no_limit, huge = 0;
};
[[nodiscard]] inline Room read_room() {
    const auto meminfo = core::detail::read_text_file("/proc/meminfo");
    const auto groups = groups_room(core::detail::read_text_file("/proc/self/cgroup"));
    auto* const environment = Environment::current();
    const auto most = environment != nullptr ? environment->memory_room() : no_limit;
    return {.plain = std::min({plain_room(meminfo), groups, most}), .huge = std::min(huge_room(meminfo), most)};
}

} // namespace mooncake::memory::detail
