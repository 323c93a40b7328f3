#pragma once

#include <mooncake/core/clock.hpp>
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/store/allocator/concept.hpp>
#include <mooncake/store/master/failure_domains.hpp>
#include <mooncake/store/master/object.hpp>
#include <mooncake/store/master/segment_change.hpp>
#include <mooncake/store/placement/concept.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// The segments that nodes lent, an allocator for each. A segment that died keeps its place until its last extent is
/// given back, so that extents can name it by address.
/// Thread: one at a time (the domain's lock).
template <SpaceAllocator Allocator, PlacementPolicy Placement>
class SegmentTable {
  public:
    explicit SegmentTable(Placement placement) : placement_(std::move(placement)) {}

    using Ids = std::span<const std::uint32_t>;

    /// What has changed since this was asked last, in order; of very many the first.
    [[nodiscard]] std::vector<SegmentChange> take_changes() { return std::exchange(changes_, {}); }

    /// Errors: `conflict`, when a living segment has the name and is not the same.
    [[nodiscard]] Result<std::uint32_t> mount(const SegmentMount& wanted, TimePoint now) {
        if (const auto named = by_name_.find(wanted.name); named != by_name_.end()) {
            auto* const mounted = named->second;
            const auto& info = mounted->info;
            if (info.generation != wanted.generation)
                return Error(Errc::conflict, "segment " + in_quotes(info.name, 256) + " is mounted by generation " +
                                                 std::to_string(info.generation) + " at " +
                                                 in_quotes(info.endpoint, 256) + ", which is alive; generation " +
                                                 std::to_string(wanted.generation) + " at " +
                                                 in_quotes(wanted.endpoint, 256) +
                                                 " needs another name, or to wait until the first is gone");
            if (info.offset != wanted.offset || info.bytes != wanted.bytes)
                return Error(Errc::conflict, "segment " + in_quotes(info.name, 256) + " of this generation lends [" +
                                                 window(info.offset, info.bytes) + ") already; [" +
                                                 window(wanted.offset, wanted.bytes) + ") needs another name");
            beat(*mounted, now);
            return info.segment;
        }
        auto added = std::make_unique<Mounted>(wanted.bytes);
        added->info = {.segment = ++last_id_,
                       .name = wanted.name,
                       .generation = wanted.generation,
                       .endpoint = wanted.endpoint,
                       .host = wanted.host,
                       .offset = wanted.offset,
                       .bytes = wanted.bytes};
        added->read_key = wanted.read_key;
        added->write_key = wanted.write_key;
        added->fencing = wanted.fencing;
        added->rack = wanted.rack;
        added->heartbeat = now;
        added->beat = beats_.insert(beats_.end(), added.get());
        added->index = static_cast<std::uint32_t>(mounted_.size());
        const auto capacity = added->allocator.free_bytes();
        candidates_.push_back({.id = last_id_,
                               .at = {.host = hosts_.hold(wanted.host), .rack = racks_.hold(wanted.rack)},
                               .free_bytes = capacity,
                               .capacity = capacity,
                               .since = now});
        usable_.add(capacity);
        capacity_ += capacity;
        free_ += capacity;
        by_name_.emplace(wanted.name, added.get());
        by_id_.emplace(last_id_, added.get());
        note(SegmentChange::What::joined, added->info);
        mounted_.push_back(std::move(added));
        return last_id_;
    }

    /// Errors: `not_found` (mount it again), `stale_generation`.
    [[nodiscard]] Result<void> heartbeat(std::uint32_t segment, std::uint64_t generation, TimePoint now) {
        auto found = find(segment, generation);
        if (!found) return found.error();
        beat(*mounted_[*found], now);
        return ok;
    }

    /// From now on nothing is allocated in it and its extents do not count as replicas. Errors: as `heartbeat`.
    [[nodiscard]] Result<void> unmount(std::uint32_t segment, std::uint64_t generation) {
        auto found = find(segment, generation);
        if (!found) return found.error();
        note(SegmentChange::What::left, mounted_[*found]->info);
        kill(*found);
        return ok;
    }

