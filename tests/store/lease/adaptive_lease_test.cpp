// labels: unit conformance concurrent
#include <mooncake/store/lease/adaptive_lease.hpp>
#include <mooncake/store/master/master.hpp>
#include <mooncake/testing/lease_conformance.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

using namespace mooncake;
using namespace std::chrono_literals;

namespace {

struct MayThrow : testing::MinimalLease {
    void ended(const LeaseEnd&) {}
};
static_assert(!LearningLeasePolicy<FixedLease>);
static_assert(!LearningLeasePolicy<MayThrow>);

constexpr auto read_of(std::uint64_t bytes) {
    return LeaseRequest{.purpose = LeasePurpose::read, .objects = 1, .bytes = bytes};
}
void learn(AdaptiveLease& policy, std::uint64_t bytes, Duration held, int times) {
    for (auto i = 0; i < times; ++i) policy.ended({.request = read_of(bytes), .held = held});
}

/// Readers of one object each of 1 MiB: most take some milliseconds, one in 250 takes 400 ms, and one in 50 dies while it reads.
struct Readers {
    std::uint64_t late = 0, reads = 0;
    double held_by_dead = 0; ///< byte-seconds
};
template <class Policy>
struct TraitsWith : DefaultMasterTraits {
    using Lease = Policy;
    using Clock = ManualClock;
};
template <class Policy>
Readers read_for_a_while(Policy policy) {
    constexpr auto object = 1 * MiB;
    auto clock = ManualClock();
    auto master =
        Master<TraitsWith<Policy>>({.segment_ttl = Duration::max()}, {.lease = std::move(policy), .clock = clock});
    REQUIRE(master
                .handle(store::SegmentMount{.name = "n",
                                            .generation = 1,
                                            .endpoint = "n:1",
                                            .offset = 1 << 20,
                                            .bytes = 64 * object,
                                            .read_key = 1,
                                            .write_key = 2})
                .has_value());
    for (auto i = 0; i < 64; ++i) {
        const auto key = std::to_string(i);
        const auto space = master.handle(store::PutStart{.keys = {key}, .sizes = {object}}).value().objects[0];
        REQUIRE(master
                    .handle(store::PutEnd{
                        .objects = {{.key = key, .version = space.version, .checksums = Checksums{1, 2, 3, 4}}}})
                    .value()
                    .outcomes[0] == Errc::ok);
    }
    struct Open {
        std::uint64_t lease;
        TimePoint done;
    };
    auto random = std::mt19937_64(1);
    auto open = std::vector<Open>();
    auto seen = Readers();
    for (auto step = 0; step < 20'000; ++step) {
        const auto got = master.handle(store::Get{.keys = {std::to_string(random() % 64)}}).value();
        ++seen.reads;
        const auto now = clock.now();
        if (random() % 50 == 0)
            seen.held_by_dead += static_cast<double>(object) * static_cast<double>(got.ttl_ms) / 1e3;
        else
            open.push_back(
                {got.lease, now + (random() % 250 == 0 ? 400ms : std::chrono::milliseconds(1 + random() % 10))});
        clock.advance(5ms);
        master.expire();
        for (auto at = open.begin(); at != open.end();) {
            if (at->done > clock.now()) {
                ++at;
                continue;
            }
            if (!master.handle(store::Release{.leases = {at->lease}})) ++seen.late;
            at = open.erase(at);
        }
    }
    return seen;
}

} // namespace

TEST_CASE("lease: an adaptive lease does what every policy does") { testing::lease_conformance<AdaptiveLease>(); }

TEST_CASE("lease: the least policy that learns does what every policy does") {
    testing::lease_conformance<testing::MinimalLearningLease>();
}

TEST_CASE(
    "lease: an adaptive lease lasts as long as any until enough is known, and then by what reads of its size take") {
    auto policy = AdaptiveLease();
    CHECK(policy.duration(read_of(1 * MiB)) == 5s);
    learn(policy, 1 * MiB, 300ms, 127);
    CHECK(policy.duration(read_of(1 * MiB)) == 5s);
    learn(policy, 1 * MiB, 300ms, 1);
    CHECK(policy.duration(read_of(1 * MiB)) >= 900ms);
    CHECK(policy.duration(read_of(1 * MiB)) <= 1200ms);
    CHECK(policy.duration(read_of(1 * MiB + 5)) == policy.duration(read_of(1 * MiB)));
    CHECK(policy.duration(read_of(4 * MiB)) == 5s); // another size
    learn(policy, 64, 10us, 1'000);
    CHECK(policy.duration(read_of(64)) == 250ms); // the floor
    learn(policy, 1 * GiB, 20s, 1'000);
    CHECK(policy.duration(read_of(1 * GiB)) == 5s); // the ceiling
}

TEST_CASE("lease: the slow ones count, so that only two in a thousand are cut off") {
    auto policy = AdaptiveLease();
    for (auto i = 0; i < 4'000; ++i) learn(policy, 1, i % 200 == 0 ? 600ms : 1ms, 1);
    CHECK(policy.duration(read_of(1)) >= 1800ms);
    for (auto i = 0; i < 40'000; ++i) learn(policy, 1, i % 2'000 == 0 ? 600ms : 1ms, 1); // rarer than that, by now
    CHECK(policy.duration(read_of(1)) == 250ms);
}

TEST_CASE(
    "lease: what was given back late says how long it would have taken; what was abandoned or renewed says nothing") {
    auto policy = AdaptiveLease();
    learn(policy, 1, 1ms, 1'000);
    REQUIRE(policy.duration(read_of(1)) == 250ms);
    for (auto i = 0; i < 1'000; ++i) {
        policy.ended({.request = read_of(1), .held = 4s, .fate = LeaseFate::abandoned});
        policy.ended({.request = {.purpose = LeasePurpose::renewal, .objects = 1, .bytes = 1}, .held = 60s});
    }
    CHECK(policy.duration(read_of(1)) == 250ms);
    for (auto i = 0; i < 5; ++i) policy.ended({.request = read_of(1), .held = 700ms, .fate = LeaseFate::late});
    CHECK(policy.duration(read_of(1)) >= 2100ms);
}

TEST_CASE("lease: what is not a read gets the ceiling, whatever reads take") {
    auto policy = AdaptiveLease({.floor = 10ms, .ceiling = 3s});
    learn(policy, 1, 1ms, 1'000);
    CHECK(policy.duration(read_of(1)) == 10ms);
    CHECK(policy.duration({.purpose = LeasePurpose::handover, .objects = 1, .bytes = 1}) == 3s);
    CHECK(policy.duration({.purpose = LeasePurpose::renewal, .objects = 1, .bytes = 1}) == 3s);
}

TEST_CASE("lease: with adaptive leases the dead hold less than half of the space for as long, and the slow finish all "
          "the same") {
    const auto fixed = read_for_a_while(FixedLease());
    const auto adaptive = read_for_a_while(AdaptiveLease());
    MESSAGE("the dead held " << fixed.held_by_dead / MiB << " MiB s with fixed leases and "
                             << adaptive.held_by_dead / MiB << " with adaptive ones; of " << adaptive.reads << " reads "
                             << adaptive.late << " were late");
    CHECK(fixed.late == 0);
    CHECK(adaptive.late <= adaptive.reads / 500);
    CHECK(adaptive.held_by_dead < fixed.held_by_dead / 2);
}
