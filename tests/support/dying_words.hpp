#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <string>

namespace mooncake::test {

/// What a process says to standard error that does `act` and should not survive it; empty when it did survive.
/// Call it while this process has one thread.
template <class Act>
std::string dying_words(Act act) {
    auto pipes = std::array<int, 2>();
    std::fflush(nullptr);
    if (pipe(pipes.data()) != 0) return {};
    const auto child = fork();
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL); // doctest's handler has words of its own
        dup2(pipes[1], STDERR_FILENO);
        close(pipes[0]);
        act();
        _exit(0);
    }
    close(pipes[1]);
    auto words = std::string();
    auto some = std::array<char, 512>();
    for (auto n = read(pipes[0], some.data(), some.size()); n > 0; n = read(pipes[0], some.data(), some.size()))
        words.append(some.data(), static_cast<std::size_t>(n));
    close(pipes[0]);
    auto status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) || WEXITSTATUS(status) != 0 ? words : std::string();
}

} // namespace mooncake::test