    /// Nothing is allocated in it any more; what lies there is read, evicted and removed as before. Mounting it again as the
    /// same generation does not change that, `DrainMode::end` does. Gives how many extents it has. Errors: as `heartbeat`.
    [[nodiscard]] Result<std::uint64_t> drain(std::uint32_t segment, std::uint64_t generation,
                                              DrainMode mode = DrainMode::begin) {
        auto found = find(segment, generation);
        if (!found) return found.error();
        auto& health = candidates_[*found].health;
        if (mode == DrainMode::begin) health = SegmentHealth::draining;
        else if (health == SegmentHealth::draining) health = SegmentHealth::healthy;
        count_usable();
        return mounted_[*found]->extents;
    }

    /// Whether it is not drained. Requires: it is alive.
    [[nodiscard]] bool takes_writes(const Segment& segment) const noexcept {
        return takes_writes(candidates_[static_cast<const Mounted&>(segment).index]);
    }

    /// Those not heard of for two thirds of `ttl` are suspect until they are.
    /// Unmounts those not heard of for longer than `ttl`, and tells how many.
    std::size_t expire(TimePoint now, Duration ttl) {
        const auto before = mounted_.size();
        while (!beats_.empty() && now - beats_.front()->heartbeat > ttl) {
            note(SegmentChange::What::dropped, beats_.front()->info);
            kill(beats_.front()->index);
        }
        for (const auto* late : beats_) {
            if (now - late->heartbeat <= ttl / 3 * 2) break;
            auto& health = candidates_[late->index].health;
            if (health == SegmentHealth::healthy) health = SegmentHealth::suspect;
        }
        return before - mounted_.size();
    }

    /// Extents of `request.bytes` (at least 1) each in `request.replicas` distinct segments, appended to `extents`; or false,
    /// and nothing changed. A segment with enough bytes free in too small pieces is left out, and the choice made again.
    [[nodiscard]] bool allocate(PlacementRequest request, Extents& extents) {
        const auto before = extents.size(), complete = before + request.replicas;
        placement_.choose(candidates_, request, chosen_);
        if (chosen_.size() != request.replicas) return false;
        take_chosen(request.bytes, extents);
        return extents.size() == complete || allocate_elsewhere(request, extents, before, complete);
    }

    /// Gives back what `allocate` gave for `bytes`.
    void free(const Extent& extent, std::uint64_t bytes) {
        auto& segment = static_cast<Mounted&>(*extent.segment);
        --segment.extents;
        if (segment.alive.load(std::memory_order_relaxed)) {
            segment.allocator.free(extent.at, bytes);
            settle(segment);
        } else if (segment.extents == 0) {
            std::erase_if(dead_, [&](const auto& other) { return other.get() == &segment; });
        }
    }

    /// Whether it takes writes, and has not so many bytes free, in however many pieces. Requires: it is alive.
    [[nodiscard]] bool lacks_room(const Segment& segment, std::uint64_t bytes) const noexcept {
        const auto& candidate = candidates_[static_cast<const Mounted&>(segment).index];
        return takes_writes(candidate) && candidate.free_bytes < bytes;
    }

    [[nodiscard]] std::size_t size() const noexcept { return mounted_.size(); }
    [[nodiscard]] std::size_t dead() const noexcept { return dead_.size(); }
    [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] std::uint64_t free_bytes() const noexcept { return free_; }

    /// How many of them take writes.
    [[nodiscard]] std::size_t taking_writes() const noexcept { return usable_.count; }

    /// Who writes, in numbers. Where only the host is told, its rack is that of a segment there. Complexity: O(segments), if
    /// anything is told.
    [[nodiscard]] Location locate(const std::string& host, const std::string& rack) const {
        if (host.empty() && rack.empty()) return {};
        auto at = Location{.host = hosts_.find(host), .rack = racks_.find(rack)};
        for (std::size_t i = 0; i < candidates_.size() && rack.empty() && at.rack == 0; ++i)
            if (share_host(candidates_[i].at, at)) at.rack = candidates_[i].at.rack;
        return at;
    }

    /// Where those of `ids` are that are mounted.
    [[nodiscard]] std::vector<Location> locate(const std::vector<std::uint32_t>& ids) const {
        auto places = std::vector<Location>();
        for (const auto id : ids)
            if (const auto found = by_id_.find(id); found != by_id_.end())
                places.push_back(candidates_[found->second->index].at);
        return places;
    }

    /// How many segments, other than those `excluded`, could hold `bytes` if they were empty. Complexity: O(1), unless it depends on
    /// which.
    [[nodiscard]] std::uint32_t as_large_as(std::uint64_t bytes, Ids excluded = {}) const noexcept {
        if (bytes <= usable_.smallest && excluded.empty()) return static_cast<std::uint32_t>(usable_.count);
        return static_cast<std::uint32_t>(
            std::count_if(candidates_.begin(), candidates_.end(), [&](const auto& candidate) {
                return takes_writes(candidate) && candidate.capacity >= bytes && !named(excluded, candidate);
            }));
    }

