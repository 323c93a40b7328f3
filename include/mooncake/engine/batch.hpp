#pragma once

#include <mooncake/core/task.hpp>
#include <mooncake/engine/report.hpp>

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace mooncake {

/// Requests that are submitted together. A request is one span of a segment and one or several spans of local memory that
/// add up to it (scatter and gather: the pages of a paged KV cache). Nothing happens before `submit`.
/// Lifetime: the local memory outlives `submit`; the engine outlives the batch.
template <class Engine>
class Batch {
  public:
    using Segment = typename Engine::Segment;

    struct Request {
        Direction direction = Direction::read;
        Segment segment;
        std::uint64_t offset = 0;   ///< in the segment
        std::uint64_t key = 0;      ///< access key; 0: the one that the segment's record shows
        std::uint64_t epoch = 0;    ///< of the allocation that is written to; 0: none
        std::size_t first_span = 0; ///< of `spans`
        std::size_t span_count = 0;
        std::uint64_t bytes = 0;
    };

    explicit Batch(Engine& engine) noexcept : engine_(&engine) {}

    void reserve(std::size_t requests) {
        requests_.reserve(requests);
        spans_.reserve(requests);
    }

    void read(MutableBytes local, const Segment& segment, std::uint64_t offset, std::uint64_t key = 0) {
        add(Direction::read, std::span<const MutableBytes>(&local, 1), segment, offset, key);
    }
    void read(std::span<const MutableBytes> locals, const Segment& segment, std::uint64_t offset,
              std::uint64_t key = 0) {
        add(Direction::read, locals, segment, offset, key);
    }
    /// `epoch`: where the space belongs to one writer at a time, the number of this turn; a write that comes after the fence
    /// was raised to it is refused with `stale_epoch`.
    void write(ConstBytes local, const Segment& segment, std::uint64_t offset, std::uint64_t key = 0,
               std::uint64_t epoch = 0) {
        write(std::span<const ConstBytes>(&local, 1), segment, offset, key, epoch);
    }
    void write(std::span<const ConstBytes> locals, const Segment& segment, std::uint64_t offset, std::uint64_t key = 0,
               std::uint64_t epoch = 0) {
        add(Direction::write, locals, segment, offset, key);
        requests_.back().epoch = epoch;
    }

    [[nodiscard]] std::size_t size() const noexcept { return requests_.size(); }
    [[nodiscard]] const std::vector<Request>& requests() const noexcept { return requests_; }
    [[nodiscard]] std::span<const MutableBytes> spans(const Request& request) const noexcept {
        return std::span(spans_).subspan(request.first_span, request.span_count);
    }

    /// Moves everything; requests may overtake each other. See `TransferEngine::submit`.
    /// Lifetime: the batch outlives the task.
    Task<BatchReport> submit(TransferOptions options = {}) & { return engine_->submit(*this, options); }
    Task<BatchReport> submit(TransferOptions options = {}) && = delete; // it would be gone before the task begins

  private:
    /// Slices have one pointer for both ways; a write only reads from it.
    static MutableBytes without_const(ConstBytes bytes) noexcept {
        return {const_cast<std::byte*>(bytes.data()), bytes.size()};
    }

    template <class Bytes>
    void add(Direction direction, std::span<const Bytes> locals, const Segment& segment, std::uint64_t offset,
             std::uint64_t key) {
        auto request = Request{.direction = direction,
                               .segment = segment,
                               .offset = offset,
                               .key = key,
                               .first_span = spans_.size(),
                               .span_count = locals.size()};
        for (const auto local : locals) {
            request.bytes += local.size();
            spans_.push_back(without_const(local));
        }
        requests_.push_back(std::move(request));
    }

    Engine* engine_;
    std::vector<Request> requests_;
    std::vector<MutableBytes> spans_;
};

} // namespace mooncake
