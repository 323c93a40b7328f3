// labels: io
#include <mooncake/net/server.hpp>
#include <mooncake/rpc/client.hpp>
#include <mooncake/rpc/service.hpp>

#include "net/raw_peer.hpp"

#include <doctest/doctest.h>

#include <atomic>

using namespace mooncake;
using namespace mooncake::test;
using namespace std::chrono_literals;

namespace {

struct Sum {
    std::uint64_t sum = 0;
};
struct Add {
    static constexpr std::uint32_t method = 1;
    using Reply = Sum;
    std::vector<std::uint64_t> numbers;
};
struct Nothing {
    std::uint8_t none = 0;
};
struct Wait {
    static constexpr std::uint32_t method = 2;
    using Reply = Nothing;
    std::uint32_t milliseconds = 0;
};
struct Unknown {
    static constexpr std::uint32_t method = 3;
    using Reply = Nothing;
    std::uint8_t none = 0;
};
struct Malformed {
    static constexpr std::uint32_t method = 1;
    using Reply = Nothing;
    std::uint8_t none = 0;
};

struct Adder {
    explicit Adder(Endpoint bind = {"127.0.0.1", 0})
        : server(runtime, *service, {.listen = {.bind = std::move(bind)}}) {
        server.start();
    }
    ~Adder() { close(); }
    void close() { runtime.run(server.close()); }

    static Task<Nothing> wait(Adder* self, std::uint32_t milliseconds) {
        auto pause = Event();
        ++self->waiting;
        const auto wake = co_await pause.wait(std::chrono::milliseconds(milliseconds));
        --self->waiting;
        if (wake == Wake::cancelled) {
            ++self->cancelled;
            co_return Errc::cancelled;
        }
        co_return Nothing{};
    }
    std::unique_ptr<RpcService> make() {
        auto made = std::make_unique<RpcService>();
        made->on<Add>([](const Add& add) -> Result<Sum> {
            if (add.numbers.empty()) return Error(Errc::invalid_argument, "nothing to add; give at least one number");
            auto sum = Sum();
            for (const auto number : add.numbers) sum.sum += number;
            return sum;
        });
        made->on<Wait>([this](Wait request) { return wait(this, request.milliseconds); });
        return made;
    }

    std::atomic<int> waiting = 0, cancelled = 0;
    Runtime runtime{{.threads = 2}};
    std::unique_ptr<RpcService> service = make();
    Server<PlainTcp> server;
};

template <class Condition>
bool eventually(Condition condition) {
    for (const auto until = Deadline(10s); !until.passed(); std::this_thread::yield())
        if (condition()) return true;
    return false;
}

} // namespace

TEST_CASE("rpc: calls are answered, many at once, and refusals carry their sentence") {
    auto adder = Adder();
    auto client = RpcClient<>(adder.runtime.executor(), {.server = adder.server.endpoint()});
    CHECK(adder.runtime.run(client.call(Add{{1, 2, 39}}, 10s)).value().sum == 42);
    const auto refused = adder.runtime.run(client.call(Add{}, 10s));
    CHECK(refused.error() == Errc::invalid_argument);
    CHECK(refused.error().context() == "nothing to add; give at least one number");
    const auto unknown = adder.runtime.run(client.call(Unknown(), 10s));
    CHECK(unknown.error() == Errc::unknown_method);
    CHECK(unknown.error().message().find("method 3") != std::string::npos);
    CHECK(adder.runtime.run(client.call(Malformed(), 10s)).error() == Errc::protocol_error);
    auto wrong = std::atomic<int>{0};
    {
        auto threads = std::vector<std::jthread>();
        for (std::size_t t = 0; t < 3; ++t)
            threads.emplace_back([&, t] {
                for (std::uint64_t i = 1; i < 200; ++i) {
                    const auto sum = sync_wait(adder.runtime.executor(t), client.call(Add{{i, t}}, 10s));
                    wrong += !sum || sum->sum != i + t;
                }
            });
    }
    CHECK(wrong == 0);
    adder.runtime.run(client.close());
    CHECK(adder.runtime.run(client.call(Add{{1}}, 10s)).error() == Errc::closed);
}

