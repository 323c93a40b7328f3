#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mooncake::test {

inline std::string folder() {
    const auto* const tree = std::getenv("MOONCAKE_BINARY_DIR");
    if (tree == nullptr) throw std::runtime_error("MOONCAKE_BINARY_DIR has to name the build tree; ctest does so");
    return std::string(tree) + "/examples/cluster/";
}

struct Output {
    int status = -1; ///< exit status; -1: ended by a signal
    std::string out, err;
};

/// A program that runs, its output in files.
class Program {
  public:
    explicit Program(std::vector<std::string> words)
        : base_("/tmp/mooncake-test-" + std::to_string(getpid()) + "-" + std::to_string(++count)) {
        words.front() = folder() + words.front();
        std::fflush(nullptr); // else the child writes once more what is in the buffers
        pid_ = fork();
        if (pid_ != 0) return;
        if (!std::freopen((base_ + ".out").c_str(), "w", stdout) ||
            !std::freopen((base_ + ".err").c_str(), "w", stderr))
            _exit(126);
        auto raw = std::vector<char*>();
        for (auto& word : words) raw.push_back(word.data());
        raw.push_back(nullptr);
        execv(raw.front(), raw.data());
        _exit(127);
    }
    ~Program() {
        if (pid_ > 0) kill(pid_, SIGKILL), waitpid(pid_, nullptr, 0);
        for (const auto* end : {".out", ".err"}) unlink((base_ + end).c_str());
    }

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] std::string said(const char* end) const {
        auto file = std::ifstream(base_ + end);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    /// Waits until `text` is in the output.
    [[nodiscard]] bool says(const char* end, const std::string& text) const {
        for (auto i = 0; i < 1200; ++i, std::this_thread::sleep_for(std::chrono::milliseconds(50)))
            if (said(end).find(text) != std::string::npos) return true;
        return false;
    }
    Output finish() {
        auto status = 0;
        waitpid(pid_, &status, 0);
        pid_ = 0;
        return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, said(".out"), said(".err")};
    }

  private:
    inline static int count = 0;
    std::string base_;
    pid_t pid_ = 0;
};

} // namespace mooncake::test
