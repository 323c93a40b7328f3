// labels: unit
// Whoever says nothing of time waits ten seconds, and not for ever.
#include <mooncake/core/spawn.hpp>
#include <mooncake/net/server.hpp>
#include <mooncake/rpc/service.hpp>
#include <mooncake/store/store.hpp>

#include <boost/asio/use_future.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <string>

using namespace std::chrono_literals;
using namespace mooncake;

namespace {

bool is_usual(Deadline deadline) {
    const auto left = deadline.left(SteadyClock{}.now());
    return left > Deadline::usual_patience - 1s && left <= Deadline::usual_patience;
}

/// A master that says what it is, and nothing after.
struct Mute {
    Mute() {
        service.on<store::Describe>([](store::Describe&) -> Result<store::DescribeReply> {
            return store::DescribeReply{.wire_version = wire_version, .max_keys = 10, .max_write_deadline_ms = 60'000};
        });
        answer_never<store::Get>();
        answer_never<store::Query>();
        answer_never<store::PutStart>();
        server.start();
    }
    ~Mute() { runtime.run(server.close()); }

    template <class Message>
    void answer_never() {
        service.on<Message>([](Message) -> Task<typename Message::Reply> {
            auto never = Event();
            const auto wake = co_await never.wait(Deadline::never());
            co_return to_errc(wake);
        });
    }

    Runtime runtime{{.threads = 2}};
    RpcService service;
    Server<PlainTcp> server{runtime, service, {}};
};

} // namespace

TEST_CASE("deadline: every options struct has the usual one") {
    CHECK(is_usual(TransferOptions().deadline));
    CHECK(is_usual(PutOptions().deadline));
    CHECK(is_usual(GetOptions().deadline));
    CHECK(is_usual(GetBatchOptions().deadline));
    CHECK(is_usual(ViewOptions().deadline));
    CHECK(Deadline::never().is_never());
}

TEST_CASE("deadline: calls whose peer never answers end with a sentence after the usual time") {
    auto mute = Mute();
    auto config = ClusterStore::Config();
    config.master.rpc.server = mute.server.endpoint();
    auto store = ClusterStore(mute.runtime, std::move(config));
    const auto executor = mute.runtime.executor();
    const auto start = SteadyClock{}.now();
    auto get = spawn(executor, store.get("key"), asio::use_future);
    auto exists = spawn(executor, store.exists("key"), asio::use_future);
    auto put = spawn(executor, store.put("key", bytes_of("value")), asio::use_future);
    auto view = spawn(executor, store.view("key"), asio::use_future);
    const auto timed_out = [](const auto& result) { return result.error() == Errc::timed_out; };
    CHECK(timed_out(get.get()));
    CHECK(timed_out(exists.get()));
    CHECK(timed_out(put.get()));
    CHECK(timed_out(view.get()));
    const auto took = SteadyClock{}.now() - start;
    CHECK(took > Deadline::usual_patience - 1s);
    CHECK(took < Deadline::usual_patience + 5s);
    mute.runtime.run(store.close());
}
