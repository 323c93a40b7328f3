// labels: unit
#include <mooncake/core/random.hpp>
#include <mooncake/engine/dispatch.hpp>

#include "simulated_links.hpp"
#include "support/sanitized.hpp"

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

using namespace mooncake;
using namespace mooncake::engine::detail;
using namespace mooncake::test;

namespace {

/// A link that is noisy, and at times dead or ten times slower.
struct Weather {
    struct Spell {
        TimePoint from, to;
        double factor; ///< of the speed; 0: nothing arrives
    };
    double usual = 0; ///< bytes a second
    std::vector<Spell> spells;
    SplitMix64 noise{1};

    [[nodiscard]] const Spell* at(TimePoint now) const {
        for (const auto& spell : spells)
            if (now >= spell.from && now < spell.to) return &spell;
        return nullptr;
    }
    [[nodiscard]] double speed(TimePoint now) {
        const auto* const spell = at(now);
        return usual * (spell != nullptr ? spell->factor : 1) * (0.8 + 0.4 * noise.uniform());
    }
};

/// What is held against one seed.
struct Findings {
    double used = 1;       ///< of what the links can do together, at the end, when all are well
    int asked_in_vain = 0; ///< chunks that a dead link was sent when it was known for half a second: the most
    double away = 0;       ///< seconds that a link was not used after a spell, beyond the spell's own length: the most
    double stuck = 0;      ///< seconds that a chunk was out on a link from when that became slow or died: the most
};

constexpr auto horizon = 12s;

Findings run(std::uint64_t seed, std::size_t paths) {
    auto random = SplitMix64(seed);
    const auto start = TimePoint(1h);
    auto weather = std::vector<std::unique_ptr<Weather>>();
    auto links = std::vector<Link>();
    for (std::size_t i = 0; i < paths; ++i) {
        auto one = std::make_unique<Weather>();
        one->usual = 100e6 * std::pow(4.0, random.uniform());
        one->noise = SplitMix64(random());
        // The first link is always well: what the others do is then no reason for anything to end.
        if (i != 0) {
            const auto from = start + std::chrono::milliseconds{static_cast<std::int64_t>(1'000 + random() % 2'000)};
            const auto length = std::chrono::milliseconds{static_cast<std::int64_t>(200 + random() % 2'800)};
            one->spells.push_back({from, from + length, random.uniform() < 0.5 ? 0.0 : 0.1});
        }
        links.push_back({.speed = [of = one.get()](TimePoint now) { return of->speed(now); },
                         .latency = std::chrono::microseconds{static_cast<std::int64_t>(50 + random() % 1'000)}});
        weather.push_back(std::move(one));
    }
    auto dispatch = Dispatch<>(std::vector<unsigned>(paths), {});
    auto simulation = Simulation(dispatch, std::move(links));
    auto findings = Findings();
    auto in_vain = std::vector<int>(paths);
    auto back = std::vector<TimePoint>(paths);
    auto calm = std::uint64_t{0};
    auto calm_from = start;
    for (const auto& one : weather)
        for (const auto& spell : one->spells) calm_from = std::max(calm_from, spell.to);
    simulation.over_with = [&](const Dispatcher::Chunk& chunk, TimePoint now, bool arrived) {
        const auto& of = *weather[chunk.path];
        if (of.spells.empty()) return;
        const auto& spell = of.spells.front();
        if (chunk.sent_at < spell.from && now >= spell.from)
            findings.stuck = std::max(findings.stuck, seconds(now - spell.from));
        if (spell.factor == 0 && chunk.sent_at >= spell.from + 500ms && chunk.sent_at < spell.to)
            findings.asked_in_vain = std::max(findings.asked_in_vain, ++in_vain[chunk.path]);
        if (arrived && chunk.sent_at >= spell.to && back[chunk.path] == TimePoint()) back[chunk.path] = now;
    };
    while (simulation.now < start + horizon) {
        const auto before = simulation.moved;
        const auto from = simulation.now;
        const auto took = simulation.transfer(64 * MiB << random() % 3);
        if (from < calm_from + 4s) continue;
        auto speed = 0.0;
        for (const auto& one : weather) speed += one->usual;
        auto bytes = std::uint64_t{0};
        for (std::size_t i = 0; i < paths; ++i) bytes += simulation.moved[i] - before[i];
        findings.used = std::min(findings.used, static_cast<double>(bytes) / speed / seconds(took));
        ++calm;
    }
    REQUIRE(calm > 0);
    for (std::size_t i = 1; i < paths; ++i) {
        const auto& spell = weather[i]->spells.front();
        const auto returned = back[i] == TimePoint() ? simulation.now : back[i];
        findings.away = std::max(findings.away, seconds(returned - spell.to) - seconds(spell.to - spell.from));
    }
    return findings;
}

} // namespace

TEST_CASE("dispatch seeds: links that die and slow down are left, asked seldom, come back, and all of them are used") {
    constexpr auto seeds = sanitized ? 100UL : 1'000UL;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed)
        for (const auto paths : {2UL, 4UL}) {
            CAPTURE(seed);
            CAPTURE(paths);
            const auto findings = run(seed, paths);
            CHECK(findings.used > 0.85);
            CHECK(findings.asked_in_vain <= 3);
            CHECK(findings.away < 1);
            CHECK(findings.stuck < 0.1);
        }
}
