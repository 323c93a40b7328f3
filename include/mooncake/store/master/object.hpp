#pragma once

#include <mooncake/core/clock.hpp>
#include <mooncake/store/eviction/concept.hpp>
#include <mooncake/store/messages.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// A mounted segment, as extents see it. Lives as long as any extent in it.
struct Segment {
    SegmentInfo info;
    std::uint64_t read_key = 0;
    std::uint64_t write_key = 0;
    std::atomic<bool> alive{true}; ///< written under the domain's lock; never true again
};

/// Allocated bytes of a segment.
struct Extent {
    Segment* segment = nullptr;
    std::uint64_t offset = 0; ///< in the allocator's space
    std::uint64_t epoch = 0;
};

/// A vector whose first element, when it is the only one, costs no allocation.
template <class T>
class OneOrMore {
  public:
    OneOrMore() = default;
    explicit OneOrMore(std::span<const T> values) {
        if (values.size() == 1) one_ = values.front();
        else more_.assign(values.begin(), values.end());
        has_one_ = values.size() == 1;
    }
    [[nodiscard]] std::span<const T> values() const noexcept {
        return has_one_ ? std::span<const T>(&one_, 1) : std::span<const T>(more_);
    }

  private:
    T one_{};
    bool has_one_ = false;
    std::vector<T> more_;
};

enum class ObjectState : std::uint8_t { writing, committed };

/// An object's metadata. In its shard's map until it is erased; deleted under the domain's lock when no lease is left.
///
/// | member | written under | read under |
/// |---|---|---|
/// | constants | – | any lock, or while leased |
/// | `state` | its shard's lock | either lock |
/// | `checksums` | its shard's lock | its shard's lock |
/// | `extents` | both locks | either lock |
/// | `leases` | up: its shard's lock, while in the map; down: none | either lock |
struct Object {
    static constexpr Slot no_slot = std::numeric_limits<Slot>::max();

    const std::string key;
    const std::uint64_t hash;
    const std::uint64_t size;
    const std::uint64_t version;
    const std::uint64_t footprint; ///< bytes of all extents as they were allocated
    const TimePoint write_deadline;
    const Pin pin;
    Slot slot = no_slot; ///< written and read under the domain's lock, or copied under the shard's
    std::atomic<ObjectState> state{ObjectState::writing};
    std::atomic<std::uint32_t> leases{0};
    OneOrMore<Extent> extents{};
    OneOrMore<std::uint64_t> checksums{};

    [[nodiscard]] bool committed() const noexcept {
        return state.load(std::memory_order_acquire) == ObjectState::committed;
    }
    [[nodiscard]] bool leased() const noexcept { return leases.load(std::memory_order_acquire) != 0; }
    /// Whether a replica is left.
    [[nodiscard]] bool usable() const noexcept {
        for (const auto& extent : extents.values())
            if (extent.segment->alive.load(std::memory_order_acquire)) return true;
        return false;
    }
};

/// The replicas that are left, with the key for `reading` or for writing.
enum class KeyFor : std::uint8_t { reading, writing };
inline void describe_replicas(const Object& object, KeyFor right, std::vector<ReplicaDescriptor>& replicas) {
    const auto extents = object.extents.values();
    replicas.reserve(extents.size());
    for (const auto& extent : extents) {
        const auto& segment = *extent.segment;
        if (!segment.alive.load(std::memory_order_acquire)) continue;
        replicas.push_back({.segment = segment.info.segment,
                            .offset = segment.info.offset + extent.offset,
                            .key = right == KeyFor::reading ? segment.read_key : segment.write_key,
                            .epoch = extent.epoch});
    }
}

} // namespace mooncake::store::detail
