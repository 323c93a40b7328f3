#pragma once

#include <mooncake/store/journal/concept.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace mooncake::testing {

/// The least a `Journal` has: it counts. For instantiating templates.
struct MinimalJournal {
    static constexpr bool keeps = true;

    void record(const Change&) { ++last; }
    void settle() {}
    store::EventsReply read(std::uint64_t, std::uint32_t) { return {.last = last, .gap = store::EventGap::some}; }
    bool wait(std::uint64_t, const std::shared_ptr<Waiter>&) { return false; }
    void forget(const Waiter&) {}

    std::uint64_t last = 0;
};
static_assert(Journal<MinimalJournal>);

/// What every `Journal` that keeps events must do. `make(n)`: one that keeps the last n events.
template <class Make>
void journal_conformance(const Make& make) {
    struct Told final : Waiter {
        void ready() noexcept override { ++calls; }
        int calls = 0;
    };
    const auto stored = [](auto& journal, const std::string& key, std::uint64_t version) {
        journal.record({.kind = store::EventKind::stored, .key = key, .version = version, .size = 10 * version});
    };

    SUBCASE("what was recorded is read in order, from where one was") {
        auto journal = make(100);
        CHECK(journal.read(0, 10).events.empty());
        CHECK(journal.read(0, 10).gap == store::EventGap::none);
        for (std::uint64_t i = 1; i <= 7; ++i) stored(journal, "key-" + std::to_string(i), i);
        const auto first = journal.read(0, 5);
        REQUIRE(first.events.size() == 5);
        CHECK(first.last == first.events.back().sequence);
        const auto second = journal.read(first.last, 5);
        REQUIRE(second.events.size() == 2);
        CHECK(second.gap == store::EventGap::none);
        CHECK(second.events[0].sequence == first.last + 1);
        CHECK(second.events[1].key == "key-7");
        CHECK(second.events[1].version == 7);
        CHECK(second.events[1].size == 70);
        CHECK(journal.read(second.last, 5).events.empty());
        CHECK(journal.read(second.last, 5).last == second.last);
    }

    SUBCASE("who comes too late is told so, and gets the oldest that are left") {
        auto journal = make(10);
        for (std::uint64_t i = 1; i <= 25; ++i) stored(journal, "key", i);
        const auto late = journal.read(3, 100);
        CHECK(late.gap == store::EventGap::some);
        REQUIRE(late.events.size() == 10);
        CHECK(late.events.front().version == 16);
        CHECK(late.last == late.events.back().sequence);
        const auto in_time = journal.read(late.events.front().sequence - 1, 100);
        CHECK(in_time.gap == store::EventGap::none);
        CHECK(in_time.events.size() == 10);
        CHECK(journal.read(late.last + 1, 100).gap == store::EventGap::some); // of a future that was never told
    }

    SUBCASE("who waits is told once, when the message that made an event is answered") {
        auto journal = make(10);
        auto waiter = std::make_shared<Told>();
        CHECK(journal.wait(journal.read(0, 1).last, waiter));
        journal.settle();
        CHECK(waiter->calls == 0);
        stored(journal, "key", 1);
        CHECK(waiter->calls == 0);
        journal.settle();
        stored(journal, "key", 2);
        journal.settle();
        CHECK(waiter->calls == 1);
        CHECK_FALSE(journal.wait(0, std::make_shared<Told>())); // there are some
        auto gone = std::make_shared<Told>();
        CHECK(journal.wait(journal.read(0, 10).last, gone));
        journal.forget(*gone);
        stored(journal, "key", 3);
        journal.settle();
        CHECK(gone->calls == 0);
    }

    SUBCASE("threads that record and threads that read: nothing twice, nothing missing, each key in order") {
        constexpr std::uint64_t writers = 3, each = 4'000;
        auto journal = make(writers * each);
        auto threads = std::vector<std::jthread>();
        for (std::uint64_t w = 0; w < writers; ++w)
            threads.emplace_back([&journal, w] {
                for (std::uint64_t i = 1; i <= each; ++i) {
                    journal.record({.key = "writer-" + std::to_string(w), .version = i});
                    journal.settle();
                }
            });
        auto versions = std::vector<std::uint64_t>(writers);
        auto last = std::uint64_t{0}, read = std::uint64_t{0};
        while (read < writers * each) {
            const auto reply = journal.read(last, 97);
            REQUIRE(reply.gap == store::EventGap::none);
            for (const auto& event : reply.events) {
                REQUIRE(event.sequence == ++last);
                REQUIRE(event.version == ++versions.at(static_cast<std::size_t>(event.key.back() - '0')));
                ++read;
            }
            REQUIRE(reply.last == last);
        }
    }
}

} // namespace mooncake::testing
