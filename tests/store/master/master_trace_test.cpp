// labels: unit
#include <mooncake/store/eviction/sieve.hpp>
#include <mooncake/store/master/master.hpp>

#include "../../support/reference_trace.hpp"
#include "master_fixture.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <vector>

using namespace mooncake;
using namespace mooncake::testing;

namespace {

struct ManualSieveMaster : ManualMaster {
    using Eviction = SieveEviction;
};

/// Each request gets its prefix, and puts the rest.
template <class Traits>
double hit_ratio(const std::vector<std::vector<std::uint32_t>>& requests, std::uint64_t capacity) {
    auto f = MasterFixture<Traits>(capacity);
    std::size_t hits = 0, total = 0;
    for (const auto& request : requests) {
        auto keys = std::vector<std::string>();
        for (const auto id : request) keys.push_back("block/" + std::to_string(id));
        const auto found = f.get(keys, LookUp::prefix);
        hits += found.objects.size();
        total += keys.size();
        keys.erase(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(found.objects.size()));
        const auto started =
            f.master.handle(store::PutStart{.keys = keys, .sizes = std::vector<std::uint64_t>(keys.size(), block)})
                .value();
        auto ended = PutEnd();
        for (std::size_t i = 0; i < keys.size(); ++i) {
            if (started.objects[i].outcome == Errc::exists) continue;
            REQUIRE(started.objects[i].outcome == Errc::ok);
            ended.objects.push_back({.key = keys[i], .version = started.objects[i].version, .checksums = {i}});
        }
        const auto outcomes = f.master.handle(ended).value().outcomes;
        for (const auto outcome : outcomes) REQUIRE(outcome == Errc::ok);
        if (found.lease != 0) REQUIRE(f.master.handle(store::Release{{found.lease}}).has_value());
    }
    CHECK(f.master.stats().used_bytes <= capacity * block);
    return static_cast<double>(hits) / static_cast<double>(total);
}

} // namespace

TEST_CASE("master: hit ratios on the real trace are the reference's, to four digits") {
    const auto requests = reference_blocks<>();
    if (requests.empty()) return;
    CHECK(hit_ratio<ManualMaster>(requests, 1'000) == doctest::Approx(.0445).epsilon(.001));
    CHECK(hit_ratio<ManualMaster>(requests, 10'000) == doctest::Approx(.2112).epsilon(.0003));
    CHECK(hit_ratio<ManualMaster>(requests, 50'000) == doctest::Approx(.3546).epsilon(.0003));
    CHECK(hit_ratio<ManualSieveMaster>(requests, 10'000) == doctest::Approx(.1318).epsilon(.0003));
}
