#pragma once

#include <mooncake/core/clock.hpp>
#include <mooncake/core/small_vector.hpp>
#include <mooncake/store/allocator/concept.hpp>
#include <mooncake/store/eviction/concept.hpp>
#include <mooncake/store/master/held_space.hpp>
#include <mooncake/store/messages.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <string_view>

namespace mooncake::store::detail {

/// A mounted segment, as extents see it. Lives as long as any extent in it.
struct Segment {
    SegmentInfo info;
    std::uint64_t read_key = 0;
    std::uint64_t write_key = 0;
    Fencing fencing = Fencing::by_time;
    std::atomic<bool> alive{true}; ///< written under the domain's lock; never true again
};

/// Allocated bytes of a segment.
struct Extent {
    Segment* segment = nullptr;
    Allocation at;
    std::uint64_t epoch = 0;
    bool bad = false; ///< a reader found other bytes in it than were written, or it is to go: it counts for nothing

    /// Whether it may be read.
    [[nodiscard]] bool usable() const noexcept { return !bad && segment->alive.load(std::memory_order_acquire); }
};
/// What is allocated for an object of `size` bytes: an empty one has a place as well.
[[nodiscard]] inline std::uint64_t extent_bytes(std::uint64_t size) noexcept {
    return std::max<std::uint64_t>(1, size);
}

/// A master's own number for a tenant; 0: no tenant. Another may have it once that one has nothing left.
using TenantNumber = std::uint16_t;

/// Of the replicas of an object.
using Extents = SmallVector<Extent, 1>;

enum class ObjectState : std::uint8_t { writing, committed };

/// An object's metadata. In its shard's map until it is erased; deleted under the domain's lock when no lease is left. There are
/// millions of them: the key lies behind it, in the same memory, where a look-up has it at once.
/// `new (key) Object{.key_bytes = bytes_of(key), …}` is how one is made.
///
/// | member | written under | read under |
/// |---|---|---|
/// | constants | – | any lock, or while leased |
/// | `state` | its shard's lock | either lock |
/// | `checksums` | its shard's lock | its shard's lock |
/// | `extents`, `successor` | both locks | either lock |
/// | `wanted`, `pin` | the domain's | the domain's |
/// | `unsettled` | its shard's lock, or the domain's once it is in none | the domain's, once it is in none |
/// | `leases` | up: its shard's lock, while in the map; down: none | either lock |
struct alignas(16) Object {
    static constexpr Slot no_slot = std::numeric_limits<Slot>::max();
    /// In `leases`, so that whoever gives up the last one learns of it: it may be evicted from now on.
    static constexpr std::uint32_t passed_over = std::uint32_t{1} << 31;

    const std::uint64_t hash;
    const std::uint32_t key_bytes;
    std::uint16_t wanted = 1; ///< how many replicas there ought to be

    // 32 bytes that whoever leases it and gives it back looks at: mostly on one line of a cache.
    const std::uint64_t size;
    const std::uint64_t version;
    Slot slot = no_slot;                  ///< constant from before it is in its shard
    std::atomic<std::uint32_t> leases{0}; ///< how many, and whether an eviction has passed it over: see `passed_over`
    const TenantNumber tenant = 0;        ///< whose it is: it is in that one's order, and counts as its
    const std::uint16_t placed = 1;       ///< how many extents were allocated
    std::atomic<ObjectState> state{ObjectState::writing};
    Pin pin;
    bool unsettled = false;      ///< whoever wrote it may still be writing
    const bool compares = false; ///< takes the place of its predecessor, or none: see `WriteMode::compare`

    Object* successor = nullptr; ///< is being written, to take its place
    const TimePoint write_deadline;
    Extents extents{};
    Checksums checksums{};

    [[nodiscard]] static std::uint32_t bytes_of(std::string_view key) noexcept {
        return static_cast<std::uint32_t>(key.size());
    }
    static void* operator new(std::size_t size, std::string_view key) {
        auto* const memory = static_cast<char*>(::operator new(size + key.size()));
        std::copy(key.begin(), key.end(), memory + size);
        return memory;
    }
    static void operator delete(void* memory) noexcept { ::operator delete(memory); }
    static void operator delete(void* memory, std::string_view) noexcept { ::operator delete(memory); }

