// labels: conformance
#include <mooncake/serving/decode/policies.hpp>
#include <mooncake/testing/decode_conformance.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace mooncake;

namespace {

struct LacksName {
    InstanceId choose(const DecodeRequest&, std::span<const DecodeInstance>) { return 0; }
};
struct LacksChoice {
    [[maybe_unused]] static constexpr std::string_view name = "lacks";
};
static_assert(!DecodePolicy<LacksName> && !DecodePolicy<LacksChoice>);

} // namespace

TEST_CASE_TEMPLATE("decode: every policy does what the concept says", D, testing::MinimalDecode, LeastTbt,
                   PowerOfTwoDecode, MemoryAware) {
    testing::decode_conformance<D>();
}

TEST_CASE("decode: what was promised counts as what is there, and memory goes before time where it is short") {
    const auto cost = CostModel();
    const auto request = DecodeRequest{.tokens = 10'000, .cost = &cost};
    auto instances = std::vector<DecodeInstance>(2);
    instances[0].sequences = 5, instances[1].coming = 6;
    CHECK(LeastTbt().choose(request, instances) == 0);
    CHECK(MemoryAware().choose(request, instances) == 0);
    instances[0].coming_tokens = 1'325'000;
    instances[1].sequences = 900;
    CHECK(LeastTbt().choose(request, instances) == 0);
    CHECK(MemoryAware().choose(request, instances) == 1);
    auto two = PowerOfTwoDecode();
    auto first = 0;
    for (int i = 0; i < 1'000; ++i) first += two.choose(request, instances) == 0;
    CHECK(first > 700); // three in four
    CHECK(first < 800);
}
