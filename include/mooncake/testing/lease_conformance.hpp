#pragma once

#include <mooncake/store/lease/concept.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <thread>
#include <vector>

namespace mooncake::testing {

/// The least a `LeasePolicy` has. For instantiating templates.
struct MinimalLease {
    [[nodiscard]] Duration duration(const LeaseRequest&) const noexcept { return std::chrono::seconds{1}; }
};

static_assert(LeasePolicy<MinimalLease>);

/// The least a `LearningLeasePolicy` has.
struct MinimalLearningLease : MinimalLease {
    void ended(const LeaseEnd&) noexcept {}
};

static_assert(LearningLeasePolicy<MinimalLearningLease>);

/// What every `LeasePolicy` must do. Call it from a `TEST_CASE`.
template <LeasePolicy P>
void lease_conformance() {
    SUBCASE("a lease for whatever lasts for some time, and a copy gives the same") {
        const auto policy = P();
        const auto copy = policy;
        constexpr auto most = std::numeric_limits<std::uint64_t>::max();
        for (const auto purpose : {LeasePurpose::read, LeasePurpose::handover, LeasePurpose::renewal})
            for (const auto objects : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{4'096}, most})
                for (const auto bytes : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 40, most}) {
                    CAPTURE(objects);
                    CAPTURE(bytes);
                    const auto request = LeaseRequest{.purpose = purpose, .objects = objects, .bytes = bytes};
                    const auto duration = policy.duration(request);
                    CHECK(duration > Duration::zero());
                    CHECK(copy.duration(request) == duration);
                }
    }
    if constexpr (LearningLeasePolicy<P>) {
        SUBCASE("whatever it learns, a lease lasts for some time, and a copy gives the same") {
            auto policy = P();
            for (const auto held :
                 {Duration::min(), Duration::zero(), Duration(1), Duration(std::chrono::hours{1}), Duration::max()})
                for (const auto fate : {LeaseFate::given_back, LeaseFate::late, LeaseFate::abandoned})
                    for (const auto bytes : {std::uint64_t{0}, std::uint64_t{1} << 20, ~std::uint64_t{0}})
                        for (auto i = 0; i < 5'000; ++i) {
                            const auto request = LeaseRequest{.objects = 1, .bytes = bytes};
                            policy.ended({.request = request, .held = held, .fate = fate});
                            if (i % 100 != 0) continue;
                            CHECK(policy.duration(request) > Duration::zero());
                            CHECK(P(policy).duration(request) == policy.duration(request));
                        }
        }
        SUBCASE("it learns and answers on several threads at once") {
            auto policy = P();
            auto shortest = std::atomic<Duration>(Duration::max());
            const auto work = [&](int seed) {
                for (auto i = 0; i < 20'000; ++i) {
                    const auto request = LeaseRequest{.objects = 1, .bytes = std::uint64_t{1} << (i + seed) % 30};
                    policy.ended({.request = request, .held = std::chrono::microseconds{i % 1'000}});
                    const auto lasts = policy.duration(request);
                    if (lasts < shortest.load()) shortest = lasts;
                }
            };
            auto threads = std::vector<std::thread>();
            for (auto i = 0; i < 3; ++i) threads.emplace_back(work, i);
            for (auto& thread : threads) thread.join();
            CHECK(shortest.load() > Duration::zero());
        }
    }
}

} // namespace mooncake::testing
