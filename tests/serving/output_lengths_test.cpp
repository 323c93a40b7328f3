// labels: unit
#include <mooncake/core/random.hpp>
#include <mooncake/serving/output_lengths.hpp>

#include <doctest/doctest.h>

using namespace mooncake;

TEST_CASE("lengths: the mean and the tail of what was seen, by the length of the prompt") {
    auto lengths = OutputLengths();
    auto random = SplitMix64(1);
    for (int i = 0; i < 4'000; ++i) {
        lengths.add(600, random() % 200);           // short prompts: 0 to 200
        lengths.add(100'000, 400 + random() % 400); // long ones: 400 to 800
    }
    CHECK(lengths.mean(600) == doctest::Approx(100).epsilon(.1));
    CHECK(lengths.mean(100'000) == doctest::Approx(600).epsilon(.05));
    CHECK(lengths.survives(600, 0, 100) == doctest::Approx(.5).epsilon(.1));
    CHECK(lengths.survives(600, 100, 50) == doctest::Approx(.5).epsilon(.15));
    CHECK(lengths.survives(100'000, 300, 100) == doctest::Approx(1).epsilon(.03)); // 400 is the least
    CHECK(lengths.survives(100'000, 700, 50) == doctest::Approx(.5).epsilon(.1));
    CHECK(lengths.survives(100'000, 700, 0) == 1);
}

TEST_CASE("lengths: before anything is known there is an answer, and what is never seen dies out") {
    const auto lengths = OutputLengths();
    CHECK(lengths.mean(1'000) == doctest::Approx(300));
    CHECK(lengths.survives(1'000, 0, 300) == doctest::Approx(.5));
    CHECK(lengths.survives(1'000, 5e9, 10) == 0);
}
