#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <thread>

namespace mooncake::test {

/// How many descriptors this process has: what leaks, grows.
inline std::size_t open_files() {
    const auto files = std::filesystem::directory_iterator("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

/// For what goes on after the call that began it: whether it is so within ten seconds.
template <class Condition>
bool comes_true(Condition condition) {
    for (int i = 0; i < 1'000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return condition();
}

} // namespace mooncake::test
