#pragma once

#include <mooncake/core/hash.hpp>
#include <mooncake/net/frame.hpp>
#include <mooncake/net/scatter.hpp>
#include <mooncake/net/stream.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>

namespace mooncake::net::detail {

/// Takes frames off a stream through one buffer: small ones cost a fraction of a system call each, and the bytes of large
/// ones go straight to where they belong, with the beginning of the next frame in the same call.
/// Every function gives Asio's error; `operation_aborted` after a `cancel` of the stream leaves the reader where it was.
template <AsyncStream S>
class FrameReader {
  public:
    explicit FrameReader(S& stream) : stream_(stream), buffer_(new std::byte[least_capacity]) {}

    /// Until a frame has begun.
    asio::awaitable<boost::system::error_code> wait() {
        if (begin_ != end_) co_return boost::system::error_code();
        co_return co_await fill();
    }

    /// How many bytes have come that nobody has taken: so many can be read without waiting.
    [[nodiscard]] std::size_t buffered() const noexcept { return end_ - begin_; }

    /// The next frame's first 32 bytes; `asio::error::eof` between frames is an orderly end.
    asio::awaitable<boost::system::error_code> read_header(std::span<std::byte, FrameHeader::size> out) {
        while (buffered() < FrameHeader::size) {
            if (const auto error = co_await fill(); error) co_return error;
        }
        std::memcpy(out.data(), buffer_.get() + begin_, FrameHeader::size);
        begin_ += FrameHeader::size;
        co_return boost::system::error_code();
    }

    /// The same without waiting, and it stays there: whether it has come.
    [[nodiscard]] bool peek_header(std::span<std::byte, FrameHeader::size> out) const noexcept {
        if (buffered() < FrameHeader::size) return false;
        std::memcpy(out.data(), buffer_.get() + begin_, FrameHeader::size);
        return true;
    }
    /// Whether all of the frame has come that begins with `header`.
    [[nodiscard]] bool has_whole(const FrameHeader& header) const noexcept {
        return buffered() - FrameHeader::size >= header.meta_bytes &&
               buffered() - FrameHeader::size - header.meta_bytes >= header.payload_bytes;
    }
    /// Requires: `has_whole` of the header that is next.
    void take_head(const FrameHeader& header, std::string& meta) {
        begin_ += FrameHeader::size;
        meta.assign(reinterpret_cast<const char*>(buffer_.get() + begin_), header.meta_bytes);
        begin_ += header.meta_bytes;
    }
    void take_payload(std::span<const MutableBytes> sinks, std::uint64_t bytes) noexcept {
        auto cursor = SpanCursor<std::byte>(sinks);
        (void)cursor.fill_from({buffer_.get() + begin_, bytes});
        begin_ += bytes;
    }

    /// `bytes` bytes of message, which `FrameLimits` has allowed. `out` grows as they come, not before.
    asio::awaitable<boost::system::error_code> read_meta(std::string& out, std::uint32_t bytes) {
        out.clear();
        while (out.size() < bytes) {
            const auto length = std::min<std::size_t>(bytes - out.size(), end_ - begin_);
            out.append(reinterpret_cast<const char*>(buffer_.get() + begin_), length);
            begin_ += length;
            if (out.size() == bytes) break;
            if (const auto error = co_await fill(); error) co_return error;
        }
        co_return boost::system::error_code();
    }

    /// Bulk data into `cursor`'s spans, which lie wherever the caller wants them, and by `hasher`, if there is one, while they
    /// are near. Ends early, without an error, once `wanted()` is false: no byte is written through the cursor after that.
    template <class Wanted>
    asio::awaitable<boost::system::error_code> read_payload(SpanCursor<std::byte>& cursor, Wanted wanted,
                                                            core::detail::Hasher* hasher = nullptr) {
        const auto here = cursor.fill_from({buffer_.get() + begin_, end_ - begin_});
        if (hasher != nullptr) hasher->add({buffer_.get() + begin_, here});
        begin_ += here;
        while (!cursor.done() && wanted()) {
            auto buffers = std::array<asio::mutable_buffer, most_buffers>();
            // The next frame's beginning comes along only if no span of this payload is left out.
            const auto whole = cursor.spans() < most_buffers;
            auto count = cursor.gather(buffers, 0, most_buffers);
            begin_ = end_ = 0;
            if (whole) buffers[count++] = asio::buffer(buffer_.get(), capacity_);
            const auto all = std::span(buffers).first(count);
            const auto [error, read] = co_await stream_.async_read_some(all, as_result);
            received_ += read;
            if (hasher != nullptr) add_to(*hasher, all.first(whole ? count - 1 : count), read);
            end_ = cursor.advance(read);
            filled_ = end_ == capacity_;
            if (error) co_return error;
        }
        co_return boost::system::error_code();
    }

    /// Reads `bytes` bytes of payload that nobody wants any more; counts it down as they come.
    asio::awaitable<boost::system::error_code> skip(std::uint64_t& bytes) {
        while (bytes != 0) {
            if (begin_ == end_) {
                if (const auto error = co_await fill(); error) co_return error;
            }
            const auto length = std::min<std::uint64_t>(bytes, end_ - begin_);
            begin_ += length;
            bytes -= length;
        }
        co_return boost::system::error_code();
    }

    /// Bytes that have come so far, of whatever.
    [[nodiscard]] std::uint64_t received() const noexcept { return received_; }

  private:
    /// A peer that says little costs little: the buffer grows when a read has filled it.
    static constexpr std::size_t least_capacity = 2 * KiB, most_capacity = 64 * KiB;

    /// The first `bytes` of what lies in `buffers`.
    static void add_to(core::detail::Hasher& hasher, std::span<const asio::mutable_buffer> buffers, std::size_t bytes) {
        for (const auto& buffer : buffers) {
            const auto part = std::min(bytes, buffer.size());
            hasher.add({static_cast<const std::byte*>(buffer.data()), part});
            bytes -= part;
        }
    }

    void grow() {
        auto larger = std::unique_ptr<std::byte[]>(new std::byte[most_capacity]);
        std::memcpy(larger.get(), buffer_.get(), end_);
        buffer_ = std::move(larger);
        capacity_ = most_capacity;
    }

    asio::awaitable<boost::system::error_code> fill() {
        if (begin_ != 0) {
            std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
            end_ -= begin_;
            begin_ = 0;
        }
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (core::detail::stopping(cancellation)) co_return asio::error::operation_aborted;
        if (filled_ && capacity_ != most_capacity) grow();
        auto room = std::array{asio::mutable_buffer(buffer_.get() + end_, capacity_ - end_)};
        const auto [error, read] = co_await stream_.async_read_some(std::span<asio::mutable_buffer>(room), as_result);
        end_ += read;
        received_ += read;
        filled_ = end_ == capacity_;
        co_return error;
    }

    S& stream_;
    std::unique_ptr<std::byte[]> buffer_;
    std::size_t capacity_ = least_capacity;
    std::size_t begin_ = 0, end_ = 0;
    bool filled_ = false;
    std::uint64_t received_ = 0;
};

} // namespace mooncake::net::detail
