#pragma once

#include <mooncake/core/bytes.hpp>

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

namespace mooncake::net::detail {

/// Most buffers one system call gets: what Asio hands on.
inline constexpr std::size_t most_buffers = 64;

/// A place in a list of spans: how far a payload has come. `Byte` is `std::byte` where it goes to, `const std::byte`
/// where it comes from.
template <class Byte>
class SpanCursor {
  public:
    SpanCursor() = default;
    explicit SpanCursor(std::span<const std::span<Byte>> spans) noexcept : spans_(spans) { skip_empty(); }

    [[nodiscard]] bool done() const noexcept { return spans_.empty(); }

    /// Spans from here to the end, empty ones among them.
    [[nodiscard]] std::size_t spans() const noexcept { return spans_.size(); }

    /// Bytes from here to the end.
    [[nodiscard]] std::uint64_t left() const noexcept {
        auto sum = std::uint64_t{0};
        for (const auto& span : spans_) sum += span.size();
        return sum - offset_;
    }

    /// Appends what is left to `out`, as far as there is room.
    template <class Buffer, std::size_t N>
    std::size_t gather(std::array<Buffer, N>& out, std::size_t count, std::size_t room) const noexcept {
        auto first = true;
        for (const auto& span : spans_) {
            if (count == room) break;
            const auto rest = first ? span.subspan(offset_) : span;
            first = false;
            if (!rest.empty()) out[count++] = Buffer(rest.data(), rest.size());
        }
        return count;
    }

    /// Calls `visit(span)` for what is left of each span.
    template <class Visit>
    void for_each(const Visit& visit) const {
        auto first = true;
        for (const auto& span : spans_) visit(std::exchange(first, false) ? span.subspan(offset_) : span);
    }

    /// Moves on by up to `bytes` and gives what was beyond the end.
    std::size_t advance(std::size_t bytes) noexcept {
        while (!spans_.empty() && bytes >= spans_.front().size() - offset_) {
            bytes -= spans_.front().size() - offset_;
            spans_ = spans_.subspan(1);
            offset_ = 0;
        }
        if (spans_.empty()) return bytes;
        offset_ += bytes;
        return 0;
    }

    /// Copies from `bytes` into the spans and gives how many fitted.
    std::size_t fill_from(ConstBytes bytes) noexcept
        requires(!std::is_const_v<Byte>)
    {
        auto copied = std::size_t{0};
        while (!spans_.empty() && copied < bytes.size()) {
            const auto room = spans_.front().subspan(offset_);
            const auto length = std::min(room.size(), bytes.size() - copied);
            std::memcpy(room.data(), bytes.data() + copied, length);
            copied += length;
            advance(length);
        }
        return copied;
    }

  private:
    void skip_empty() noexcept {
        while (!spans_.empty() && spans_.front().empty()) spans_ = spans_.subspan(1);
    }

    std::span<const std::span<Byte>> spans_;
    std::size_t offset_ = 0;
};

/// Sum of the lengths, which are of memory and cannot overflow.
template <class Byte>
[[nodiscard]] std::uint64_t total_bytes(std::span<const std::span<Byte>> spans) noexcept {
    auto sum = std::uint64_t{0};
    for (const auto& span : spans) sum += span.size();
    return sum;
}

} // namespace mooncake::net::detail