    /// Whether `count` segments must have `bytes` in one piece beside what is in the way, however that is spread.
    [[nodiscard]] bool surely_has_room(std::uint64_t bytes, std::uint32_t count,
                                       const HeldSpace& in_the_way) const noexcept {
        if (usable_.count < count || usable_.capacity < in_the_way.bytes) return false;
        const auto elsewhere = usable_.largest * (count - 1); // at most this lies in the others that are chosen
        const auto rest = usable_.capacity - in_the_way.bytes;
        const auto pieces = usable_.count - count + 1 + in_the_way.extents; // and in no more than these lies the rest
        return rest >= elsewhere && (rest - elsewhere) / pieces >= bytes;
    }

    /// For how many of those that take writes, other than those `excluded`, `condition(segment, free bytes, capacity)`.
    template <class Condition>
    [[nodiscard]] std::uint32_t count_if(const Condition& condition, Ids excluded = {}) const {
        auto count = std::uint32_t{0};
        for (std::size_t i = 0; i < mounted_.size(); ++i)
            if (takes_writes(candidates_[i]) && !named(excluded, candidates_[i]) &&
                condition(mounted_[i].get(), candidates_[i].free_bytes, candidates_[i].capacity))
                ++count;
        return count;
    }

    [[nodiscard]] std::vector<SegmentInfo> describe(const std::vector<std::uint32_t>& ids) const {
        auto infos = std::vector<SegmentInfo>();
        if (ids.empty())
            for (const auto& mounted : mounted_) infos.push_back(mounted->info);
        for (const auto id : ids)
            if (const auto found = by_id_.find(id); found != by_id_.end()) infos.push_back(found->second->info);
        const auto by_id = [](const auto& a, const auto& b) { return a.segment < b.segment; };
        const auto same = [](const auto& a, const auto& b) { return a.segment == b.segment; };
        std::sort(infos.begin(), infos.end(), by_id);
        infos.erase(std::unique(infos.begin(), infos.end(), same), infos.end());
        return infos;
    }

  private:
    static constexpr std::size_t most_changes = 1'024; ///< kept for somebody who may never ask

    template <class Info>
    void note(SegmentChange::What what, const Info& info) {
        if (changes_.size() < most_changes)
            changes_.push_back({.what = what, .name = info.name, .endpoint = info.endpoint, .bytes = info.bytes});
    }

    struct Mounted : Segment {
        explicit Mounted(std::uint64_t bytes) : allocator(bytes) {}
        Allocator allocator;
        std::string rack;
        TimePoint heartbeat;
        std::list<Mounted*>::iterator beat; // in `beats_`
        std::uint64_t extents = 0;
        std::uint32_t index = 0; // in `mounted_` and `candidates_`
    };

    /// Of those that take writes.
    struct Usable {
        std::size_t count = 0;
        std::uint64_t capacity = 0, smallest = std::numeric_limits<std::uint64_t>::max(), largest = 0;

        void add(std::uint64_t bytes) noexcept {
            ++count;
            capacity += bytes;
            smallest = std::min(smallest, bytes);
            largest = std::max(largest, bytes);
        }
    };

    static bool takes_writes(const SegmentCandidate& candidate) noexcept {
        return candidate.health != SegmentHealth::draining;
    }

    static bool named(Ids ids, const SegmentCandidate& candidate) noexcept {
        return std::find(ids.begin(), ids.end(), candidate.id) != ids.end();
    }

    /// An extent in each of the chosen ones that has one.
    void take_chosen(std::uint64_t bytes, Extents& extents) {
        for (const auto index : chosen_) {
            auto& segment = *mounted_[index];
            const auto allocation = segment.allocator.allocate(bytes);
            if (!allocation) continue;
            ++segment.extents;
            settle(segment);
            extents.push_back({&segment, *allocation, ++last_epoch_});
        }
    }