TEST_CASE("rpc: a call that waits holds up no other, and ends by its deadline") {
    auto adder = Adder();
    auto client = RpcClient<>(adder.runtime.executor(), {.server = adder.server.endpoint()});
    auto slow =
        std::jthread([&] { CHECK(adder.runtime.run(client.call(Wait{60'000}, 300ms)).error() == Errc::timed_out); });
    CHECK(eventually([&] { return adder.waiting == 1; }));
    CHECK(adder.runtime.run(client.call(Add{{1}}, 10s)).value().sum == 1);
    CHECK(adder.runtime.run(client.call(Wait{1}, 10s)).has_value());
    slow.join();
    adder.runtime.run(client.close());
    // Handlers that wait are cancelled with their connection.
    CHECK(eventually([&] { return adder.cancelled == 1 && adder.waiting == 0; }));
}

TEST_CASE("rpc: a call that its caller gives up ends at the server, too") {
    auto adder = Adder();
    auto client = RpcClient<>(adder.runtime.executor(), {.server = adder.server.endpoint()});
    const auto given_up = adder.runtime.run(with_deadline(client.call(Wait{60'000}, 60s), 50ms));
    CHECK(given_up.error() == Errc::timed_out);
    const auto begun = SteadyClock{}.now();
    CHECK(eventually([&] { return adder.cancelled == 1 && adder.waiting == 0; }));
    CHECK(SteadyClock{}.now() - begun < 1s); // at once, and not with whatever is said next
    CHECK(adder.runtime.run(client.call(Add{{1}}, 10s)).value().sum == 1); // on the same connection
    adder.runtime.run(client.close());
}

TEST_CASE("rpc: a server that closes cancels its handlers, and a new one is found") {
    auto adder = std::make_unique<Adder>();
    auto runtime = Runtime({.threads = 1});
    const auto endpoint = adder->server.endpoint();
    auto client = RpcClient<>(runtime.executor(), {.server = endpoint, .backoff = {.first = 1ms, .most = 5ms}});
    auto cut = std::jthread([&] {
        const auto lost = runtime.run(client.call(Wait{60'000}, 20s));
        CHECK(lost.has_error());
        CHECK_FALSE(lost.error() == Errc::timed_out);
    });
    CHECK(eventually([&] { return adder->waiting == 1; }));
    adder->close();
    CHECK(adder->cancelled == 1);
    cut.join();
    adder.reset();
    CHECK(eventually([&] { return runtime.run(client.call(Add{{1}}, 1s)).error() == Errc::unreachable; }));
    auto again = Adder(endpoint);
    CHECK(eventually([&] { return runtime.run(client.call(Add{{1}}, 1s)).has_value(); }));
    runtime.run(client.close());
}

TEST_CASE("rpc: a handler whose caller's time is over is too late, and not cancelled") {
    auto adder = Adder();
    auto peer = RawPeer(adder.server.endpoint()); // whose own clock says nothing
    peer.say(hello("rpc"));
    CHECK(peer.listen().has_value());
    auto header = FrameHeader();
    header.method = Wait::method;
    header.status = 50; // ms
    peer.say(frame(header, encode(Wait{60'000})));
    const auto reply = peer.listen();
    REQUIRE(reply.has_value());
    CHECK(static_cast<Errc>(reply->status) == Errc::timed_out);
    CHECK(peer.text.find("when the call's time was over") != std::string::npos);
    CHECK(adder.cancelled == 1);
}

TEST_CASE("rpc: a payload is a breach, as calls have none") {
    auto adder = Adder();
    auto peer = RawPeer(adder.server.endpoint());
    peer.say(hello("rpc"));
    CHECK(peer.listen().has_value());
    auto header = FrameHeader();
    header.method = 1;
    peer.say(frame(header, encode(Add{{1}}), "payload"));
    CHECK(peer.is_cut_off());
}
