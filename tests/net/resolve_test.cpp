// labels: net
#include <mooncake/core/runtime.hpp>
#include <mooncake/core/with_deadline.hpp>
#include <mooncake/memory/file_descriptor.hpp>
#include <mooncake/net/lane.hpp>
#include <mooncake/net/plain_tcp.hpp>
#include <mooncake/net/resolve.hpp>

#include "net/raw_peer.hpp"
#include "support/skip.hpp"

#include <boost/asio/ip/udp.hpp>

#include <doctest/doctest.h>

#include <sched.h>
#include <sys/mount.h>

#include <cstdlib>
#include <fstream>
#include <thread>

using namespace mooncake;
using namespace mooncake::test;
using namespace std::chrono_literals;

namespace {

/// A thread, and what it starts, whose name server is `server`. False where that takes more rights than we have.
bool use_name_server(const std::string& server) {
    auto file = std::string("/tmp/mooncake-resolv-XXXXXX");
    const auto fd = FileDescriptor(mkstemp(file.data()));
    if (!fd) return false;
    std::ofstream(file) << "nameserver " << server << "\noptions timeout:2 attempts:1\n";
    const auto ours = unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                      mount(file.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) == 0;
    unlink(file.c_str());
    return ours;
}

} // namespace

TEST_CASE("resolve: addresses are taken as they are, names are looked up, and what is no name is unreachable") {
    auto runtime = Runtime({.threads = 1});
    const auto four = runtime.run(net::detail::resolve({"127.0.0.7", 80})).value();
    REQUIRE(four.size() == 1);
    CHECK(four.front() == asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.7"), 80));
    const auto six = runtime.run(net::detail::resolve({"::1", 81})).value();
    REQUIRE(six.size() == 1);
    CHECK(six.front() == asio::ip::tcp::endpoint(asio::ip::make_address("::1"), 81));
    const auto name = runtime.run(net::detail::resolve({"localhost", 82})).value();
    REQUIRE_FALSE(name.empty());
    CHECK(name.front().address().is_loopback());
    CHECK(name.front().port() == 82);
    const auto nonsense = runtime.run(net::detail::resolve({"not a name", 83}));
    CHECK(nonsense.error() == Errc::unreachable);
    CHECK(nonsense.error().message().find("not a name") != std::string::npos);
}

TEST_CASE("resolve: a name server that does not answer holds nobody up beyond the deadline") {
    auto context = asio::io_context();
    auto silent = asio::ip::udp::socket(context, asio::ip::udp::v4());
    auto error = boost::system::error_code();
    silent.bind({asio::ip::make_address("127.83.53.1"), 53}, error);
    if (error) return skip("cannot bind 127.83.53.1:53, " + error.message() + ": run it as root");
    auto ready = true;
    auto outcome = Errc::ok, lane_outcome = Errc::ok;
    auto took = Duration();
    std::thread([&] { // its mount namespace dies with it
        ready = use_name_server("127.83.53.1");
        if (!ready) return;
        auto runtime = Runtime({.threads = 1});
        const auto start = SteadyClock{}.now();
        outcome = runtime.run(with_deadline(net::detail::resolve({"no-such-host.example", 1}), 50ms)).error().code();
        auto lane = std::make_shared<Lane<PlainTcp>>(
            runtime.executor(), LaneConfig{.peer = {"no-such-host.example", 1}, .connect_within = 50ms});
        lane->start();
        auto operation = LaneOperation();
        auto execute = [](std::shared_ptr<Lane<PlainTcp>> on, LaneOperation* what) -> Task<void> {
            co_await on->execute(*what, Deadline(5s));
            co_return ok;
        };
        (void)runtime.run(execute(lane, &operation));
        lane_outcome = operation.error.code();
        runtime.run(lane->close());
        took = SteadyClock{}.now() - start;
    })
        .join();
    if (!ready) return skip("needs a mount namespace with a resolv.conf of its own: run it as root");
    CHECK(outcome == Errc::timed_out);
    CHECK(lane_outcome == Errc::unreachable);
    CHECK(took < 1s); // the name server is given up after two
}
