#pragma once

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::test {

/// A process in a network of its own, which does `act(read, write)`: pipes from and to the test.
class Namespaced {
  public:
    template <class Act>
    explicit Namespaced(Act act) {
        auto to = std::array<int, 2>(), from = std::array<int, 2>();
        std::fflush(nullptr);
        if (pipe(to.data()) != 0 || pipe(from.data()) != 0) return;
        pid_ = fork();
        if (pid_ == 0) {
            for (const auto end : {to[1], from[0]}) close(end);
            if (unshare(CLONE_NEWNET) != 0) _exit(125);
            put(from[1], "here");
            if (take(to[0]).empty()) _exit(124);
            act(to[0], from[1]);
            _exit(0);
        }
        close(to[0]);
        close(from[1]);
        in_ = from[0], out_ = to[1];
        (void)take(in_);
    }
    Namespaced(const Namespaced&) = delete;
    Namespaced& operator=(const Namespaced&) = delete;
    ~Namespaced() {
        if (pid_ > 0) kill(pid_, SIGKILL), waitpid(pid_, nullptr, 0);
        for (const auto end : {in_, out_})
            if (end >= 0) close(end);
    }

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    void say(const std::string& line) const { put(out_, line); }
    /// Empty when it is over.
    [[nodiscard]] std::string hear() const { return take(in_); }

    static void put(int end, const std::string& line) {
        const auto text = line + "\n";
        [[maybe_unused]] const auto written = write(end, text.data(), text.size());
    }
    static std::string take(int end) {
        auto line = std::string();
        for (auto c = '\0'; read(end, &c, 1) == 1 && c != '\n';) line += c;
        return line;
    }

  private:
    pid_t pid_ = -1;
    int in_ = -1, out_ = -1;
};

/// Links between two such processes, each in a subnet of its own: 10.99.<i>.1 and 10.99.<i>.2.
class LinksBetween {
  public:
    LinksBetween(const Namespaced& a, const Namespaced& b) : a_(a.pid()), b_(b.pid()) {
        run("nsenter -t " + std::to_string(a_) + " -n ip link set lo up");
        run("nsenter -t " + std::to_string(b_) + " -n ip link set lo up");
    }

    /// `megabits` a second, both ways.
    void add(unsigned megabits) {
        const auto i = std::to_string(count_++);
        run("ip link add moon" + i + " netns " + std::to_string(a_) + " type veth peer name moon" + i + " netns " +
            std::to_string(b_));
        for (const auto& [pid, last] : {std::pair(a_, ".1"), std::pair(b_, ".2")}) {
            const auto in = "nsenter -t " + std::to_string(pid) + " -n ";
            run(in + "ip addr add 10.99." + i + last + "/24 dev moon" + i);
            run(in + "ip link set moon" + i + " up");
        }
        limit(count_ - 1, megabits);
    }
    void limit(unsigned link, unsigned megabits) {
        for (const auto pid : {a_, b_})
            run("nsenter -t " + std::to_string(pid) + " -n tc qdisc replace dev moon" + std::to_string(link) +
                " root tbf rate " + std::to_string(megabits) + "mbit burst 256kb latency 50ms");
    }
    void set(unsigned link, bool up) {
        run("nsenter -t " + std::to_string(a_) + " -n ip link set moon" + std::to_string(link) +
            (up ? " up" : " down"));
    }
    [[nodiscard]] bool ok() const noexcept { return ok_; }

  private:
    void run(const std::string& command) { ok_ &= std::system((command + " 2>/dev/null").c_str()) == 0; }

    pid_t a_, b_;
    unsigned count_ = 0;
    bool ok_ = true;
};

} // namespace mooncake::test
