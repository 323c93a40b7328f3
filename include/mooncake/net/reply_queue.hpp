#pragma once

#include <mooncake/core/priority.hpp>
#include <mooncake/core/task_fwd.hpp>
#include <mooncake/net/gathering.hpp>
#include <mooncake/net/scatter.hpp>
#include <mooncake/net/service.hpp>

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

namespace mooncake::net::detail {

/// Replies on their way out of a connection, by priority and deadline of their requests: pure, without I/O.
class ReplyQueue {
  public:
    [[nodiscard]] bool empty() const noexcept { return replies_.empty(); }
    /// That are not out yet.
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

    /// What is begun, or in hand, stays first. Requires: its `reply_header` says how long it is.
    void push(std::unique_ptr<Exchange> exchange, TimePoint now) {
        const auto& request = exchange->request;
        auto reply = Reply{.exchange = nullptr,
                           .payload = SpanCursor<const std::byte>(exchange->payload),
                           .standing = {request.priority, exchange->deadline, now}};
        reply.exchange = std::move(exchange);
        bytes_ += head_bytes(reply) + reply.payload.left();
        const auto begun = !replies_.empty() && replies_.front().head_sent != 0 ? std::size_t{1} : std::size_t{0};
        const auto standing_of = [](const Reply& waiting) { return &waiting.standing; };
        const auto place = core::detail::place_in(replies_, std::max(in_hand_, begun), reply.standing, standing_of);
        replies_.insert(place, std::move(reply));
    }

    /// What to write next. It stays in hand until `advance`.
    std::size_t gather(std::array<asio::const_buffer, most_buffers>& buffers) {
        auto all = Gathering(buffers, staging_, replies_.size() == 1);
        in_hand_ = 0;
        for (const auto& reply : replies_) {
            if (all.full()) break;
            ++in_hand_;
            const auto& message = reply.exchange->reply;
            const auto header_sent = std::min<std::uint64_t>(reply.head_sent, FrameHeader::size);
            const auto message_sent = reply.head_sent - header_sent;
            all.add(ConstBytes(reply.exchange->reply_header).subspan(header_sent));
            all.add(bytes_of(message).subspan(message_sent));
            all.add(reply.payload);
        }
        return all.count();
    }

    /// The write is over, and `sent` bytes of that are out.
    void advance(std::size_t sent) {
        in_hand_ = 0;
        bytes_ -= sent;
        while (!replies_.empty()) {
            auto& reply = replies_.front();
            const auto head = std::min<std::uint64_t>(sent, head_bytes(reply) - reply.head_sent);
            reply.head_sent += head;
            sent = reply.payload.advance(sent - head);
            if (reply.head_sent < head_bytes(reply) || !reply.payload.done()) break;
            replies_.pop_front();
        }
    }

    void clear() noexcept { replies_.clear(); }

  private:
    /// A write points into the exchange, and not to this, which moves when one is overtaken.
    struct Reply {
        std::unique_ptr<Exchange> exchange;
        SpanCursor<const std::byte> payload;
        core::detail::Standing standing;
        std::uint64_t head_sent = 0; ///< of header and message
    };

    static std::uint64_t head_bytes(const Reply& reply) noexcept {
        return FrameHeader::size + reply.exchange->reply.size();
    }

    std::deque<Reply> replies_;
    StagingRoom staging_;
    std::size_t in_hand_ = 0; ///< how many at the front the write in progress points to
    std::uint64_t bytes_ = 0;
};

} // namespace mooncake::net::detail
