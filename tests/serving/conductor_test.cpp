// labels: unit
#include <mooncake/core/random.hpp>
#include <mooncake/serving/admission/any.hpp>
#include <mooncake/serving/conductor.hpp>
#include <mooncake/serving/prefill/any.hpp>
#include <mooncake/testing/admission_conformance.hpp>
#include <mooncake/testing/decode_conformance.hpp>
#include <mooncake/testing/prefill_conformance.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace mooncake;

namespace {

struct Minimal : DefaultConductorTraits {
    using Prefill = testing::MinimalPrefill;
    using Decode = testing::MinimalDecode;
    using Admission = testing::MinimalAdmission;
};
struct Any : DefaultConductorTraits {
    using Prefill = AnyPrefill;
    using Decode = LeastTbt;
    using Admission = AnyAdmission;
};
struct Late : DefaultConductorTraits {
    using Admission = LateCheck;
};
struct NoAdmission : DefaultConductorTraits {
    using Prefill = LeastDelay;
    using Decode = LeastTbt;
    using Admission = int;
};
static_assert(ConductorTraits<Minimal> && ConductorTraits<Any> && !ConductorTraits<NoAdmission>);

const auto prompt = std::vector<BlockKey>{1, 2, 3, 4};

ServeRequest request(std::uint64_t id, double now, std::span<const BlockKey> blocks = prompt) {
    return {.id = id, .now = now, .tokens = blocks.size() * 512, .blocks = blocks};
}

} // namespace

TEST_CASE_TEMPLATE("conductor: a request is followed from its arrival to its last token, and leaves nothing", Traits,
                   DefaultConductorTraits, Minimal, Any) {
    auto conductor = Conductor<Traits>({.prefill_instances = 2, .decode_instances = 2});
    const auto first = conductor.route(request(1, 10));
    REQUIRE(first.verdict.admitted());
    const auto seconds = CostModel().prefill_seconds(2048, 0);
    CHECK(first.ttft == doctest::Approx(seconds));
    const auto at = first.prefill.instance;
    CHECK(conductor.view().prefill[at].requests == 1);
    CHECK(conductor.view().prefill[at].queued_seconds == doctest::Approx(seconds));
    CHECK(conductor.view().decode[first.decode].coming_tokens == 2048);
    conductor.prefill_started(1, 10, seconds);
    CHECK(conductor.view().prefill[at].queue.empty());
    CHECK(conductor.view().prefill[at].free_at(10) == doctest::Approx(10 + seconds));
    CHECK(conductor.prefill_finished(1, 10 + seconds));
    CHECK(conductor.view().prefill[at].requests == 0);
    CHECK(conductor.view().prefill[at].new_tokens == 0);
    CHECK(conductor.view().decode[first.decode].sequences == 1);
    CHECK(conductor.view().decode[first.decode].coming == 0);
    conductor.finished(1, 20, 300);
    CHECK(conductor.live() == 0);
    CHECK(conductor.view().decode[first.decode].tokens == 0);
    CHECK(conductor.view().decode[first.decode].work.empty());
    conductor.finished(1, 21, 300); // again: nobody of that id
    conductor.prefill_started(7, 21, 1);
    CHECK(conductor.prefill_finished(7, 21));
}

TEST_CASE("conductor: what an instance stored is used there, fetched elsewhere, and forgotten when it is gone") {
    auto conductor = Conductor<>({.prefill_instances = 2, .decode_instances = 1});
    CHECK(conductor.event({.instance = 0, .sequence = 1, .blocks = prompt}) == IndexFeed::Outcome::applied);
    const auto first = conductor.route(request(1, 0));
    CHECK(first.prefill.instance == 0);
    CHECK(first.prefill.reused == 4);
    const auto long_prompt = [] {
        auto blocks = prompt;
        for (BlockKey key = 100; key < 200; ++key) blocks.push_back(key);
        return blocks;
    }();
    conductor.prefill_started(1, 0, 60); // it is busy
    const auto second = conductor.route(request(2, 0, long_prompt));
    CHECK(second.prefill.instance == 1);
    CHECK(second.prefill.source == 0);
    CHECK(second.prefill.reused == 4);
    CHECK(conductor.view().prefill[0].nic.free_at() > 0);
    conductor.set_prefill(0, ServingState::down);
    const auto third = conductor.route(request(3, 0));
    CHECK(third.prefill.instance == 1);
    CHECK(third.prefill.reused == 0);
    conductor.set_prefill(0, ServingState::up); // with an empty cache, and events from 1
    CHECK(conductor.index().size() == 0);
    CHECK(conductor.event({.instance = 0, .sequence = 1, .blocks = {5}}) == IndexFeed::Outcome::applied);
    CHECK(conductor.event({.instance = 9, .sequence = 1, .blocks = {5}}) == IndexFeed::Outcome::unknown);
}

