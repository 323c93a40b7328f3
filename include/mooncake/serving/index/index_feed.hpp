#pragma once

#include <mooncake/serving/index/prefix_index.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mooncake {

/// What an instance says of its cache. Each instance numbers its events from 1.
struct IndexEvent {
    enum class Kind : std::uint8_t { stored, removed, cleared };

    InstanceId instance = no_instance;
    std::uint64_t sequence = 0;
    Kind kind = Kind::stored;
    std::vector<BlockKey> blocks{};
};

/// Feeds a `PrefixIndex` with events that may come out of order, twice, or never. Events of an instance are applied in the
/// order of their numbers; one that comes early waits for those before it. When more than `window` wait, the one they wait
/// for is taken to be lost: the instance is `behind`, nothing of it is offered, and it has to send all that it holds.
///
/// Thread: one at a time.
class IndexFeed {
  public:
    enum class Outcome : std::uint8_t {
        applied,  ///< it, and what waited for it
        repeated, ///< it was applied before
        waiting,  ///< for one with a lower number
        behind,   ///< too many are missing: ask the instance for all that it holds, and call `recover`
        unknown,  ///< no such instance was registered
    };

    explicit IndexFeed(PrefixIndex& index, std::size_t window = 64) noexcept : index_(&index), window_(window) {}

    /// A new instance, or a new life of one: its next event is number 1, and it holds nothing.
    void add(InstanceId instance) {
        index_->forget(instance);
        sources_.insert_or_assign(instance, Source{});
    }
    /// The instance is gone.
    void remove(InstanceId instance) {
        if (sources_.erase(instance) != 0) index_->forget(instance);
    }

    Outcome apply(IndexEvent event) {
        const auto found = sources_.find(event.instance);
        if (found == sources_.end()) return Outcome::unknown;
        auto& source = found->second;
        if (event.sequence < source.next) return Outcome::repeated;
        source.highest = std::max(source.highest, event.sequence);
        if (event.sequence != source.next || source.behind) {
            source.early.try_emplace(event.sequence, std::move(event));
            if (!source.behind && source.early.size() <= window_) return Outcome::waiting;
            if (!source.behind) index_->forget(found->first);
            source.behind = true;
            // Until it recovers the latest matter: the list that comes will have the earlier ones.
            if (source.early.size() > window_) source.early.erase(source.early.begin());
            return Outcome::behind;
        }
        take(source, event);
        drain(source);
        return Outcome::applied;
    }

    /// All that `instance` held when its event number `sequence` had been made. What came after it and waits is applied.
    /// `behind` when the list is too old to join on to what came since.
    Outcome recover(InstanceId instance, std::uint64_t sequence, std::span<const BlockKey> blocks) {
        const auto found = sources_.find(instance);
        if (found == sources_.end()) return Outcome::unknown;
        auto& source = found->second;
        if (sequence + 1 < source.next) return Outcome::repeated; // it knows more than the list
        index_->forget(instance);
        source.next = sequence + 1;
        source.highest = std::max(source.highest, sequence);
        source.early.erase(source.early.begin(), source.early.lower_bound(source.next));
        store(source, instance, sequence, blocks);
        source.behind = false;
        drain(source);
        if (source.early.size() < window_) return Outcome::applied;
        index_->forget(instance);
        source.behind = true;
        return Outcome::behind;
    }

    /// Somebody found the block bad there. It is not offered again before the instance stores it anew: events that are
    /// under way with a number that was seen already do not bring it back.
    void report_bad(InstanceId instance, BlockKey key) {
        const auto found = sources_.find(instance);
        if (found == sources_.end()) return;
        found->second.bad[key] = std::max(found->second.highest, found->second.next - 1);
        index_->removed(instance, std::span(&key, 1));
    }

    /// Whether the instance has to be asked for all that it holds.
    [[nodiscard]] bool behind(InstanceId instance) const noexcept {
        const auto found = sources_.find(instance);
        return found != sources_.end() && found->second.behind;
    }
    /// How many of the instance's events are known to exist and were not applied: how stale its part of the index is.
    [[nodiscard]] std::uint64_t missing(InstanceId instance) const noexcept {
        const auto found = sources_.find(instance);
        return found == sources_.end()
                   ? 0
                   : found->second.highest - std::min(found->second.highest, found->second.next - 1);
    }
    [[nodiscard]] bool knows(InstanceId instance) const noexcept { return sources_.contains(instance); }

  private:
    struct Source {
        std::uint64_t next = 1;    // the number of the event to apply next
        std::uint64_t highest = 0; // that was seen
        bool behind = false;
        std::map<std::uint64_t, IndexEvent> early;
        std::unordered_map<BlockKey, std::uint64_t> bad; // until an event with a higher number stores it
    };

    void drain(Source& source) {
        for (auto it = source.early.begin(); it != source.early.end() && it->first == source.next;
             it = source.early.erase(it))
            take(source, it->second);
    }

    void take(Source& source, const IndexEvent& event) {
        source.next = event.sequence + 1;
        switch (event.kind) {
        case IndexEvent::Kind::stored: return store(source, event.instance, event.sequence, event.blocks);
        case IndexEvent::Kind::removed: return index_->removed(event.instance, event.blocks);
        case IndexEvent::Kind::cleared: return index_->forget(event.instance);
        }
    }

    void store(Source& source, InstanceId instance, std::uint64_t sequence, std::span<const BlockKey> blocks) {
        if (source.bad.empty()) return index_->stored(instance, blocks);
        for (const auto& key : blocks) {
            const auto bad = source.bad.find(key);
            if (bad != source.bad.end() && sequence <= bad->second) continue;
            if (bad != source.bad.end()) source.bad.erase(bad);
            index_->stored(instance, std::span(&key, 1));
        }
    }

    PrefixIndex* index_;
    std::size_t window_;
    std::unordered_map<InstanceId, Source> sources_;
};

} // namespace mooncake
