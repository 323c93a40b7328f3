#pragma once

#include <mooncake/core/scope.hpp>
#include <mooncake/core/with_deadline.hpp>
#include <mooncake/net/codec.hpp>
#include <mooncake/net/service.hpp>
#include <mooncake/rpc/concept.hpp>

#include <cassert>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>

namespace mooncake {

/// The calls a server answers. Register all before the server starts.
///
/// A handler is `Result<R::Reply>(R&)`, done at once on the connection's thread, or, only where it has to wait,
/// `Task<R::Reply>(R)`, which is cancelled when the connection ends, the caller's time is over, or the caller says that it
/// waits no longer. Both are called from several threads at once. An exception of theirs is the call's error.
class RpcService final : public FrameService {
  public:
    template <RpcRequest R, class Handler>
        requires std::is_invocable_r_v<Result<typename R::Reply>, Handler&, R&>
    void on(Handler handler) {
        add(R::method,
            [handler = std::move(handler)](std::unique_ptr<Exchange> exchange, const Channel& channel) mutable {
                auto request = decode<R>(exchange->message);
                if (request) finish(*exchange, guard<R>([&] { return handler(*request); }));
                else finish(*exchange, malformed());
                channel->send(std::move(exchange));
            });
    }

    template <RpcRequest R, class Handler>
        requires std::is_invocable_r_v<Task<typename R::Reply>, Handler&, R>
    void on(Handler handler) {
        add(R::method,
            [handler = std::move(handler)](std::unique_ptr<Exchange> exchange, const Channel& channel) mutable {
                auto request = decode<R>(exchange->message);
                if (!request) {
                    finish(*exchange, malformed());
                    channel->send(std::move(exchange));
                    return;
                }
                (void)channel->scope().spawn(answer<R>(handler(std::move(*request)), std::move(exchange), channel));
            });
    }

    [[nodiscard]] std::string_view name() const noexcept override { return "rpc"; }

    Result<void> accept(Exchange& exchange) override {
        if (exchange.request.payload_bytes == 0) return ok;
        return Error(Errc::protocol_error, "a call came with " + std::to_string(exchange.request.payload_bytes) +
                                               " bytes of payload; calls have none");
    }

    void serve(std::unique_ptr<Exchange> exchange, const std::shared_ptr<ReplyChannel>& channel) override {
        if (const auto found = calls_.find(exchange->request.method); found != calls_.end()) {
            found->second(std::move(exchange), channel);
            return;
        }
        exchange->status = Errc::unknown_method;
        exchange->reply = "this server has no method " + std::to_string(exchange->request.method);
        channel->send(std::move(exchange));
    }

  private:
    using Channel = std::shared_ptr<ReplyChannel>;
    using Call = std::function<void(std::unique_ptr<Exchange>, const Channel&)>;

    void add(std::uint32_t method, Call call) {
        [[maybe_unused]] const auto added = calls_.emplace(method, std::move(call)).second;
        assert(added && "two handlers for one method");
    }

    static Error malformed() { return {Errc::protocol_error, "the call's message could not be decoded"}; }

    /// Of a handler that was cancelled for its caller's time: the caller did not cancel, and may hear of it before its own
    /// clock says the same.
    static Error too_late() { return {Errc::timed_out, "the server had no answer yet when the call's time was over"}; }

    template <class Reply>
    static void finish(Exchange& exchange, const Result<Reply>& result) {
        if (result) {
            encode(*result, exchange.reply);
        } else {
            exchange.status = result.error().code();
            exchange.reply = result.error().context();
        }
    }
    static void finish(Exchange& exchange, const Error& error) {
        exchange.status = error.code();
        exchange.reply = error.context();
    }

    static Error thrown(std::string_view what) {
        return {Errc::system, "the call's handler threw an exception: " + std::string(what)};
    }
    template <RpcRequest R, class F>
    static Result<typename R::Reply> guard(const F& handler) {
        try {
            return handler();
        } catch (const std::exception& exception) {
            return thrown(exception.what());
        } catch (...) {
            return thrown("of unknown type");
        }
    }

    /// A call that waits, and what ends its waiting.
    template <class Reply>
    struct Waiting {
        core::detail::Child<Reply> child;
        Event over;
    };

    template <RpcRequest R>
    static Task<void> answer(Task<typename R::Reply> task, std::unique_ptr<Exchange> exchange, Channel channel) {
        const auto executor = co_await asio::this_coro::executor;
        const auto waiting = std::make_shared<Waiting<typename R::Reply>>();
        waiting->child.start(executor, std::move(task), [waiting] { waiting->over.set(); });
        channel->on_cancel(*exchange, [weak = std::weak_ptr(waiting)] {
            if (const auto found = weak.lock()) found->child.cancel();
        });
        const auto wake = co_await waiting->over.wait(exchange->deadline);
        if (wake != Wake::set) {
            waiting->child.cancel();
            co_await waiting->over.wait(Deadline::never(), Interrupt::no);
        }
        const auto& failure = waiting->child.thrown;
        if (failure)
            finish(*exchange, guard<R>([&]() -> Result<typename R::Reply> { std::rethrow_exception(failure); }));
        else if (wake == Wake::timed_out && waiting->child.result.error() == Errc::cancelled)
            finish(*exchange, too_late());
        else finish(*exchange, waiting->child.result);
        channel->send(std::move(exchange));
        co_return ok;
    }

    std::unordered_map<std::uint32_t, Call> calls_;
};

} // namespace mooncake
