#pragma once

#include <mooncake/metadata/record.hpp>
#include <mooncake/transport/slice.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace mooncake {

namespace engine::detail {

template <class Transports>
struct SegmentState;

} // namespace engine::detail

/// A peer's segment, opened. Cheap to copy; keeps nothing alive but itself. One that was made empty answers only whether it
/// is: the rest requires that it was opened.
template <class Transports>
class BasicSegment {
  public:
    BasicSegment() = default;
    explicit BasicSegment(std::shared_ptr<engine::detail::SegmentState<Transports>> state) noexcept
        : state_(std::move(state)) {}

    [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }
    [[nodiscard]] const SegmentRecord& record() const noexcept;
    [[nodiscard]] std::uint64_t generation() const noexcept { return record().generation; }

    /// The key that the record shows for these bytes, 0 when it shows none. For reading it is the one for both, if that is
    /// shown: whoever holds it may map the memory where one who may only read cannot be kept from writing.
    [[nodiscard]] std::uint64_t key_for(std::uint64_t offset, Direction direction) const noexcept;

    friend bool operator==(const BasicSegment&, const BasicSegment&) = default;

    /// For the engine.
    [[nodiscard]] const std::shared_ptr<engine::detail::SegmentState<Transports>>& state() const noexcept {
        return state_;
    }

  private:
    std::shared_ptr<engine::detail::SegmentState<Transports>> state_;
};

} // namespace mooncake
