// What an application may get wrong at its end: it is told, and nothing goes on with memory that is gone.
#include <mooncake/core/spawn.hpp>
#include <mooncake/store/store.hpp>

#include "support/dying_words.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using namespace mooncake;
using test::dying_words;

namespace {

struct Application {
    Application() {
        auto config = EmbeddedStore<>::Config();
        config.master.capacity = 4 * MiB;
        store.emplace(*runtime, std::move(config));
    }
    std::unique_ptr<Runtime> runtime = std::make_unique<Runtime>(RuntimeConfig{.threads = 1});
    std::optional<EmbeddedStore<>> store;
};

/// Writes to a peer that listens and says nothing, from a context of the application's own.
struct Waiting {
    Waiting() {
        const auto mute = Endpoint{.host = "127.0.0.1", .port = listener.local_endpoint().port()};
        client.emplace(runtime.executor(), RpcClientConfig{.server = mute});
        context.emplace();
        auto call = client->call(store::Describe(), 60s);
        auto done = [this](const Result<store::DescribeReply>& reply) { outcome = reply.error().code(); };
        spawn(context->get_executor(), std::move(call), asio::bind_cancellation_slot(signal.slot(), done));
        context->run_for(50ms);
    }
    ~Waiting() { runtime.run(client->close()); }

    Runtime runtime{{.threads = 1}};
    asio::io_context listening;
    asio::ip::tcp::acceptor listener{listening, {asio::ip::address_v4::loopback(), 0}};
    std::optional<RpcClient<>> client;
    asio::cancellation_signal signal;
    std::optional<asio::io_context> context;
    Errc outcome = Errc::ok;
};

asio::awaitable<void> destroy(EmbeddedStore<>* store) {
    std::destroy_at(store);
    co_return;
}

} // namespace

TEST_CASE("ends: a runtime that goes before its store ends the program with a sentence") {
    const auto words = dying_words([] {
        auto application = Application();
        application.runtime.reset();
    });
    CHECK_MESSAGE(
        words.find("a Runtime was destroyed before the engines, stores and servers that use it (1 not closed)") !=
            std::string::npos,
        words);
}

TEST_CASE("ends: a store that was closed may go after its runtime") {
    const auto words = dying_words([] {
        auto application = Application();
        application.runtime->run(application.store->close());
        application.runtime.reset();
        application.store.reset();
    });
    CHECK(words == "");
}

TEST_CASE(
    "ends: a store that goes on a thread of its runtime, where it cannot wait, ends the program with a sentence") {
    const auto words = dying_words([] {
        auto application = Application();
        application.runtime->run(destroy(&*application.store));
    });
    CHECK_MESSAGE(words.find("a Store was destroyed on a thread of its own Runtime") != std::string::npos, words);
}

TEST_CASE("ends: a context that goes with an operation under way ends the program with a sentence") {
    const auto words = dying_words([] {
        auto waiting = Waiting();
        waiting.context.reset();
    });
    CHECK_MESSAGE(
        words.find("was destroyed while operations of mooncake (1) were under way on it") != std::string::npos, words);
}

TEST_CASE("ends: a context whose operations were cancelled, and that ran until they were over, may go") {
    const auto words = dying_words([] {
        for (auto i = 0; i < 10; ++i) { // what wakes the waiter may still be about it
            auto waiting = Waiting();
            waiting.signal.emit(asio::cancellation_type::total);
            waiting.context->run(); // returns: nothing is left
            waiting.context.reset();
            if (waiting.outcome != Errc::cancelled) std::abort();
        }
    });
    CHECK(words == "");
}
