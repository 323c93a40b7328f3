#include "support/cpu.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <string>

namespace bench {
namespace {

std::set<pid_t> children; // those that were not waited for yet: `RUSAGE_CHILDREN` does not know them

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

double seconds_on(clockid_t clock) {
    auto time = timespec();
    if (clock_gettime(clock, &time) != 0) return 0;
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// All but idling and waiting for disks; what the hypervisor gave to other machines counts.
double machine_cpu() {
    auto file = std::ifstream("/proc/stat");
    auto word = std::string();
    auto user = 0.0, nice = 0.0, system = 0.0, idle = 0.0, io = 0.0, irq = 0.0, softirq = 0.0, steal = 0.0;
    file >> word >> user >> nice >> system >> idle >> io >> irq >> softirq >> steal;
    return (user + nice + system + irq + softirq + steal) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

} // namespace

double own_cpu() {
    auto sum = 0.0;
    for (const auto who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
        auto usage = rusage();
        getrusage(who, &usage);
        sum += seconds(usage.ru_utime) + seconds(usage.ru_stime);
    }
    for (const auto child : children) {
        auto clock = clockid_t();
        if (clock_getcpuclockid(child, &clock) == 0) sum += seconds_on(clock);
    }
    return sum;
}

void count_as_ours(pid_t child) { children.insert(child); }
void forget(pid_t child) { children.erase(child); }
const std::set<pid_t>& counted_children() { return children; }

OthersCpu::OthersCpu() : others_(machine_cpu() - own_cpu()), at_(seconds_on(CLOCK_MONOTONIC)) {}

double OthersCpu::cores() const {
    const auto others = machine_cpu() - own_cpu() - others_;
    return std::max(0.0, others / std::max(1e-9, seconds_on(CLOCK_MONOTONIC) - at_));
}

} // namespace bench
