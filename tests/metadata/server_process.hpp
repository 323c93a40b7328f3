#pragma once

#include <mooncake/memory/file_descriptor.hpp>
#include <mooncake/net/endpoint.hpp>

#include "support/skip.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mooncake::test {

/// A TCP port of the loopback that nobody uses just now.
inline std::uint16_t free_port() {
    const auto socket = FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = sockaddr_in();
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto length = socklen_t{sizeof address};
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length) != 0) return 0;
    if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
    return ntohs(address.sin_port);
}

/// A server of somebody else's that the test starts, stops, freezes and kills: on a port of its own, in a folder of its own. It is
/// gone with this.
class ServerProcess {
  public:
    explicit ServerProcess(std::vector<std::string> programs) : programs_(std::move(programs)) {
        auto folder = std::string("/tmp/mooncake-test-XXXXXX");
        folder_ = ::mkdtemp(folder.data()) != nullptr ? folder : "/tmp";
        port_ = free_port();
    }
    ServerProcess(const ServerProcess&) = delete;
    ServerProcess& operator=(const ServerProcess&) = delete;
    ~ServerProcess() {
        stop(SIGKILL);
        auto ignored = std::error_code();
        if (folder_ != "/tmp") std::filesystem::remove_all(folder_, ignored);
    }

    [[nodiscard]] Endpoint endpoint() const { return {"127.0.0.1", port_}; }
    [[nodiscard]] bool is_there() const { return pid_ > 0; }
    [[nodiscard]] std::string why_not() const { return "no " + programs_.front() + " could be started"; }

    /// Whether it listens after at most 20 s.
    bool start(const std::vector<std::string>& words) {
        const auto parent = ::getpid();
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (::getppid() != parent) ::_exit(1);
            const auto null = ::open("/dev/null", O_WRONLY);
            ::dup2(null, STDOUT_FILENO);
            ::dup2(null, STDERR_FILENO);
            for (const auto& program : programs_) {
                auto arguments = std::vector<char*>{const_cast<char*>(programs_.front().c_str())};
                for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
                arguments.push_back(nullptr);
                ::execvp(program.c_str(), arguments.data());
            }
            ::_exit(127);
        }
        for (auto tries = 0; tries < 800; ++tries, std::this_thread::sleep_for(std::chrono::milliseconds(25))) {
            auto status = 0;
            if (::waitpid(pid_, &status, WNOHANG) == pid_) break;
            if (listens()) return true;
        }
        stop(SIGKILL);
        return false;
    }
    void signal(int number) const {
        if (pid_ > 0) ::kill(pid_, number);
    }
    void stop(int number) {
        if (pid_ <= 0) return;
        ::kill(pid_, number);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }

  protected:
    [[nodiscard]] const std::string& folder() const noexcept { return folder_; }
    [[nodiscard]] std::string port() const { return std::to_string(port_); }

  private:
    [[nodiscard]] bool listens() const {
        const auto socket = FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        auto address = sockaddr_in();
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port_);
        return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }

    const std::vector<std::string> programs_;
    std::string folder_;
    std::uint16_t port_ = 0;
    pid_t pid_ = -1;
};

class EtcdServer : public ServerProcess {
  public:
    EtcdServer() : ServerProcess({"etcd"}) { start(); }
    bool start() {
        const auto client = "http://127.0.0.1:" + port(), peer = "http://127.0.0.1:" + peer_;
        return ServerProcess::start({"--name",
                                     "t",
                                     "--data-dir",
                                     folder() + "/data",
                                     "--listen-client-urls",
                                     client,
                                     "--advertise-client-urls",
                                     client,
                                     "--listen-peer-urls",
                                     peer,
                                     "--initial-advertise-peer-urls",
                                     peer,
                                     "--initial-cluster",
                                     "t=" + peer,
                                     "--heartbeat-interval",
                                     "50",
                                     "--election-timeout",
                                     "250",
                                     "--max-request-bytes",
                                     "16777216",
                                     "--unsafe-no-fsync"});
    }

  private:
    const std::string peer_ = std::to_string(free_port());
};

class RedisServer : public ServerProcess {
  public:
    // One program with several names; redis-tools brings it without making a service of it.
    explicit RedisServer(std::vector<std::string> more = {}) : ServerProcess({"redis-server", "redis-check-rdb"}) {
        start(std::move(more));
    }
    bool start(std::vector<std::string> more = {}) {
        auto words = std::vector<std::string>{
            "--port",        port(),   "--bind",      "127.0.0.1", "--save",    "",          "--appendonly", "yes",
            "--appendfsync", "always", "--daemonize", "no",        "--logfile", "/dev/null", "--dir",        folder()};
        words.insert(words.end(), more.begin(), more.end());
        return ServerProcess::start(words);
    }
};

} // namespace mooncake::test
