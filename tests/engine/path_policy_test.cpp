// labels: conformance
#include <mooncake/engine/dispatch.hpp>
#include <mooncake/engine/path_policy/measured.hpp>
#include <mooncake/engine/path_policy/nearest.hpp>
#include <mooncake/engine/path_policy/round_robin.hpp>
#include <mooncake/engine/window/delay_window.hpp>
#include <mooncake/testing/path_policy_conformance.hpp>
#include <mooncake/testing/window_conformance.hpp>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace mooncake;

template class mooncake::engine::detail::Dispatch<testing::MinimalPaths, testing::MinimalWindow>;

namespace {

struct NoName : MeasuredPaths {
    static void name();
};
struct NoChoice {
    static constexpr std::string_view name = "none";
};
struct NoBytes {
    static constexpr std::string_view name = "none";
    void arrived(double, Duration) {}
    void failed() {}
};
struct NoFailure {
    static constexpr std::string_view name = "none";
    void arrived(double, Duration) {}
    [[nodiscard]] std::uint64_t bytes() const { return 1; }
};
static_assert(!PathPolicy<NoName> && !PathPolicy<NoChoice>);
static_assert(!WindowPolicy<NoBytes> && !WindowPolicy<NoFailure>);

} // namespace

TEST_CASE("path policy: measured") { testing::path_policy_conformance<MeasuredPaths>(); }
TEST_CASE("path policy: nearest") { testing::path_policy_conformance<NearestPaths>(); }
TEST_CASE("path policy: round robin") { testing::path_policy_conformance<RoundRobinPaths>(); }
TEST_CASE("window policy: delay") { testing::window_conformance<DelayWindow>(); }

TEST_CASE("path policy: measured sends the last bytes over the fast path, however full, and others over both") {
    const auto now = TimePoint(1h);
    auto paths = std::vector<PathView>{{.in_flight = 2 * MiB, .room = 0, .bytes_per_second = 1e9, .last_used = now},
                                       {.in_flight = 0, .room = 1 * MiB, .bytes_per_second = 1e7, .last_used = now}};
    auto policy = MeasuredPaths();
    CHECK(policy.choose(paths, {1 * MiB, 1 * MiB}, now) == 0);
    CHECK(policy.choose(paths, {1 * MiB, 1 * GiB}, now) == 1);
    // It was not used for a while, and others were: it shows what it can, if that does not take long beside the rest.
    paths[0].room = 1 * MiB;
    paths[0].in_flight = 0;
    paths[1].last_used = now - 1s;
    CHECK(policy.choose(paths, {64 * KiB, 256 * MiB}, now) == 1);
    CHECK(policy.choose(paths, {1 * MiB, 1 * MiB}, now) == 0);
    paths[0].last_used = now - 1s; // nobody was: the fast one
    CHECK(policy.choose(paths, {64 * KiB, 256 * MiB}, now) == 0);
    // One that was never measured has one chunk at a time.
    paths[1] = {.room = 1 * MiB};
    CHECK(policy.choose(paths, {64 * KiB, 64 * KiB}, now) == 1);
}
