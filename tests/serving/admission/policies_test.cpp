// labels: conformance
#include <mooncake/serving/admission/any.hpp>
#include <mooncake/testing/admission_conformance.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace mooncake;

namespace {

struct LacksJoins {
    [[maybe_unused]] static constexpr std::string_view name = "lacks";
    Verdict admit(const AdmissionRequest&, const ClusterView&) { return {}; }
    void finished(std::uint64_t, std::uint64_t) {}
};
static_assert(!AdmissionPolicy<LacksJoins>);

/// One decode instance with `sequences` of 10,000 tokens that joined at `joined_at`, at time 100.
struct Setting {
    CostModel cost{};
    std::vector<PrefillInstance> prefill = std::vector<PrefillInstance>(1);
    std::vector<DecodeInstance> decode = std::vector<DecodeInstance>(1);
    AdmissionRequest request{
        .now = 100, .tokens = 10'000, .prefill_seconds = 1.2, .ttft = 5, .tbt_slo = .1, .decode = 0};

    void fill(std::uint64_t sequences, double joins_at, bool joined) {
        for (std::uint64_t i = 0; i < sequences; ++i)
            decode[0].work.push_back({.id = i, .tokens = 10'000, .joins_at = joins_at, .joined = joined});
        (joined ? decode[0].sequences : decode[0].coming) += sequences;
        (joined ? decode[0].tokens : decode[0].coming_tokens) += sequences * 10'000;
    }
    [[nodiscard]] ClusterView view() const { return {.prefill = prefill, .decode = decode, .cost = &cost}; }
};

} // namespace

TEST_CASE_TEMPLATE("admission: every policy does what the concept says", A, testing::MinimalAdmission, AdmitAll,
                   LateCheck, EarlyRejection, PredictiveRejection, LeastRegret, AnyAdmission) {
    testing::admission_conformance<A>();
}

TEST_CASE("admission: the baseline finds out late, early rejection at once, prediction what will be") {
    auto s = Setting();
    s.fill(200, 99, true); // 26.2 + 200 · (.14 + .35) ms: over 100 ms
    CHECK(LateCheck().admit(s.request, s.view()).admitted());
    CHECK_FALSE(LateCheck().joins(s.request, s.view()));
    CHECK(EarlyRejection().admit(s.request, s.view()).reason == Rejection::decode_load);
    CHECK(PredictiveRejection(10).admit(s.request, s.view()).reason == Rejection::decode_load);
    CHECK(PredictiveRejection(5).admit(s.request, s.view()).admitted()); // at 105 those from 99 are over
    auto coming = Setting();
    coming.fill(200, 103, false); // that will be there at 105
    CHECK(EarlyRejection().admit(coming.request, coming.view()).admitted());
    CHECK(PredictiveRejection(10).admit(coming.request, coming.view()).reason == Rejection::decode_load);
    s.request.ttft = 31;
    for (auto verdict : {LateCheck().admit(s.request, s.view()), LeastRegret().admit(s.request, s.view())}) {
        CHECK(verdict.reason == Rejection::first_token);
        CHECK(verdict.retry_after == 1);
    }
}

TEST_CASE("admission: least regret knows from answers seen who will be gone") {
    auto s = Setting();
    s.fill(200, 98, true); // at .124 s a token: 16 tokens each so far, and 40 more until the request would join
    auto policy = LeastRegret();
    CHECK(policy.admit(s.request, s.view()).reason ==
          Rejection::decode_load); // answers have hundreds of tokens, it believes
    for (int i = 0; i < 5'000; ++i) policy.finished(10'000, 30);
    CHECK(policy.admit(s.request, s.view()).admitted());
}

TEST_CASE("admission: under pressure the costly go first, then the low, and the low are not forgotten") {
    auto s = Setting();
    auto policy = LeastRegret();
    for (int i = 0; i < 100; ++i) {
        s.request.prefill_seconds = .1 * i;
        s.request.ttft = s.request.prefill_seconds;
        CHECK(policy.admit(s.request, s.view()).admitted());
    }
    s.request.now = 101;
    const auto asks = [&](double seconds, double wait, ServeClass priority) {
        s.request.prefill_seconds = seconds, s.request.ttft = seconds + wait, s.request.priority = priority;
        return policy.admit(s.request, s.view()).admitted();
    };
    CHECK(asks(9.5, 1, ServeClass::normal));
    CHECK_FALSE(asks(9.5, 17, ServeClass::normal));
    CHECK(asks(2, 17, ServeClass::normal));
    CHECK(asks(9.5, 17, ServeClass::top));
    CHECK(asks(2, 17, ServeClass::low));
    CHECK_FALSE(asks(2, 20, ServeClass::low));
    CHECK(asks(2, 20, ServeClass::normal));
    s.request.now = 117;
    CHECK(asks(2, 20, ServeClass::low)); // once in fifteen seconds
    CHECK_FALSE(asks(2, 20, ServeClass::low));
}

TEST_CASE("admission: policies are made by their names") {
    for (const auto name : admission_policy_names) CHECK(make_admission_policy(name).has_value());
    CHECK_FALSE(make_admission_policy("best").has_value());
}
