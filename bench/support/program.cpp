#include "support/program.hpp"

#include <mooncake/core/deadline.hpp>
#include <mooncake/core/result.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <sstream>

namespace bench {

using namespace mooncake;

std::uint16_t free_port() {
    const auto socket = FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = sockaddr_in();
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto length = socklen_t{sizeof address};
    if (bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
        throw_error(errno_error("bind", errno));
    return ntohs(address.sin_port);
}

bool is_installed(const std::string& name) {
    const auto* const path = std::getenv("PATH");
    auto folders = std::istringstream(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
    for (auto folder = std::string(); std::getline(folders, folder, ':');)
        if (access((folder + "/" + name).c_str(), X_OK) == 0) return true;
    return false;
}

Program::Program(std::vector<std::string> command, std::vector<std::string> environment) {
    auto ends = std::array<int, 2>();
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw_error(errno_error("pipe2", errno));
    output_ = FileDescriptor(ends[0]);
    const auto says = FileDescriptor(ends[1]), nothing = FileDescriptor(open("/dev/null", O_RDWR | O_CLOEXEC));
    command.insert(command.begin(), environment.begin(), environment.end());
    command.insert(command.begin(), "env");
    auto raw = std::vector<char*>();
    for (auto& word : command) raw.push_back(word.data());
    raw.push_back(nullptr);
    const auto parent = getpid();
    pid_ = fork();
    if (pid_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(1);
        dup2(nothing.get(), STDIN_FILENO);
        dup2(says.get(), STDOUT_FILENO);
        dup2(nothing.get(), STDERR_FILENO);
        execvp("env", raw.data());
        _exit(127);
    }
    if (pid_ < 0) throw_error(errno_error("fork", errno));
}

Program::~Program() {
    if (pid_ > 0) kill(pid_, SIGKILL), waitpid(pid_, nullptr, 0);
}

std::string Program::output() {
    auto all = std::string();
    const auto deadline = Deadline(std::chrono::seconds(60));
    for (auto some = std::array<char, 4096>();;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.left(SteadyClock{}.now()));
        auto wait = pollfd{output_.get(), POLLIN, 0};
        if (poll(&wait, 1, static_cast<int>(left.count())) == 0) return all;
        const auto got = read(output_.get(), some.data(), some.size());
        if (got <= 0) return all;
        all.append(some.data(), static_cast<std::size_t>(got));
    }
}

} // namespace bench
