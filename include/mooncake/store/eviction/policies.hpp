#pragma once

#include <mooncake/store/eviction/any.hpp>
#include <mooncake/store/eviction/arc.hpp>
#include <mooncake/store/eviction/fifo.hpp>
#include <mooncake/store/eviction/lfu.hpp>
#include <mooncake/store/eviction/lru.hpp>
#include <mooncake/store/eviction/prefix.hpp>
#include <mooncake/store/eviction/s3_fifo.hpp>
#include <mooncake/store/eviction/sieve.hpp>
#include <mooncake/store/eviction/w_tiny_lfu.hpp>

namespace mooncake {

/// All that come with the library: what `--eviction` takes. A new policy has its header, and its line here.
using EvictionPolicies = EvictionChoice< //
    FifoEviction,                        //
    LruEviction,                         //
    LfuEviction,                         //
    SieveEviction,                       //
    S3FifoEviction,                      //
    ArcEviction,                         //
    WTinyLfuEviction,                    //
    PrefixEviction>;

} // namespace mooncake
