#pragma once

#include <mooncake/core/log.hpp>
#include <mooncake/core/runtime.hpp>

#include "flags.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <string>
#include <string_view>

namespace cluster {

/// Says why it cannot go on, and gives the exit status.
inline int fail(std::string_view program, const mooncake::Error& error) {
    if (error == mooncake::Errc::cancelled && error.context().empty()) return EXIT_SUCCESS; // --help
    std::cerr << program << ": " << error.message() << '\n';
    return EXIT_FAILURE;
}

/// For processes that another one starts and stops: they end with it, and leave Ctrl-C to it. `parent`: 0 for none.
inline void follow(std::uint64_t parent) {
    if (parent == 0) return;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    std::signal(SIGINT, SIG_IGN);
    if (getppid() != static_cast<pid_t>(parent)) std::exit(EXIT_FAILURE); // it died before we looked
}

/// Blocks the signals that end a process, in this thread and those it starts; `wait_for_stop` then takes them one by one.
inline void block_stop_signals() {
    auto set = sigset_t();
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

inline void wait_for_stop() {
    auto set = sigset_t();
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    auto signal = 0;
    sigwait(&set, &signal);
}

/// Whether one of those signals comes in that time.
inline bool stop_comes_within(std::chrono::nanoseconds time) {
    auto set = sigset_t();
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    const auto patience = timespec{0, static_cast<long>(time.count())};
    return sigtimedwait(&set, nullptr, &patience) > 0;
}

/// What whoever started this process waits for: where it serves.
inline void announce(std::string_view address) { std::cout << "ready " << address << std::endl; }

/// Of now, in UTC: `12:34:56.789`.
inline std::string time_of_day() {
    const auto now = std::chrono::system_clock::now();
    const auto seconds = std::chrono::system_clock::to_time_t(now);
    const auto milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
    auto parts = std::tm();
    auto text = std::array<char, 32>();
    gmtime_r(&seconds, &parts);
    std::snprintf(text.data(), text.size(), "%02d:%02d:%02d.%03d", parts.tm_hour, parts.tm_min, parts.tm_sec,
                  static_cast<int>(milliseconds));
    return text.data();
}

inline mooncake::Log stderr_log(std::string program) {
    return mooncake::Log([program = std::move(program)](mooncake::Severity severity, std::string_view sentence) {
        const auto* const mark = severity == mooncake::Severity::info ? "" : "warning: ";
        std::cerr << time_of_day() + " " + program + ": " + mark + std::string(sentence) + "\n";
    });
}

} // namespace cluster
