#include <mooncake/health/liveness.hpp>

#include <doctest/doctest.h>

using namespace mooncake;
using Verdict = Liveness::Verdict;

TEST_CASE("liveness: who owes nothing may be silent for ever") {
    auto liveness = Liveness();
    for (auto i = 0; i < 10; ++i) CHECK(liveness.look(100, 32, false) == Verdict::lives);
}

TEST_CASE("liveness: who owes an answer and does nothing is asked, and gone if only the question moved") {
    auto liveness = Liveness();
    CHECK(liveness.look(100, 32, true) == Verdict::lives);
    CHECK(liveness.look(100, 32, true) == Verdict::ask);
    CHECK(liveness.look(132, 32, true) == Verdict::gone);
}

TEST_CASE("liveness: a question that cannot even be sent is not answered") {
    auto liveness = Liveness();
    CHECK(liveness.look(100, 32, true) == Verdict::lives);
    CHECK(liveness.look(100, 32, true) == Verdict::ask);
    CHECK(liveness.look(100, 32, true) == Verdict::gone);
}

TEST_CASE("liveness: a sign of life counts until the next silence") {
    auto liveness = Liveness();
    CHECK(liveness.look(100, 32, true) == Verdict::lives);
    CHECK(liveness.look(100, 32, true) == Verdict::ask);
    CHECK(liveness.look(164, 32, true) == Verdict::lives); // the question and its answer
    CHECK(liveness.look(164, 32, true) == Verdict::ask);
    CHECK(liveness.look(164, 32, false) == Verdict::lives); // nothing is due any more
    CHECK(liveness.look(164, 32, true) == Verdict::ask);
}