TEST_CASE("conductor: who cannot be served hears why") {
    auto conductor = Conductor<>({.prefill_instances = 1, .decode_instances = 1});
    const auto all = std::vector<BlockKey>(3'000, 7);
    CHECK(conductor.route(request(1, 0, all)).verdict.reason == Rejection::does_not_fit);
    CHECK(conductor.route({.id = 2, .now = 0, .tokens = 0}).verdict.admitted());
    conductor.set_decode(0, ServingState::down);
    const auto down = conductor.route(request(3, 0)).verdict;
    CHECK(down.reason == Rejection::all_down);
    CHECK(down.retry_after > 0);
    conductor.set_decode(0, ServingState::up);
    conductor.set_prefill(0, ServingState::down);
    CHECK(conductor.route(request(3, 0)).verdict.reason == Rejection::all_down);
    auto impatient = Conductor<>({.prefill_instances = 1, .decode_instances = 1, .ttft_slo = 0});
    CHECK(impatient.route(request(1, 0)).verdict.reason == Rejection::first_token);
}

TEST_CASE("conductor: a prefill that decode has no room for is in vain, and its place is free again") {
    auto conductor = Conductor<Late>({.prefill_instances = 1, .decode_instances = 1, .tbt_slo = .0272});
    for (std::uint64_t id : {1, 2}) REQUIRE(conductor.route(request(id, 0)).verdict.admitted());
    CHECK(conductor.prefill_finished(1, 1)); // 26.2 + .14 + .07 ms
    CHECK(conductor.prefill_finished(2, 1));
    for (std::uint64_t id = 3; id <= 8; ++id) REQUIRE(conductor.route(request(id, 2)).verdict.admitted());
    auto refused = 0;
    for (std::uint64_t id = 3; id <= 8; ++id) refused += !conductor.prefill_finished(id, 3);
    CHECK(refused > 0);
    CHECK(conductor.live() == 8u - static_cast<std::size_t>(refused));
    CHECK(conductor.view().decode[0].coming == 0);
    CHECK(conductor.view().prefill[0].requests == 0);
}

TEST_CASE("conductor: where prefill and decode share an instance, a request counts until its last token") {
    auto conductor = Conductor<>({.mode = ServingMode::coupled, .prefill_instances = 2});
    const auto first = conductor.route(request(1, 0));
    CHECK(first.decode == no_instance);
    conductor.prefill_started(1, 0, 1);
    CHECK(conductor.prefill_finished(1, 1));
    CHECK(conductor.view().prefill[first.prefill.instance].requests == 1);
    CHECK(conductor.view().prefill[first.prefill.instance].new_tokens == 0);
    conductor.finished(1, 5, 10);
    CHECK(conductor.view().prefill[first.prefill.instance].requests == 0);
    CHECK(conductor.view().prefill[first.prefill.instance].active_blocks == 0);
}

TEST_CASE("conductor: a configuration that makes no sense is refused by the name of its field") {
    const auto says = [](const ConductorConfig& config, std::string_view field) {
        const auto valid = validate(config);
        REQUIRE(valid.has_error());
        CHECK(valid.error().context().find(field) != std::string_view::npos);
    };
    CHECK(validate(ConductorConfig{}).has_value());
    CHECK(validate(ConductorConfig{.mode = ServingMode::coupled, .decode_instances = 0}).has_value());
    says({.prefill_instances = 0}, "prefill_instances");
    says({.decode_instances = 0}, "decode_instances");
    says({.cost = {.block_tokens = 0}}, "block_tokens");
    says({.ttft_slo = -1}, "ttft_slo");
    says({.tbt_slo = -1}, "tbt_slo");
}

TEST_CASE("conductor: whatever happens to requests in whatever order, nothing of them is left") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        auto random = SplitMix64(seed);
        auto config = ConductorConfig{.prefill_instances = 4, .decode_instances = 3, .remember = random() % 2 * 5.0};
        if (random() % 3 == 0) config.mode = ServingMode::coupled;
        auto conductor = Conductor<>(config);
        auto sequence = std::vector<std::uint64_t>(4);
        auto now = 0.0;
        for (int step = 0; step < 3'000; ++step) {
            now += .1 * random.uniform();
            const auto id = random() % 40; // often of a request that is in another stage, or of nobody
            const auto instance = static_cast<InstanceId>(random() % 4);
            switch (random() % 9) {
            case 0:
            case 1: {
                auto blocks = std::vector<BlockKey>();
                for (auto key = random() % 50, left = random() % 30; left != 0; --left) blocks.push_back(key++);
                auto asked = request(id, now, blocks);
                asked.priority = static_cast<ServeClass>(random() % 3);
                const auto decision = conductor.route(asked);
                REQUIRE((decision.verdict.admitted() || decision.verdict.retry_after > 0));
                break;
            }
            case 2: conductor.prefill_started(id, now, random.uniform()); break;
            case 3: conductor.prefill_paused(id, now, random.uniform()); break;
            case 4: static_cast<void>(conductor.prefill_finished(id, now)); break;
            case 5: conductor.finished(id, now, random() % 500); break;
            case 6: conductor.gone(id, now); break;
            case 7:
                if (random() % 20 == 0) {
                    const auto state = random() % 3 == 0 ? ServingState::down : ServingState::up;
                    conductor.set_prefill(instance, state);
                    conductor.set_decode(instance, state);
                    sequence[instance] = 0;
                }
                break;
            default:
                conductor.event({.instance = instance,
                                 .sequence = ++sequence[instance],
                                 .kind = static_cast<IndexEvent::Kind>(random() % 3),
                                 .blocks = {random() % 50, random() % 50}});
            }
        }
        for (std::uint64_t id = 0; id < 40; ++id) conductor.gone(id, now);
        CHECK(conductor.live() == 0);
        for (const auto& one : conductor.view().prefill) {
            CHECK(one.requests == 0);
            CHECK(one.active_blocks == 0);
            CHECK(one.new_tokens == 0);
            CHECK(one.queue.empty());
            CHECK(one.queued_seconds == 0);
            CHECK(one.busy_until <= now);
        }
        for (const auto& one : conductor.view().decode) {
            CHECK(one.sequences + one.coming == 0);
            CHECK(one.tokens + one.coming_tokens == 0);
            CHECK(one.work.empty());
        }
    }
}
