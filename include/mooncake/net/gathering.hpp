#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/task_fwd.hpp>
#include <mooncake/net/scatter.hpp>

#include <boost/asio/buffer.hpp>

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>

namespace mooncake::net::detail {

/// Room in which small pieces that are sent one after another are put together: a system call takes 64 buffers, and small frames
/// are two each. It belongs to a queue, and keeps its bytes until the next gathering.
struct StagingRoom {
    static constexpr std::size_t size = 16 * KiB;
    std::unique_ptr<std::byte[]> bytes; ///< none until it is used
};

/// What one write gets, in order: small pieces copied, large ones where they lie.
class Gathering {
  public:
    using Buffers = std::array<asio::const_buffer, most_buffers>;

    /// `alone`: nothing is worth a copy. Lifetime: both outlive it, and `room` outlives the write.
    Gathering(Buffers& out, StagingRoom& room, bool alone) : out_(out), room_(room), alone_(alone) {}

    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    /// Whether there is no room for another frame's header, message and beginning of payload.
    [[nodiscard]] bool full() const noexcept { return count_ + 3 > out_.size(); }

    void add(ConstBytes piece) {
        if (piece.empty()) return;
        if (!alone_ && piece.size() <= small && piece.size() <= StagingRoom::size - staged_) return stage(piece);
        out_[count_++] = {piece.data(), piece.size()};
        open_ = false;
    }
    void add(const SpanCursor<const std::byte>& payload) {
        const auto before = count_;
        count_ = payload.gather(out_, count_, out_.size());
        open_ &= count_ == before;
    }

  private:
    static constexpr std::size_t small = 512;

    void stage(ConstBytes piece) {
        if (!room_.bytes) room_.bytes.reset(new std::byte[StagingRoom::size]);
        auto* const at = room_.bytes.get() + staged_;
        std::memcpy(at, piece.data(), piece.size());
        staged_ += piece.size();
        if (open_) out_[count_ - 1] = {out_[count_ - 1].data(), out_[count_ - 1].size() + piece.size()};
        else out_[count_++] = {at, piece.size()};
        open_ = true;
    }

    Buffers& out_;
    StagingRoom& room_;
    const bool alone_;
    std::size_t count_ = 0, staged_ = 0;
    bool open_ = false; ///< the last buffer is of the room, and ends where the next piece begins
};

} // namespace mooncake::net::detail
