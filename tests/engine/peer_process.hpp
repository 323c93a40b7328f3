#pragma once

#include <mooncake/engine/transfer_engine.hpp>
#include <mooncake/transport/tcp.hpp>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <string>
#include <utility>

namespace mooncake::test {

/// Engines that reach each other over TCP and in no other way.
struct TcpOnly : DefaultEngineTraits {
    using Transports = TransportSet<TcpTransport<>>;
};

/// A process that lends memory, until it is killed. Made before there are threads: it is a copy of this one.
class PeerProcess {
  public:
    explicit PeerProcess(std::uint64_t bytes) {
        auto channel = std::array<int, 2>();
        if (::pipe(channel.data()) != 0) return;
        const auto parent = ::getpid();
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (::getppid() != parent) ::_exit(1);
            serve(bytes, channel[1]);
        }
        ::close(channel[1]);
        auto text = std::array<char, 512>();
        const auto got = ::read(channel[0], text.data(), text.size());
        ::close(channel[0]);
        if (got > 0) locator_.assign(text.data(), static_cast<std::size_t>(got));
    }
    PeerProcess(const PeerProcess&) = delete;
    PeerProcess& operator=(const PeerProcess&) = delete;
    ~PeerProcess() { kill(); }

    /// Empty: it could not start.
    [[nodiscard]] const std::string& locator() const noexcept { return locator_; }
    void signal(int number) const {
        if (pid_ > 0) ::kill(pid_, number);
    }
    void kill() {
        signal(SIGKILL);
        if (pid_ > 0) ::waitpid(std::exchange(pid_, -1), nullptr, 0);
    }

  private:
    [[noreturn]] static void serve(std::uint64_t bytes, int channel) {
        auto runtime = Runtime({.threads = 2});
        auto engine = TransferEngine<TcpOnly>(runtime, {.name = "lender"});
        const auto arena = Arena::create({.bytes = bytes, .prefault_threads = 1});
        if (!arena || !runtime.run(engine.register_arena(*arena, Rights::read_write, KeySharing::in_record)))
            ::_exit(1);
        const auto locator = engine.locator();
        if (::write(channel, locator.data(), locator.size()) < 0) ::_exit(1);
        ::close(channel);
        for (;;) ::pause();
    }

    pid_t pid_ = -1;
    std::string locator_;
};

} // namespace mooncake::test
