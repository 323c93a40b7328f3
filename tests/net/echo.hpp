#pragma once

#include <mooncake/net/lane.hpp>
#include <mooncake/net/plain_tcp.hpp>
#include <mooncake/net/server.hpp>

#include "raw_peer.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::test {

/// Counts what is logged.
class LogBook {
  public:
    Log log() {
        return Log([state = state_](Severity, std::string_view sentence) {
            const auto lock = std::lock_guard(state->mutex);
            state->lines.emplace_back(sentence);
        });
    }
    std::vector<std::string> lines() const {
        const auto lock = std::lock_guard(state_->mutex);
        return state_->lines;
    }

  private:
    struct State {
        std::mutex mutex;
        std::vector<std::string> lines;
    };
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// 1 sends message and payload back. 2 never answers. 3 answers with the message's number of zero bytes as payload.
/// 4 is refused.
class EchoService final : public FrameService {
  public:
    std::string_view name() const noexcept override { return "echo"; }
    std::uint64_t generation() const noexcept override { return 7; }
    Result<void> accept(Exchange& exchange) override {
        if (exchange.request.method > 4) return Error(Errc::protocol_error, "no such method");
        if (exchange.request.payload_bytes == 0) return ok;
        auto memory = std::make_shared<std::vector<std::byte>>(exchange.request.payload_bytes);
        exchange.sinks.emplace_back(*memory);
        exchange.keep.push_back(memory);
        return ok;
    }
    void serve(std::unique_ptr<Exchange> exchange, const std::shared_ptr<ReplyChannel>& channel) override {
        const auto counted = Count{served};
        switch (exchange->request.method) {
        case 1:
            exchange->reply = exchange->message;
            exchange->payload.assign(exchange->sinks.begin(), exchange->sinks.end());
            break;
        case 2: {
            const auto lock = std::lock_guard(mutex_);
            kept_.push_back(std::move(exchange));
            return;
        }
        case 3: {
            auto memory = std::make_shared<std::vector<std::byte>>(std::stoul(exchange->message));
            exchange->payload.emplace_back(*memory);
            exchange->keep.push_back(memory);
            const auto lock = std::lock_guard(mutex_);
            memory_ = memory;
            break;
        }
        default: exchange->status = Errc::no_space; exchange->reply = "as you wished";
        }
        channel->send(std::move(exchange));
    }
    /// What the last reply to method 3 is made of.
    std::weak_ptr<const void> memory() {
        const auto lock = std::lock_guard(mutex_);
        return memory_;
    }

    std::atomic<int> served = 0;

  private:
    struct Count {
        std::atomic<int>& of;
        ~Count() { ++of; }
    };
    std::mutex mutex_;
    std::vector<std::unique_ptr<Exchange>> kept_;
    std::weak_ptr<const void> memory_;
};

/// An echo server on a free port of its own.
struct EchoServer {
    explicit EchoServer(ConnectionConfig connection = {}, std::string host = "127.0.0.1")
        : server(runtime, service,
                 {.listen = {.bind = {std::move(host), 0}}, .connection = connection, .log = book.log()}) {
        server.start();
    }
    ~EchoServer() { runtime.run(server.close()); }

    std::shared_ptr<Lane<PlainTcp>> lane(Hello hello = {.service = "echo"}) {
        auto made = std::make_shared<Lane<PlainTcp>>(runtime.executor(1),
                                                     LaneConfig{.peer = server.endpoint(), .hello = std::move(hello)});
        made->start();
        return made;
    }
    void close(const std::shared_ptr<Lane<PlainTcp>>& lane) { runtime.run(lane->close()); }

    LogBook book;
    Runtime runtime{{.threads = 2}};
    EchoService service;
    Server<PlainTcp> server;
};

inline Task<void> run(Lane<PlainTcp>* lane, LaneOperation* operation, Deadline deadline) {
    co_await lane->execute(*operation, deadline);
    co_return ok;
}

inline LaneOperation call(std::uint32_t method, std::string meta = {}) {
    auto operation = LaneOperation();
    operation.method = method;
    operation.meta = std::move(meta);
    return operation;
}

/// Whether a connection of good manners is served.
inline bool serves(const Endpoint& endpoint) {
    auto peer = RawPeer(endpoint);
    peer.say(hello("echo"));
    const auto greeting = peer.listen();
    if (!greeting || greeting->status != 0) return false;
    auto header = FrameHeader();
    header.method = 1;
    header.id = 5;
    peer.say(frame(header, "ping", "pong"));
    const auto reply = peer.listen();
    return reply && reply->id == 5 && peer.text == "pingpong";
}

} // namespace mooncake::test
