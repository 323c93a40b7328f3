#pragma once

#include <mooncake/core/environment.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mooncake::simulation {

/// What clients saw of the keys of a store, and whether one store that does one thing after the other could have shown it to
/// them: linearizability, with the one thing added that a cache may do, which is to forget a value at any time.
///
/// Every value that is written is a number of its own. The operations that wrote or read a value lie around the time in which it
/// was the key's: surely from the first that ended to the last that began (its zone). So no zones of two values overlap, and
/// none has a value in it, or the news that there is none, that was neither before nor after.
/// Complexity: O(n log n) in the operations of a key. Source: Gibbons & Korach, "Testing Shared Memories", SIAM J. Comput. 1997.
class History {
  public:
    /// Somebody read `value` under `key`, in an operation of that time; or, with `nothing`, was told that there was none.
    void read(const std::string& key, std::uint64_t value, TimePoint begun, TimePoint ended) {
        auto& of = keys_[key];
        if (value == nothing) return note(of.absences.emplace_back(), begun, ended);
        auto& seen = of.values[value];
        note(seen.zone, begun, ended);
        seen.first_read_ended = std::min(seen.first_read_ended, ended);
    }
    static constexpr std::uint64_t nothing = 0;

    /// Somebody begins to write `value`, which nobody ever wrote, over `over` or over whatever there is.
    void begin_write(const std::string& key, std::uint64_t value, TimePoint begun, std::uint64_t over = nothing) {
        auto& written = keys_[key].values[value];
        written.begun = begun;
        written.over = over;
    }
    /// He knows that it was written; without this it may have been, or be some time.
    void end_write(const std::string& key, std::uint64_t value, TimePoint ended) {
        auto& written = keys_[key].values[value];
        written.is_sure = true;
        note(written.zone, written.begun, ended);
    }

    /// The first thing that cannot be, or nothing.
    [[nodiscard]] std::string fault() {
        for (auto& [key, of] : keys_)
            if (auto what = fault_of(of); !what.empty()) return what + " under " + key;
        return {};
    }

    [[nodiscard]] std::size_t operations() const noexcept { return operations_; }

  private:
    /// Of the operations that knew a value: the first end, and the last beginning.
    struct Zone {
        TimePoint first_end = TimePoint::max(), last_begin = TimePoint::min();
    };
    struct Value {
        Zone zone;
        TimePoint begun = TimePoint::max(); ///< of its write
        TimePoint first_read_ended = TimePoint::max();
        std::uint64_t over = nothing;
        bool is_sure = false;
    };
    struct Key {
        std::unordered_map<std::uint64_t, Value> values;
        std::vector<Zone> absences;
    };

    void note(Zone& zone, TimePoint begun, TimePoint ended) {
        ++operations_;
        zone.first_end = std::min(zone.first_end, ended);
        zone.last_begin = std::max(zone.last_begin, begun);
    }

    static std::string fault_of(Key& key) {
        auto held = std::vector<Zone>();                // in which the key surely had a value, all the time
        auto moments = std::vector<Zone>(key.absences); // in some moment of which it had another, or none
        auto replaced = std::unordered_map<std::uint64_t, int>();
        for (auto& [number, value] : key.values) {
            if (value.first_read_ended < value.begun) return "a value was read before it was written";
            const auto was_read = value.first_read_ended != TimePoint::max();
            if (!value.is_sure && !was_read) continue; // nobody knows whether it ever was there
            if (value.over != nothing && ++replaced[value.over] > 1) return "one value was replaced twice";
            auto zone = value.zone;
            zone.last_begin = std::max(zone.last_begin, value.begun); // the write, if nobody knows when it ended
            (zone.first_end < zone.last_begin ? held : moments).push_back(zone);
        }
        std::ranges::sort(held, {}, &Zone::first_end);
        for (std::size_t i = 1; i < held.size(); ++i)
            if (held[i].first_end < held[i - 1].last_begin) return "a value came back after another one";
        for (const auto& moment : moments) { // from its last beginning to its first end, which is later
            const auto after = std::ranges::upper_bound(held, moment.last_begin, {}, &Zone::first_end);
            if (after == held.begin()) continue;
            const auto& before = *std::prev(after);
            if (before.first_end < moment.last_begin && moment.first_end < before.last_begin)
                return "a value came back after it was gone";
        }
        return {};
    }

    std::map<std::string, Key> keys_;
    std::size_t operations_ = 0;
};

} // namespace mooncake::simulation
