#pragma once

#include <mooncake/memory/region_table.hpp>

#include <memory>

namespace mooncake::engine::detail {

/// What a user holds of a region that was registered: one pin of it, however often it is copied, so that those of accesses
/// and of peers can be told from it.
struct RegionHandle {
    RegionPin pin;
    void operator()(const Region*) const noexcept {}

    [[nodiscard]] static RegionPin make(RegionPin pin) {
        const auto* const region = pin.get();
        return {region, RegionHandle{std::move(pin)}};
    }

    struct Pins {
        std::weak_ptr<const Region> pin;
        /// Whether no access and no peer holds the region any more.
        [[nodiscard]] bool only_by_handles() const noexcept { return pin.use_count() <= 1; }
    };
    [[nodiscard]] static Pins pins_of(const RegionPin& handle) {
        const auto* const owner = std::get_deleter<RegionHandle>(handle);
        return {owner == nullptr ? std::weak_ptr<const Region>() : owner->pin};
    }
};

} // namespace mooncake::engine::detail
