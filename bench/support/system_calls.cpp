#include "support/system_calls.hpp"

#include "support/cpu.hpp"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace bench {
namespace {

/// What the kernel calls the beginning of a system call; 0: it does not say.
std::uint64_t event_number() {
    auto number = std::uint64_t{0};
    for (const auto* const folder : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"})
        if (number == 0) std::ifstream(std::string(folder) + "/events/raw_syscalls/sys_enter/id") >> number;
    return number;
}

} // namespace

SystemCalls::SystemCalls() {
    auto what = perf_event_attr();
    what.type = PERF_TYPE_TRACEPOINT;
    what.size = sizeof what;
    what.config = event_number();
    what.inherit = 1; // threads that are yet to start
    if (what.config == 0) return;
    auto processes = counted_children();
    processes.insert(getpid());
    for (const auto process : processes) {
        auto error = std::error_code();
        const auto threads = "/proc/" + std::to_string(process) + "/task";
        for (const auto& thread : std::filesystem::directory_iterator(threads, error)) {
            const auto id = std::stoi(thread.path().filename().string());
            auto counter = mooncake::FileDescriptor(
                static_cast<int>(syscall(SYS_perf_event_open, &what, id, -1, -1, PERF_FLAG_FD_CLOEXEC)));
            if (counter) counters_.push_back(std::move(counter));
        }
    }
}

std::optional<double> SystemCalls::so_far() const {
    if (counters_.empty()) return std::nullopt;
    auto sum = 0.0;
    for (const auto& counter : counters_) {
        auto count = std::uint64_t{0};
        if (read(counter.get(), &count, sizeof count) == sizeof count) sum += static_cast<double>(count);
    }
    return sum;
}

} // namespace bench
