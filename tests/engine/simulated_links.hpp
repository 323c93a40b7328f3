#pragma once

#include <mooncake/engine/dispatch.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace mooncake::test {

using namespace std::chrono_literals;

/// A link that delivers chunks one after the other, each at the speed of the moment.
struct Link {
    std::function<double(TimePoint)> speed; ///< bytes a second; 0: nothing arrives
    Duration latency = 200us;
    TimePoint busy_until{};
};

/// A chunk on its way: when it would be there, and until when it is waited for.
struct FlyingChunk {
    engine::detail::Dispatcher::Chunk chunk;
    std::uint64_t bytes;
    TimePoint arrives, until;
};

/// Transfers over simulated links, in simulated time.
struct Simulation {
    Simulation(engine::detail::Dispatcher& of, std::vector<Link> over)
        : dispatch(of), links(std::move(over)), moved(links.size()) {}

    /// Moves `bytes` in slices of that size; gives how long it took.
    Duration transfer(std::uint64_t bytes, std::uint64_t slice = 1 * MiB) {
        const auto start = now;
        auto left = bytes;
        while (left != 0 || !flying.empty()) {
            while (left != 0) {
                const auto choice = dispatch.choose({std::min(left, slice), left}, 0, flying.empty(), now);
                if (!choice) break;
                const auto piece = std::min(left, std::max(slice, choice->bytes / slice * slice));
                left -= piece;
                send(choice->path, piece);
            }
            const auto next = std::min_element(flying.begin(), flying.end(), [](const auto& a, const auto& b) {
                return std::min(a.arrives, a.until) < std::min(b.arrives, b.until);
            });
            REQUIRE(next != flying.end());
            now = std::max(now, std::min(next->arrives, next->until));
            const auto arrived = next->arrives <= next->until;
            const auto over = *next;
            flying.erase(next);
            if (over_with) over_with(over.chunk, now, arrived);
            if (arrived) {
                moved[over.chunk.path] += over.bytes;
                dispatch.arrived(over.chunk, over.bytes, now);
            } else {
                ++silent;
                longest_silence = std::max(longest_silence, over.chunk.patience);
                links[over.chunk.path].busy_until = now; // what was given up is taken from the queue
                dispatch.silent(over.chunk, now);
                left += over.bytes;
            }
        }
        return now - start;
    }

    void send(std::size_t path, std::uint64_t bytes) {
        auto& link = links[path];
        const auto begins = std::max(now, link.busy_until);
        const auto speed = link.speed(begins);
        const auto chunk = dispatch.send(path, bytes, now);
        auto arrives = TimePoint::max();
        if (speed > 0) {
            const auto took = std::chrono::duration<double>(static_cast<double>(bytes) / speed);
            link.busy_until = begins + std::chrono::duration_cast<Duration>(took);
            arrives = link.busy_until + link.latency;
        }
        flying.push_back({chunk, bytes, arrives, now + chunk.patience});
    }

    engine::detail::Dispatcher& dispatch;
    std::vector<Link> links;
    std::vector<std::uint64_t> moved;
    std::vector<FlyingChunk> flying;
    TimePoint now = TimePoint(1h);
    std::function<void(const engine::detail::Dispatcher::Chunk&, TimePoint now, bool arrived)>
        over_with; ///< may be empty
    int silent = 0;
    Duration longest_silence{};
};

inline Link steady(double megabytes) {
    return {.speed = [=](TimePoint) { return megabytes * 1e6; }};
}
inline double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

} // namespace mooncake::test
