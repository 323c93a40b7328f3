#pragma once

#include <mooncake/net/gathering.hpp>
#include <mooncake/net/lane_operation.hpp>
#include <mooncake/net/seal.hpp>

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::net::detail {

/// Requests on their way out of a lane, by priority and deadline: pure, without I/O. One that is given up gives its memory back as soon as no
/// write points to it: if nothing of it is out yet it is forgotten; if some is, the rest is copied, so that the frame can be
/// finished without its owner, and nobody else's request suffers.
class SendQueue {
  public:
    /// Most bytes that are copied for somebody who gave up.
    static constexpr std::uint64_t most_copied = 8 * MiB;

    [[nodiscard]] bool empty() const noexcept { return queue_.empty(); }
    /// Requests are sealed from now on. Requires: none was gathered.
    void seal_all() noexcept { sealing_ = true; }

    /// What is begun, or in hand, stays first.
    void push(LaneOperation& operation) {
        const auto begun = !queue_.empty() && is_begun(queue_.front()) ? std::size_t{1} : std::size_t{0};
        const auto standing_of = [](const Entry& entry) {
            return entry.operation != nullptr ? &entry.operation->standing : nullptr;
        };
        const auto place = core::detail::place_in(queue_, std::max(in_hand_, begun), operation.standing, standing_of);
        queue_.insert(place, Entry{&operation, nullptr});
    }
    /// A frame of the lane's own.
    void push(std::string frame) {
        queue_.push_back({nullptr, std::make_unique<Rest>(Rest{std::move(frame), 0, false})});
    }
    /// As `push`, of a frame whose going out is waited for; see `question_sent`.
    void push_question(std::string frame) {
        queue_.push_back({nullptr, std::make_unique<Rest>(Rest{std::move(frame), 0, true})});
        question_sent_ = false;
    }
    [[nodiscard]] bool question_sent() const noexcept { return question_sent_; }

    /// What to write next. It stays in hand until `advance`.
    std::size_t gather(std::array<asio::const_buffer, most_buffers>& out, TimePoint now) {
        auto all = Gathering(out, staging_, queue_.size() == 1);
        in_hand_ = 0;
        for (auto& entry : queue_) {
            if (all.full()) break;
            ++in_hand_;
            if (entry.rest) {
                all.add(bytes_of(entry.rest->bytes).subspan(entry.rest->sent));
                continue;
            }
            auto& operation = *entry.operation;
            if (!std::exchange(operation.maybe_sent, true)) {
                operation.left_at = now;
                if (sealing_) seal(operation.header, operation.meta, operation.payload_digest);
            }
            const auto [header, meta] = head(operation);
            all.add(header);
            all.add(meta);
            all.add(operation.unsent);
        }
        return all.count();
    }

    /// The write is over, and `sent` bytes of what was gathered are out. Calls `out(operation)` for those that are out as a
    /// whole, and `released(operation)` for those that were given up meanwhile. False: a frame was given up that can neither
    /// be finished nor forgotten, and the connection is of no more use.
    template <class Out, class Released>
    [[nodiscard]] bool advance(std::size_t sent, const Out& out, const Released& released) {
        in_hand_ = 0;
        while (!queue_.empty()) {
            auto& entry = queue_.front();
            if (entry.rest) {
                const auto part = std::min(sent, entry.rest->bytes.size() - entry.rest->sent);
                entry.rest->sent += part;
                sent -= part;
                if (entry.rest->sent < entry.rest->bytes.size()) break;
                question_sent_ |= entry.rest->question;
                queue_.pop_front();
                continue;
            }
            auto& operation = *entry.operation;
            const auto part =
                std::min<std::uint64_t>(sent, FrameHeader::size + operation.meta.size() - operation.head_sent);
            operation.head_sent += part;
            sent = operation.unsent.advance(sent - part);
            if (!all_sent(operation)) break;
            queue_.pop_front();
            if (operation.given_up) released(operation);
            else out(operation);
        }
        auto usable = true;
        auto given_up = std::vector<LaneOperation*>(); // told when the queue is in order again: they may push
        for (auto& entry : queue_) {
            if (entry.operation == nullptr || !entry.operation->given_up) continue;
            given_up.push_back(entry.operation);
            if (entry.operation->head_sent != 0) usable &= copy_rest(entry);
            else entry.operation = nullptr, given_up.back()->maybe_sent = false;
        }
        std::erase_if(queue_, [](const Entry& entry) { return entry.operation == nullptr && !entry.rest; });
        for (auto* const operation : given_up) released(*operation);
        return usable;
    }

    enum class Drop : std::uint8_t {
        released, ///< nothing points to it any more
        in_hand,  ///< a write does: end the write, and `advance` releases it
        stuck,    ///< half sent, and too large to be copied
    };
    /// Requires: `operation` is in here.
    [[nodiscard]] Drop drop(LaneOperation& operation) {
        const auto at = std::find_if(queue_.begin(), queue_.end(),
                                     [&](const Entry& entry) { return entry.operation == &operation; });
        if (static_cast<std::size_t>(at - queue_.begin()) < in_hand_) return Drop::in_hand;
        if (operation.head_sent == 0) {
            queue_.erase(at);
            return Drop::released;
        }
        return copy_rest(*at) ? Drop::released : Drop::stuck;
    }

    void clear() noexcept { queue_.clear(); }
    /// Whether the write in progress points to it.
    [[nodiscard]] bool in_hand(const LaneOperation& operation) const noexcept {
        const auto is = [&](const Entry& entry) { return entry.operation == &operation; };
        const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(std::min(in_hand_, queue_.size()));
        return std::any_of(queue_.begin(), end, is);
    }

    [[nodiscard]] static bool all_sent(const LaneOperation& operation) noexcept {
        return operation.head_sent == FrameHeader::size + operation.meta.size() && operation.unsent.done();
    }

  private:
    /// Bytes that belong to the lane.
    struct Rest {
        std::string bytes;
        std::size_t sent;
        bool question;
    };
    struct Entry {
        LaneOperation* operation; ///< or
        std::unique_ptr<Rest> rest;
    };

    static bool is_begun(const Entry& entry) noexcept {
        return entry.rest ? entry.rest->sent != 0 : entry.operation->head_sent != 0;
    }

    /// What is left of header and message.
    static std::pair<ConstBytes, ConstBytes> head(const LaneOperation& operation) noexcept {
        const auto header_sent = std::min<std::uint64_t>(operation.head_sent, FrameHeader::size);
        return {ConstBytes(operation.header).subspan(header_sent),
                bytes_of(operation.meta).subspan(operation.head_sent - header_sent)};
    }

    static bool copy_rest(Entry& entry) {
        const auto& operation = *entry.operation;
        const auto [header, meta] = head(operation);
        const auto bytes = header.size() + meta.size() + operation.unsent.left();
        const auto fits = bytes <= most_copied;
        auto rest = std::make_unique<Rest>(Rest{{}, 0, false});
        if (fits) {
            rest->bytes.reserve(bytes);
            rest->bytes.append(text_of(header)).append(text_of(meta));
            operation.unsent.for_each([&](ConstBytes piece) { rest->bytes.append(text_of(piece)); });
        }
        entry.operation = nullptr;
        entry.rest = std::move(rest);
        return fits;
    }

    std::deque<Entry> queue_;
    StagingRoom staging_;
    bool question_sent_ = false, sealing_ = false;
    std::size_t in_hand_ = 0; ///< how many at the front the write in progress points to
};

} // namespace mooncake::net::detail
