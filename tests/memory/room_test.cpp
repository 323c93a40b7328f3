#include <mooncake/memory/room.hpp>

#include <doctest/doctest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

using namespace mooncake;
using namespace mooncake::memory::detail;

TEST_CASE("room: plain pages and reserved huge ones are told apart") {
    const auto text =
        "MemTotal:       24000000 kB\nMemFree: 5 kB\nMemAvailable:     2048 kB\n"
        "HugePages_Total:    8000\nHugePages_Free:     7000\nHugePages_Rsvd:     1000\nHugepagesize:       2048 kB\n";
    CHECK(plain_room(text) == 2048 * KiB);
    CHECK(huge_room(text) == 6000 * 2048 * KiB); // the rest is promised to others
    CHECK(plain_room("") == no_limit);
    CHECK(huge_room("") == 0);
    CHECK(huge_room("XHugePages_Free: 7\n") == 0); // another line's end
    CHECK(plain_room("MemAvailable: 99999999999999999999999 kB\n") == no_limit);
    CHECK(plain_room("MemAvailable:") == no_limit);
}

TEST_CASE("room: a control group's limit counts, less what it uses") {
    CHECK(group_room("max\n", "123\n", "") == no_limit);
    CHECK(group_room("1000\n", "123\n", "") == 877);
    CHECK(group_room("1000\n", "1234\n", "") == 0);
    CHECK(group_room("1000\n", "900\n", "anon 100\ninactive_file 500\nactive_file 300\n") == 900); // files make room
    CHECK(group_room("", "", "") == no_limit);
}

TEST_CASE("room: the tightest of a group and all above it counts") {
    const auto root = std::filesystem::temp_directory_path() / ("mooncake-room-" + std::to_string(getpid()));
    const auto say = [&](const std::string& group, const std::string& max, const std::string& current) {
        std::filesystem::create_directories(root / group);
        std::ofstream(root / group / "memory.max") << max << '\n';
        std::ofstream(root / group / "memory.current") << current << '\n';
    };
    say("a", "10000", "4000");
    say("a/b", "max", "3000");
    say("a/b/c", "9000", "1000");
    CHECK(groups_room("0::/a/b/c\n", root) == 6000);
    CHECK(groups_room("0::/a/b\n", root) == 6000);
    CHECK(groups_room("0::/\n", root) == no_limit);
    CHECK(groups_room("12:memory:/a\n", root) == no_limit); // version 1: not asked
    CHECK(groups_room("1:/a\n", root) == no_limit);
    CHECK(groups_room("", root) == no_limit);
    std::filesystem::remove_all(root);
}