    /// What `allocate` does when one of the chosen segments is in pieces: asks again, without those that were tried. The extents
    /// from `before` on are what there is by now.
    [[nodiscard]] bool allocate_elsewhere(PlacementRequest request, Extents& extents, std::size_t before,
                                          std::size_t complete) {
        auto taken = std::vector<Location>(request.avoid.begin(), request.avoid.end());
        auto told = before; // in `taken`
        auto enough = true;
        tried_.clear();
        while (enough && extents.size() != complete) {
            for (const auto index : chosen_) candidates_[index].free_bytes = 0; // until all is decided
            tried_.insert(tried_.end(), chosen_.begin(), chosen_.end());
            for (; told < extents.size(); ++told)
                taken.push_back(candidates_[static_cast<const Mounted*>(extents[told].segment)->index].at);
            request.avoid = taken;
            request.replicas = static_cast<std::uint32_t>(complete - extents.size());
            placement_.choose(candidates_, request, chosen_);
            enough = chosen_.size() == request.replicas;
            if (enough) take_chosen(request.bytes, extents);
        }
        for (const auto index : tried_) candidates_[index].free_bytes = mounted_[index]->allocator.free_bytes();
        if (enough) return true;
        for (auto i = before; i < extents.size(); ++i) free(extents[i], request.bytes);
        extents.resize(before);
        return false;
    }

    static std::string window(std::uint64_t offset, std::uint64_t bytes) {
        return std::to_string(offset) + ", " + std::to_string(offset + bytes);
    }

    [[nodiscard]] Result<std::size_t> find(std::uint32_t segment, std::uint64_t generation) const {
        if (const auto found = by_id_.find(segment); found != by_id_.end()) {
            const auto& info = found->second->info;
            if (info.generation == generation) return std::size_t{found->second->index};
            return Error(Errc::stale_generation, "segment " + in_quotes(info.name, 256) + " is mounted by generation " +
                                                     std::to_string(info.generation) + ", not " +
                                                     std::to_string(generation));
        }
        return Error(Errc::not_found, "no segment " + std::to_string(segment) +
                                          " is mounted: its time to live passed, or it was unmounted; mount it again");
    }

    /// Brings the sums up to date with the allocator.
    void settle(Mounted& segment) noexcept {
        auto& candidate = candidates_[segment.index];
        const auto free_now = segment.allocator.free_bytes();
        free_ += free_now - candidate.free_bytes; // modulo 2^64
        candidate.free_bytes = free_now;
    }

    void beat(Mounted& segment, TimePoint now) {
        auto& health = candidates_[segment.index].health;
        if (health == SegmentHealth::suspect) health = SegmentHealth::healthy;
        segment.heartbeat = now;
        beats_.splice(beats_.end(), beats_, segment.beat);
    }

    void kill(std::size_t index) {
        auto& segment = *mounted_[index];
        beats_.erase(segment.beat);
        segment.alive.store(false, std::memory_order_release);
        by_name_.erase(segment.info.name);
        by_id_.erase(segment.info.segment);
        hosts_.let_go(segment.info.host);
        racks_.let_go(segment.rack);
        capacity_ -= candidates_[index].capacity;
        free_ -= candidates_[index].free_bytes;
        if (segment.extents != 0) dead_.push_back(std::move(mounted_[index]));
        mounted_.erase(mounted_.begin() + static_cast<std::ptrdiff_t>(index));
        candidates_.erase(candidates_.begin() + static_cast<std::ptrdiff_t>(index));
        for (auto i = index; i < mounted_.size(); ++i) mounted_[i]->index = static_cast<std::uint32_t>(i);
        count_usable();
    }

    void count_usable() noexcept {
        usable_ = {};
        for (const auto& one : candidates_)
            if (takes_writes(one)) usable_.add(one.capacity);
    }

    Placement placement_;
    std::vector<std::unique_ptr<Mounted>> mounted_;
    std::vector<SegmentCandidate> candidates_;          // of the same index
    std::list<Mounted*> beats_;                         // those that are mounted, whose heartbeat is oldest first
    std::unordered_map<std::string, Mounted*> by_name_; // the same
    std::unordered_map<std::uint32_t, Mounted*> by_id_; // the same
    std::vector<std::unique_ptr<Mounted>> dead_;
    std::vector<std::uint32_t> chosen_, tried_; // indices, of the last choice
    FailureDomains hosts_, racks_;
    Usable usable_;
    std::uint64_t capacity_ = 0, free_ = 0;
    std::uint64_t last_epoch_ = 0;
    std::uint32_t last_id_ = 0;
    std::vector<SegmentChange> changes_;
};

} // namespace mooncake::store::detail
