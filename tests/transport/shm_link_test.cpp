// labels: io
#include <mooncake/core/runtime.hpp>
#include <mooncake/core/secret.hpp>
#include <mooncake/transport/shm_link.hpp>

#include <doctest/doctest.h>

#include <sys/mman.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace mooncake;
using namespace mooncake::transport::detail;
using namespace std::chrono_literals;

namespace {

/// A server that grants everything and reads only when it is told to.
class SlowServer {
  public:
    SlowServer() : door_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
        const auto name = UnixAddress(address);
        REQUIRE(::bind(door_.get(), name.get(), name.length) == 0);
        REQUIRE(::listen(door_.get(), 1) == 0);
        memory_ = FileDescriptor(memfd_create("shared", MFD_CLOEXEC | MFD_ALLOW_SEALING));
        REQUIRE(ftruncate(memory_.get(), 4096) == 0);
        REQUIRE(fcntl(memory_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
    }
    void accept() { peer_ = FileDescriptor(::accept(door_.get(), nullptr, nullptr)); }
    ShmMessage read() {
        auto message = ShmMessage();
        REQUIRE(::recv(peer_.get(), &message, sizeof message, 0) == sizeof message);
        return message;
    }
    void answer(const ShmMessage& question) {
        auto reply = ShmMessage{.kind = ShmKind::reply, .id = question.id, .offset = question.offset, .length = 4096};
        reply.rights = static_cast<std::uint32_t>(Rights::read);
        const auto grants = question.kind == ShmKind::map;
        REQUIRE(send_message(peer_.get(), reply, grants ? memory_.get() : -1) == 0);
    }

    const std::string address = "mooncake-test-" + std::to_string(random_secret());

  private:
    FileDescriptor door_, peer_, memory_;
};

} // namespace

TEST_CASE("shm link: whoever drops a window does not wait for the server to read, which hears of it all the same") {
    constexpr auto windows = std::size_t{2'000}; // more notices than a socket holds
    auto runtime = Runtime({.threads = 1});
    auto scope = std::optional<TaskScope>(runtime.executor());
    auto server = SlowServer();
    auto serving = std::thread([&] {
        server.accept();
        for (std::size_t i = 0; i < 1 + windows; ++i) server.answer(server.read());
    });
    auto link = runtime.run(ShmLink::connect(server.address, 1, *scope)).value();
    for (std::size_t i = 0; i < windows; ++i) REQUIRE(runtime.run(link->map(i * 4096, 7, Deadline(10s))).has_value());
    serving.join();
    auto held = link->windows();
    REQUIRE(held->size() == windows);
    link->close();
    link.reset();
    const auto begun = SteadyClock{}.now();
    held.reset();
    CHECK(SteadyClock{}.now() - begun < 900ms); // it was a second for each window that did not fit
    // The session is gone with the last window: by hanging up it says everything at once.
    auto again = std::thread([&] {
        server.accept();
        for (std::size_t i = 0; i < 1 + windows; ++i) server.answer(server.read());
    });
    link = runtime.run(ShmLink::connect(server.address, 1, *scope)).value();
    for (std::size_t i = 0; i < windows; ++i) REQUIRE(runtime.run(link->map(i * 4096, 7, Deadline(10s))).has_value());
    again.join();
    auto last = std::shared_ptr<const ShmWindow>(link->windows()->back());
    link->close();
    link.reset();
    for (std::size_t i = 0; i + 1 < windows; ++i) REQUIRE(server.read().kind == ShmKind::released);
    last.reset();
    CHECK(server.read().kind == ShmKind::released);
    runtime.run(scope->close());
    scope.reset();
}
