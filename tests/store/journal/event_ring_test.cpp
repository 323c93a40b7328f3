// labels: unit concurrent
#include <mooncake/store/journal/event_ring.hpp>
#include <mooncake/store/journal/no_journal.hpp>
#include <mooncake/testing/journal_conformance.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

using namespace mooncake;

TEST_CASE("event ring: does what every journal does") {
    mooncake::testing::journal_conformance([](std::size_t most) { return EventRing(most); });
}

TEST_CASE("event ring: one that keeps nothing is refused") { CHECK_THROWS_AS(EventRing(0), std::invalid_argument); }

namespace {
struct NoKeeps : NoJournal {
    void keeps() {}
};
struct NoSettle {
    static constexpr bool keeps = true;
    void record(const Change&) {}
    store::EventsReply read(std::uint64_t, std::uint32_t) { return {}; }
    bool wait(std::uint64_t, const std::shared_ptr<Waiter>&) { return false; }
    void forget(const Waiter&) {}
};
} // namespace
static_assert(!Journal<NoKeeps>);
static_assert(!Journal<NoSettle>);
static_assert(!Journal<int>);
