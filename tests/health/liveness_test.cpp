#include <mooncake/health/liveness.hpp>

#include <doctest/doctest.h>

using namespace mooncake;
using Verdict = Liveness::Verdict;

TEST_CASE("liveness: who owes nothing may be silent for ever") {
    auto liveness = Liveness();
    for (auto i = 0; i < 10; ++i) CHECK(liveness.look({.received = 100}) == Verdict::lives);
}

TEST_CASE("liveness: who owes an answer and says nothing is asked, and gone if nothing comes of it") {
    auto liveness = Liveness();
    CHECK(liveness.look({.received = 100, .due = true}) == Verdict::lives);
    CHECK(liveness.look({.received = 100, .due = true}) == Verdict::lives);
    CHECK(liveness.look({.received = 100, .due = true}) == Verdict::ask);
    CHECK(liveness.look({.received = 100, .sent = 32, .asked = true, .due = true}) == Verdict::lives);
    CHECK(liveness.look({.received = 100, .sent = 32, .asked = true, .due = true}) == Verdict::gone);
}

TEST_CASE("liveness: what is sent to a peer is no sign of its life") {
    auto liveness = Liveness();
    auto verdict = Verdict::lives;
    auto looks = 0U;
    for (auto sent = std::uint64_t{0}; verdict != Verdict::gone && looks < 10; ++looks, sent += 1'000)
        verdict = liveness.look({.sent = sent, .asked = true, .due = true});
    CHECK(looks == 2 * Liveness::patience);
}

TEST_CASE("liveness: a question behind much else is waited for, one that cannot even be sent is not") {
    auto liveness = Liveness();
    CHECK(liveness.look({.sent = 100, .due = true}) == Verdict::lives);
    CHECK(liveness.look({.sent = 200, .due = true}) == Verdict::ask);
    for (auto i = 0; i < 10; ++i)
        CHECK(liveness.look({.sent = 300U + static_cast<unsigned>(i), .due = true}) == Verdict::lives);
    CHECK(liveness.look({.sent = 309, .due = true}) == Verdict::gone);
}

TEST_CASE("liveness: a sign of life counts until the next silence") {
    auto liveness = Liveness();
    CHECK(liveness.look({.due = true}) == Verdict::lives);
    CHECK(liveness.look({.due = true}) == Verdict::ask);
    CHECK(liveness.look({.received = 32, .asked = true, .due = true}) == Verdict::lives);
    CHECK(liveness.look({.received = 32, .asked = true, .due = true}) == Verdict::lives);
    CHECK(liveness.look({.received = 32, .asked = true, .due = true}) == Verdict::ask);
    CHECK(liveness.look({.received = 32, .asked = true}) == Verdict::lives); // nothing is due any more
    CHECK(liveness.look({.received = 32, .asked = true, .due = true}) == Verdict::lives);
    CHECK(liveness.look({.received = 32, .asked = true, .due = true}) == Verdict::ask);
}
