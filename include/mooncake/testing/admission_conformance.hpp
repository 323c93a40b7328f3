#pragma once

#include <mooncake/core/random.hpp>
#include <mooncake/serving/admission/concept.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mooncake::testing {

/// The least an `AdmissionPolicy` has: all come in. For instantiating templates.
struct MinimalAdmission {
    static constexpr std::string_view name = "minimal";
    Verdict admit(const AdmissionRequest&, const ClusterView&) { return {}; }
    bool joins(const AdmissionRequest&, const ClusterView&) { return true; }
    void finished(std::uint64_t, std::uint64_t) {}
};

static_assert(AdmissionPolicy<MinimalAdmission>);

/// What every `AdmissionPolicy` must do, whatever it prefers. Call it from a `TEST_CASE`; failures name the seed.
template <AdmissionPolicy A>
void admission_conformance() {
    const auto cost = CostModel();

    SUBCASE("an idle cluster takes a request that is well within its promises") {
        auto policy = A();
        const auto prefill = std::vector<PrefillInstance>(2);
        const auto decode = std::vector<DecodeInstance>(2);
        const auto cluster = ClusterView{.prefill = prefill, .decode = decode, .cost = &cost};
        for (int i = 0; i < 1'000; ++i) {
            const auto request = AdmissionRequest{.now = double(i),
                                                  .tokens = static_cast<std::uint64_t>(1 + i * 20),
                                                  .priority = static_cast<ServeClass>(i % 3),
                                                  .prefill_seconds = .5,
                                                  .ttft = .5,
                                                  .decode = 1};
            REQUIRE(policy.admit(request, cluster).admitted());
            REQUIRE(policy.joins(request, cluster));
            policy.finished(request.tokens, 300);
        }
    }

    SUBCASE(
        "random clusters: who is turned away hears why and when to try again; nothing happens at promises of zero") {
        for (std::uint64_t seed = 1; seed <= 6; ++seed) {
            CAPTURE(seed);
            auto random = SplitMix64(seed);
            auto policy = A();
            for (int round = 0; round < 500; ++round) {
                const auto now = 10.0 * round;
                const auto prefill = std::vector<PrefillInstance>(1 + random() % 4);
                auto decode = std::vector<DecodeInstance>(1 + random() % 4);
                for (auto& one : decode)
                    for (auto left = random() % 300; left != 0; --left) {
                        const auto joined = random() % 2 == 0;
                        const auto tokens = random() % 30'000;
                        one.work.push_back({.id = random(),
                                            .tokens = tokens,
                                            .joins_at = now + (joined ? -20 : 20) * random.uniform(),
                                            .joined = joined});
                        (joined ? one.sequences : one.coming) += 1;
                        (joined ? one.tokens : one.coming_tokens) += tokens;
                    }
                const auto cluster = ClusterView{.prefill = prefill, .decode = decode, .cost = &cost};
                const auto request = AdmissionRequest{.now = now,
                                                      .tokens = random() % 1'000'000,
                                                      .priority = static_cast<ServeClass>(random() % 3),
                                                      .prefill_seconds = 10 * random.uniform(),
                                                      .ttft = 10 + 50 * random.uniform(),
                                                      .ttft_slo = random() % 5 == 0 ? 0.0 : 30.0,
                                                      .tbt_slo = random() % 5 == 0 ? 0.0 : .1,
                                                      .decode = static_cast<InstanceId>(random() % decode.size())};
                const auto verdict = policy.admit(request, cluster);
                REQUIRE(std::isfinite(verdict.retry_after));
                if (!verdict.admitted()) REQUIRE(verdict.retry_after > 0);
                policy.joins(request, cluster) ? policy.finished(request.tokens, random() % 5'000) : void();
            }
        }
    }
}

} // namespace mooncake::testing