    [[nodiscard]] std::string_view key() const noexcept { return {reinterpret_cast<const char*>(this + 1), key_bytes}; }
    [[nodiscard]] bool committed() const noexcept {
        return state.load(std::memory_order_acquire) == ObjectState::committed;
    }
    [[nodiscard]] bool leased() const noexcept { return (leases.load(std::memory_order_acquire) & ~passed_over) != 0; }
    /// What was allocated for it at first; extents that are gone by now are in it.
    [[nodiscard]] HeldSpace held_space() const noexcept {
        return {.bytes = extent_bytes(size) * placed, .extents = placed};
    }
    /// What it has beyond that. Requires: the lock of one who reads `extents`.
    [[nodiscard]] HeldSpace added_space() const noexcept {
        const auto added = extents.size() > placed ? extents.size() - placed : 0;
        return {.bytes = extent_bytes(size) * added, .extents = added};
    }
    /// What is allocated for it now. Requires: the lock of one who reads `extents`.
    [[nodiscard]] std::uint64_t bytes_now() const noexcept { return extent_bytes(size) * extents.size(); }
    /// Whether a replica is left.
    [[nodiscard]] bool usable() const noexcept {
        for (const auto& extent : extents)
            if (extent.usable()) return true;
        return false;
    }
    [[nodiscard]] bool evictable() const noexcept { return committed() && !leased(); }
    /// `free(extent)` for each for which `goes`; they are its no more. Whether there were any.
    template <class Goes, class Free>
    bool drop_extents(const Goes& goes, const Free& free) {
        const auto gone = std::partition(extents.begin(), extents.end(), [&](const Extent& e) { return !goes(e); });
        if (gone == extents.end()) return false;
        std::for_each(gone, extents.end(), free);
        extents.resize(static_cast<std::size_t>(gone - extents.begin()));
        return true;
    }
    /// Whether it may be read.
    [[nodiscard]] bool visible() const noexcept { return committed() && usable(); }
};

static_assert(alignof(Object) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__, "or `operator new` has to be told");

/// An object as it was when its shard was locked; the slot may be another's by now.
struct Touch {
    Slot slot = Object::no_slot;
    std::uint64_t version = 0;
    bool evictable = false; ///< not used: it may be evicted from now on, although a decision has passed it over
    TenantNumber tenant = 0;
};
enum class Evictable : std::uint8_t { as_before, yes };
[[nodiscard]] inline Touch touch_of(const Object& object, Evictable evictable = Evictable::as_before) noexcept {
    return {.slot = object.slot,
            .version = object.version,
            .evictable = evictable == Evictable::yes,
            .tenant = object.tenant};
}

/// How long a soft pin lasts, and when that is looked at.
struct SoftPin {
    std::uint64_t version = 0; ///< of the object that it is of
    TimePoint end{};
    TimePoint noted = TimePoint::max(); ///< when it is looked at; no later than its end
};

/// The replicas that are left, with the key for `reading` or for writing.
enum class KeyFor : std::uint8_t { reading, writing };
inline void describe_replicas(const Object& object, KeyFor right, Replicas& replicas) {
    replicas.reserve(object.extents.size());
    for (const auto& extent : object.extents) {
        const auto& segment = *extent.segment;
        if (!extent.usable()) continue;
        replicas.push_back({.segment = segment.info.segment,
                            .offset = segment.info.offset + extent.at.offset,
                            .key = right == KeyFor::reading ? segment.read_key : segment.write_key,
                            .epoch = extent.epoch});
    }
}

/// What a reader is told of it.
[[nodiscard]] inline ObjectDescriptor describe(const Object& object) {
    auto descriptor = ObjectDescriptor{
        .outcome = Errc::ok, .size = object.size, .version = object.version, .checksums = object.checksums};
    describe_replicas(object, KeyFor::reading, descriptor.replicas);
    return descriptor;
}

} // namespace mooncake::store::detail
