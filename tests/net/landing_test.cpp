// labels: io coroutine
#include <mooncake/net/lane.hpp>

#include "echo.hpp"

#include <boost/asio/compose.hpp>
#include <boost/asio/steady_timer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace mooncake;
using namespace mooncake::test;
using namespace std::chrono_literals;

namespace {

/// A connection that lets go of memory late: what was cancelled still writes and reads for a while, as a device may that has
/// its orders already.
class LateStream {
  public:
    explicit LateStream(PlainTcp::Stream stream) : stream_(std::make_unique<PlainTcp::Stream>(std::move(stream))) {}

    template <class Token>
    auto async_read_some(std::span<asio::mutable_buffer> buffers, Token&& token) {
        const auto touch = [first = buffers.front()] {
            std::memset(first.data(), 0xee, std::min<std::size_t>(first.size(), 16));
        };
        return late([this, buffers](auto&& self) { stream_->async_read_some(buffers, std::move(self)); }, touch, token);
    }
    template <class Token>
    auto async_write_some(std::span<const asio::const_buffer> buffers, Token&& token) {
        const auto touch = [first = buffers[buffers.size() - 1]] { // a write looks at what it sends
            if (static_cast<const char*>(first.data())[0] == 'x') ++seen_after_the_end;
        };
        return late([this, buffers](auto&& self) { stream_->async_write_some(buffers, std::move(self)); }, touch,
                    token);
    }
    void cancel() { stream_->cancel(); }
    void cancel(boost::system::error_code& error) { stream_->cancel(error); }
    void close() { stream_->close(); }
    void close(boost::system::error_code& error) { stream_->close(error); }

    static inline std::atomic<int> seen_after_the_end = 0;

  private:
    template <class Begin, class Touch, class Token>
    auto late(Begin begin, Touch touch, Token&& token) {
        auto timer = std::make_shared<asio::steady_timer>(stream_->get_executor());
        auto outcome = boost::system::error_code();
        enum class Step : std::uint8_t { first, wait, last };
        return asio::async_compose<Token, void(boost::system::error_code, std::size_t)>(
            [=, step = Step::first](auto& self, boost::system::error_code error = {}, std::size_t bytes = 0) mutable {
                if (step == Step::first) {
                    step = Step::wait;
                    return begin(std::move(self));
                }
                if (step == Step::wait && error == asio::error::operation_aborted && bytes == 0) {
                    step = Step::last;
                    outcome = error;
                    timer->expires_after(30ms);
                    return timer->async_wait(std::move(self));
                }
                if (step == Step::last) touch();
                self.complete(step == Step::last ? outcome : error, step == Step::last ? 0 : bytes);
            },
            token, *stream_);
    }

    std::unique_ptr<PlainTcp::Stream> stream_;
};

struct LateTcp {
    using Stream = LateStream;
    using Incoming = PlainTcp::Incoming;
    using Connected = mooncake::Connected<Stream>;
    using Listener = PlainTcp::Listener;

    Listener listen(const Executor& executor, const ListenConfig& config) const {
        return PlainTcp().listen(executor, config);
    }
    Task<Connected> connect(Executor executor, Endpoint endpoint) const {
        return made(PlainTcp().connect(std::move(executor), std::move(endpoint)));
    }
    Task<Connected> accept(Incoming incoming) const { return made(PlainTcp().accept(std::move(incoming))); }

  private:
    static Task<Connected> made(Task<PlainTcp::Connected> task) {
        auto plain = co_await std::move(task);
        if (!plain) co_return plain.error();
        auto connected = Connected();
        connected.stream.emplace(std::move(*plain->stream));
        co_return connected;
    }
};
static_assert(StreamPolicy<LateTcp>);

/// A lane to a server that does only what the test does.
struct Scene {
    Scene() {
        lane->start();
        peer.emplace(server.acceptor);
        REQUIRE(peer->listen().has_value());
        peer->say(frame({.kind = FrameKind::reply}, "echo"));
    }
    ~Scene() { runtime.run(lane->close()); }

    /// Executes it and, once it is over, fills `memory` with `x`.
    static Task<void> use(Scene* scene, LaneOperation* operation, MutableBytes memory, Deadline deadline) {
        co_await scene->lane->execute(*operation, deadline);
        std::memset(memory.data(), 'x', memory.size());
        co_return ok;
    }
    static bool untouched(ConstBytes memory) {
        std::this_thread::sleep_for(60ms);
        return std::all_of(memory.begin(), memory.end(), [](std::byte byte) { return byte == std::byte{'x'}; });
    }

    Runtime runtime{{.threads = 1}};
    SilentServer server;
    std::shared_ptr<Lane<LateTcp>> lane = std::make_shared<Lane<LateTcp>>(
        runtime.executor(), LaneConfig{.peer = server.endpoint(), .hello = {.service = "echo"}});
    std::optional<RawPeer> peer;
};

} // namespace

TEST_CASE("landing: who gives up has his memory back when no read points to it any more") {
    auto scene = Scene();
    auto memory = std::vector<std::byte>(100'000);
    auto operation = call(3, "100000");
    operation.sinks.emplace_back(memory);
    auto thread = std::thread([&] {
        const auto request = scene.peer->listen();
        auto header = FrameHeader{.kind = FrameKind::reply, .method = 3, .id = request ? request->id : 0};
        auto reply = frame(header, "", std::string(memory.size(), 'p'));
        reply.resize(reply.size() / 2); // and no more
        scene.peer->say(reply);
    });
    SUBCASE("by his deadline") {
        (void)scene.runtime.run(Scene::use(&scene, &operation, memory, 100ms));
        CHECK(operation.error == Errc::timed_out);
    }
    SUBCASE("because the lane ends") {
        auto ending = std::thread([&] {
            std::this_thread::sleep_for(100ms);
            scene.runtime.run(scene.lane->close());
        });
        (void)scene.runtime.run(Scene::use(&scene, &operation, memory, 10s));
        ending.join();
        CHECK(operation.error == Errc::closed);
    }
    CHECK(Scene::untouched(memory));
    thread.join();
}

TEST_CASE("landing: when a lane ends, what a write points to is over when the write is") {
    LateStream::seen_after_the_end = 0;
    auto scene = Scene();
    auto memory = std::vector<std::byte>(64 * MiB); // more than the network takes
    const auto payload = ConstBytes(memory);
    auto operation = call(1, "");
    operation.payload = std::span(&payload, 1);
    auto ending = std::thread([&] {
        std::this_thread::sleep_for(100ms);
        scene.runtime.run(scene.lane->close());
    });
    (void)scene.runtime.run(Scene::use(&scene, &operation, memory, 10s));
    ending.join();
    CHECK(operation.error == Errc::closed);
    CHECK(Scene::untouched(memory));
    CHECK(LateStream::seen_after_the_end == 0);
}
