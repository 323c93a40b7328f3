#pragma once

#include <mooncake/core/config_of.hpp>
#include <mooncake/memory/arena.hpp>
#include <mooncake/store/master/traits.hpp>

#include <cstdint>

namespace mooncake {

template <class Traits>
struct EmbeddedMasterConfig {
    std::uint64_t capacity = 64 * MiB; ///< bytes of objects, at least 64; taken from this process's memory at once
    PageKind pages = PageKind::transparent;
    MasterConfig master = {.segment_ttl = Duration::max()};
    MasterParts<Traits> parts = {};
};

template <class Traits = DefaultMasterTraits>
class EmbeddedMaster;

template <class Traits>
struct ConfigOf<EmbeddedMaster<Traits>> {
    using Type = EmbeddedMasterConfig<Traits>;
};

} // namespace mooncake
