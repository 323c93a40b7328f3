#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/net/frame.hpp>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mooncake {

class TaskScope;

/// One request at its server, from its first byte to the last of its reply.
struct Exchange {
    FrameHeader request;
    Deadline deadline; ///< when the requester stops waiting
    std::string message;
    std::shared_ptr<const void> share; ///< of the memory for messages
    std::vector<MutableBytes> sinks;   ///< where the request's payload goes; `accept` fills it in

    Errc status = Errc::ok;
    std::string reply;
    std::vector<ConstBytes> payload;               ///< what is sent behind the reply
    std::vector<std::shared_ptr<const void>> keep; ///< holds the memory that `sinks` and `payload` name

    std::array<std::byte, FrameHeader::size> reply_header; ///< the connection's own
};

/// The way back to the peer. May be kept beyond `serve`; what is sent to a connection that is gone is dropped.
class ReplyChannel {
  public:
    virtual ~ReplyChannel() = default;
    /// Thread: the connection's executor.
    virtual void send(std::unique_ptr<Exchange> exchange) = 0;
    /// Calls `stop` when the requester of `exchange` says that it waits no longer, unless the reply was sent by then.
    /// Thread: as `send`.
    virtual void on_cancel(const Exchange& exchange, std::function<void()> stop) = 0;
    /// For replies that have to wait: coroutines in it are cancelled when the connection ends.
    [[nodiscard]] virtual TaskScope& scope() noexcept = 0;
};

/// What a server does with frames. One object serves all connections. Thread: called from any of the runtime's, at once.
class FrameService {
  public:
    virtual ~FrameService() = default;

    /// What clients must name in their hello.
    [[nodiscard]] virtual std::string_view name() const noexcept = 0;
    /// Of the segment that is served; 0 when there is none.
    [[nodiscard]] virtual std::uint64_t generation() const noexcept { return 0; }

    /// The message is there and the payload is about to come: says where it goes, in spans that add up to it.
    /// An error is a breach of the protocol and ends the connection; what is merely refused goes to scratch memory.
    virtual Result<void> accept(Exchange& exchange) = 0;

    /// The payload is there too: does it, and sends the exchange back, now or later.
    virtual void serve(std::unique_ptr<Exchange> exchange, const std::shared_ptr<ReplyChannel>& channel) = 0;
};

} // namespace mooncake
