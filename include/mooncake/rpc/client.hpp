#pragma once

#include <mooncake/net/lane_slot.hpp>
#include <mooncake/net/plain_tcp.hpp>
#include <mooncake/rpc/client_config.hpp>
#include <mooncake/rpc/concept.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

namespace mooncake {

/// Calls to one server over one connection, as many at a time as one likes. It connects at the first call, and again
/// after a loss. A call that was on its way when the connection broke fails: only the caller knows if it may be repeated.
///
/// Thread: `call` from any executor. Close it before it dies.
template <StreamPolicy P = PlainTcp>
class RpcClient {
  public:
    RpcClient(Executor executor, RpcClientConfig config, P policy = {})
        : server_(config.server), slot_(std::move(executor), lane_config(config), config.backoff, std::move(policy)) {}

    /// Errors: what the server's handler answered, with its sentence; `unreachable`, `connection_lost`, `timed_out`,
    /// `cancelled`, `closed`, `unknown_method`, `version_mismatch`, `protocol_error`.
    /// Cancellation: partial; the server may have done it all the same.
    /// Lifetime: `request` is not looked at after the call has returned its task.
    template <RpcRequest R>
    Task<typename R::Reply> call(const R& request, Deadline deadline = Deadline::usual()) {
        auto message = std::string();
        encode(request, message);
        return exchange<typename R::Reply>(R::method, std::move(message), deadline);
    }

    [[nodiscard]] const Endpoint& server() const noexcept { return server_; }

    /// Ends what is outstanding with `closed`. Idempotent.
    asio::awaitable<void> close() { return slot_.close(); }

  private:
    template <class Reply>
    Task<Reply> exchange(std::uint32_t method, std::string message, Deadline deadline) {
        auto lane = slot_.lane(deadline);
        if (!lane) co_return lane.error();
        auto operation = LaneOperation();
        operation.method = method;
        operation.meta = std::move(message);
        co_await (*lane)->execute(operation, deadline);
        if (!(operation.error == Errc::ok)) co_return std::move(operation.error);
        if (operation.status != 0) co_return Error(errc_from_wire(operation.status), std::move(operation.reply));
        auto reply = decode<Reply>(operation.reply);
        if (!reply) co_return Error(Errc::protocol_error, to_string(server_) + ": the reply could not be decoded");
        co_return std::move(*reply);
    }

    static LaneConfig lane_config(const RpcClientConfig& config) {
        return {.peer = config.server,
                .hello = {.service = "rpc"},
                .connect_within = config.connect_within,
                .check_frames = config.check_frames,
                .limits = config.limits};
    }

    const Endpoint server_;
    LaneSlot<P> slot_;
};

} // namespace mooncake
