#pragma once

#include <mooncake/core/deadline.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/memory/file_descriptor.hpp>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <list>
#include <string>
#include <utility>
#include <vector>

extern char** environ;

namespace cluster {

/// A program that was started, until it has ended: it is stopped when this dies.
class Process {
  public:
    Process() = default; ///< of no program
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    Process(Process&& other) noexcept
        : name_(std::move(other.name_)), pid_(std::exchange(other.pid_, 0)), output_(std::move(other.output_)) {}
    ~Process() { stop(); }

    /// `name`: what people call it; empty: its program's.
    /// Errors: `system`; the program is missing, or cannot be run.
    static mooncake::Result<Process> start(const std::filesystem::path& program, std::vector<std::string> arguments,
                                           std::string name = {}) {
        auto pipes = std::array<int, 2>();
        if (pipe2(pipes.data(), O_CLOEXEC) != 0) return mooncake::errno_error("pipe2", errno);
        auto read = mooncake::FileDescriptor(pipes[0]);
        const auto write = mooncake::FileDescriptor(pipes[1]);
        arguments.insert(arguments.begin(), program.string());
        arguments.push_back("--parent");
        arguments.push_back(std::to_string(getpid()));
        auto raw = std::vector<char*>();
        for (auto& argument : arguments) raw.push_back(argument.data());
        raw.push_back(nullptr);
        auto actions = posix_spawn_file_actions_t();
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, write.get(), STDOUT_FILENO);
        // The child starts with no signal blocked, whatever its parent waits for.
        auto attributes = posix_spawnattr_t();
        posix_spawnattr_init(&attributes);
        auto none = sigset_t();
        sigemptyset(&none);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        auto pid = pid_t{0};
        const auto failed = posix_spawn(&pid, program.c_str(), &actions, &attributes, raw.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
        if (failed != 0) return mooncake::errno_error("starting " + program.string(), failed);
        if (name.empty()) name = program.filename().string();
        return Process(std::move(name), pid, std::move(read));
    }

    /// Waits for the line `ready ADDRESS` and gives the address.
    /// Errors: `closed` (it ended instead; it has said why on stderr), `timed_out`.
    mooncake::Result<std::string> ready(mooncake::Deadline deadline) {
        using mooncake::Errc, mooncake::Error;
        auto line = std::string();
        for (auto next = '\0'; next != '\n'; line.push_back(next)) {
            auto wait = pollfd{output_.get(), POLLIN, 0};
            const auto left =
                std::chrono::ceil<std::chrono::milliseconds>(deadline.left(mooncake::SteadyClock{}.now()));
            if (poll(&wait, 1, static_cast<int>(left.count())) == 0)
                return Error(Errc::timed_out, name_ + " did not get ready in time");
            if (read(output_.get(), &next, 1) != 1) return Error(Errc::closed, name_ + " ended before it was ready");
        }
        line.pop_back();
        if (!line.starts_with("ready ")) return Error(Errc::protocol_error, name_ + " said '" + line + "'");
        return line.substr(6);
    }

    /// Whether it has ended by itself.
    [[nodiscard]] bool ended() noexcept {
        if (pid_ != 0 && waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = 0;
        return pid_ == 0;
    }

    /// SIGTERM, and SIGKILL when that does not do within 5 s.
    void stop() noexcept {
        if (ended()) return;
        kill(pid_, SIGTERM);
        for (auto i = 0; i < 500 && !ended(); ++i) usleep(10'000);
        if (ended()) return;
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
    void ask_to_stop() const noexcept {
        if (pid_ != 0) kill(pid_, SIGTERM);
    }

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  private:
    Process(std::string name, pid_t pid, mooncake::FileDescriptor output)
        : name_(std::move(name)), pid_(pid), output_(std::move(output)) {}

    std::string name_;
    pid_t pid_ = 0;
    mooncake::FileDescriptor output_;
};

} // namespace cluster
