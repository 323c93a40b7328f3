#pragma once

#include <mooncake/serving/trace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace mooncake {

/// A trace made larger: so many copies of it beside each other, a little apart in time and each with blocks of its own, over
/// and over until enough requests have come. Memory: none of its own but a place in each copy.
class Superposition {
    struct Place {
        std::size_t at = 0, lap = 0;
        std::uint64_t begins = 0; // ms
    };
    struct Later {
        const Superposition* self;
        bool operator()(std::size_t a, std::size_t b) const noexcept {
            const auto first = self->next_at(a), second = self->next_at(b);
            return first != second ? first > second : a > b;
        }
    };

  public:
    /// `trace`: by time, not empty, outlives this. `copies`: at least 1. `requests`: how many come; 0: each copy once.
    Superposition(std::span<const TraceRequest> trace, std::size_t copies, std::uint64_t requests = 0)
        : trace_(trace), requests_(requests == 0 ? trace.size() * copies : requests), places_(copies),
          period_(trace.back().timestamp_ms + 3'000) {
        for (std::size_t i = 0; i < copies; ++i) places_[i].begins = i * 7'919 % 3'000, heap_.push_back(i);
        std::make_heap(heap_.begin(), heap_.end(), Later{this});
    }

    /// The next request by time; nothing when enough have come.
    [[nodiscard]] std::optional<TraceRequest> operator()() {
        if (given_ == requests_) return std::nullopt;
        ++given_;
        std::pop_heap(heap_.begin(), heap_.end(), Later{this});
        const auto copy = heap_.back();
        auto& place = places_[copy];
        auto request = trace_[place.at];
        request.timestamp_ms += place.begins;
        for (auto& id : request.hash_ids) id += (place.lap * places_.size() + copy) << 32; // ids of a trace are small
        if (++place.at == trace_.size()) place = {.at = 0, .lap = place.lap + 1, .begins = place.begins + period_};
        std::push_heap(heap_.begin(), heap_.end(), Later{this});
        return request;
    }

  private:
    [[nodiscard]] std::uint64_t next_at(std::size_t copy) const noexcept {
        return places_[copy].begins + trace_[places_[copy].at].timestamp_ms;
    }

    std::span<const TraceRequest> trace_;
    std::uint64_t requests_, given_ = 0;
    std::vector<Place> places_;
    std::vector<std::size_t> heap_; // copies, by what comes next
    std::uint64_t period_;
};

} // namespace mooncake
