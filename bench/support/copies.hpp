#pragma once

#include <mooncake/core/runtime.hpp>
#include <mooncake/memory/arena.hpp>
#include <mooncake/memory/copier.hpp>

#include "support/pairs.hpp"

#include <boost/asio/post.hpp>

#include <cstddef>
#include <future>
#include <memory>
#include <utility>
#include <vector>

namespace bench {

/// Memory as large as no cache, in the best pages there are for `sharing`, all of it touched.
[[nodiscard]] inline std::shared_ptr<mooncake::Arena>
cold_arena(std::uint64_t bytes, mooncake::ArenaSharing sharing = mooncake::ArenaSharing::process) {
    auto arena = must(mooncake::Arena::create({.bytes = bytes, .sharing = sharing}));
    auto* const words = reinterpret_cast<std::uint64_t*>(arena->bytes().data());
    for (std::uint64_t i = 0; i < bytes / sizeof *words; ++i) words[i] = (i + 1) * 0x9e3779b97f4a7c15ULL;
    return arena;
}

/// One pass over all of `from`, `block` bytes at a time, into `to`, round and round.
template <mooncake::Copier C>
Sample copy_all(mooncake::MutableBytes to, mooncake::ConstBytes from, std::size_t block) {
    return timed(static_cast<double>(from.size()), [&] {
        for (std::size_t at = 0; at < from.size(); at += block)
            C::copy(to.data() + at % to.size(), from.data() + at, block);
    });
}

/// The same measurement on a thread of the runtime's.
[[nodiscard]] inline Measure on(mooncake::Runtime& runtime, Measure measure) {
    return [&runtime, measure = std::move(measure)] {
        auto done = std::promise<Sample>();
        mooncake::asio::post(runtime.executor(), [&] { done.set_value(measure()); });
        return done.get_future().get();
    };
}

/// The peers of a row with `vs_copy`: the same bytes, in the same order, on the same thread, by each way that a processor
/// has.
[[nodiscard]] inline std::vector<Measure> copies(mooncake::Runtime& runtime, mooncake::MutableBytes to,
                                                 mooncake::ConstBytes from, std::size_t block) {
    return {on(runtime, [=] { return copy_all<mooncake::MemcpyCopier>(to, from, block); }),
#if defined(__x86_64__)
            on(runtime, [=] { return copy_all<mooncake::RepMovsbCopier>(to, from, block); }),
#endif
            on(runtime, [=] { return copy_all<mooncake::NonTemporalCopier>(to, from, block); })};
}

} // namespace bench
