#include "support/redis.hpp"

#include "support/program.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <string_view>
#include <thread>
#include <vector>

namespace bench {
namespace {

using namespace mooncake;

std::string command(const std::vector<std::string_view>& words) {
    auto text = "*" + std::to_string(words.size()) + "\r\n";
    for (const auto word : words)
        text.append("$").append(std::to_string(word.size())).append("\r\n").append(word).append("\r\n");
    return text;
}

void send_all(int socket, std::string_view text) {
    while (!text.empty()) {
        const auto sent = send(socket, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0) throw_error(errno_error("send to redis-server", errno));
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
}

/// $64\r\n…\r\n
std::size_t bulk_bytes(std::size_t value_bytes) { return 1 + std::to_string(value_bytes).size() + 2 + value_bytes + 2; }

} // namespace

Redis::Redis() {
    const auto port = free_port();
    const auto parent = getpid();
    server_ = fork();
    if (server_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(1);
        const auto text = std::to_string(port);
        // One program with several names; redis-tools brings it without making a service of it.
        for (const auto* const program : {"redis-server", "redis-check-rdb"})
            execlp(program, "redis-server", "--port", text.c_str(), "--bind", "127.0.0.1", "--save", "", "--appendonly",
                   "no", "--daemonize", "no", "--logfile", "/dev/null", "--dir", "/tmp", static_cast<char*>(nullptr));
        _exit(127);
    }
    for (auto tries = 0; tries < 200; ++tries, std::this_thread::sleep_for(std::chrono::milliseconds(25))) {
        socket_ = FileDescriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        auto address = sockaddr_in();
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        if (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) continue;
        const auto yes = 1;
        (void)setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        return;
    }
    throw_error({Errc::unreachable, "redis-server could not be started; Debian package: redis-tools"});
}

Redis::~Redis() {
    if (server_ > 0) kill(server_, SIGKILL), waitpid(server_, nullptr, 0);
}

void Redis::set(const std::string& key, const std::string& value) {
    send_all(socket_.get(), command({"SET", key, value}));
    receive(5); // +OK
}

Sample Redis::get(const std::string& key, std::size_t value_bytes, std::uint64_t rounds, std::size_t depth) {
    auto asked = std::string();
    for (std::size_t i = 0; i < depth; ++i) asked += command({"GET", key});
    const auto answer = bulk_bytes(value_bytes);
    return timed(static_cast<double>(rounds * depth), [&] {
        for (std::uint64_t i = 0; i < rounds; ++i) {
            send_all(socket_.get(), asked);
            receive(depth * answer);
        }
    });
}

Sample Redis::get_many(const std::string& key, std::size_t value_bytes, std::uint64_t rounds, std::size_t keys) {
    auto words = std::vector<std::string_view>(keys + 1, key);
    words.front() = "MGET";
    const auto asked = command(words);
    const auto answer = 1 + std::to_string(keys).size() + 2 + keys * bulk_bytes(value_bytes); // *128\r\n…
    return timed(static_cast<double>(rounds * keys), [&] {
        for (std::uint64_t i = 0; i < rounds; ++i) {
            send_all(socket_.get(), asked);
            receive(answer);
        }
    });
}

void Redis::receive(std::size_t bytes) {
    received_.resize(64 * 1024);
    while (bytes != 0) {
        const auto got = recv(socket_.get(), received_.data(), std::min(bytes, received_.size()), 0);
        if (got <= 0) throw_error(errno_error("recv from redis-server", errno));
        bytes -= static_cast<std::size_t>(got);
    }
}

} // namespace bench
