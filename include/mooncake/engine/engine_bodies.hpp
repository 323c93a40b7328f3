#pragma once

/// The insides of `TransferEngine`. The parts that it is made of are included by who chooses them; `transfer_engine.hpp` has
/// the default's.

#include <mooncake/core/combine.hpp>
#include <mooncake/core/end_program.hpp>
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/engine/engine_interface.hpp>
#include <mooncake/engine/engine_parts.hpp>
#include <mooncake/engine/plan.hpp>
#include <mooncake/engine/region_handle.hpp>
#include <mooncake/net/codec.hpp>
#include <mooncake/topology/memory_location.hpp>
#include <mooncake/transport/inbox.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mooncake {

template <class Traits>
TransferEngine<Traits>::TransferEngine(Runtime& runtime, Config config)
    : parts_(std::make_unique<Parts>(runtime, std::move(config))) {}

template <class Traits>
TransferEngine<Traits>::TransferEngine(Runtime& runtime) : TransferEngine(runtime, Config()) {}

template <class Traits>
const std::string& TransferEngine<Traits>::name() const noexcept {
    return parts_->config.name;
}

template <class Traits>
std::uint64_t TransferEngine<Traits>::generation() const noexcept {
    return parts_->regions->generation();
}

template <class Traits>
Runtime& TransferEngine<Traits>::runtime() const noexcept {
    return parts_->runtime;
}

template <class Traits>
unsigned TransferEngine<Traits>::cost(const Segment& segment) const {
    return parts_->mover.cost(*segment.state());
}

template <class Traits>
TransferEngine<Traits>::~TransferEngine() {
    if (parts_->closing.is_over()) return;
    if (parts_->runtime.on_own_thread())
        core::detail::end_program("a TransferEngine was destroyed on a thread of its own Runtime, where it cannot wait "
                                  "for its end: co_await engine.close() before");
    sync_wait(parts_->runtime.executor(), close());
}

template <class Traits>
std::string TransferEngine<Traits>::locator() const {
    return parts_->metadata->locator(parts_->config.name);
}

template <class Traits>
std::vector<TransportStatistics> TransferEngine<Traits>::statistics() const {
    return parts_->transports.statistics();
}

template <class Traits>
Task<RegionPin> TransferEngine<Traits>::register_arena(std::shared_ptr<Arena> arena, Rights rights,
                                                       KeySharing sharing) {
    arena->settle_rights(rights);
    auto region = Region{.bytes = arena->bytes(),
                         .rights = rights,
                         .keys = make_keys(rights),
                         .location = memory_location(arena->bytes()),
                         .arena = arena};
    return parts_->add(std::move(region), sharing);
}

template <class Traits>
Task<RegionPin> TransferEngine<Traits>::register_memory(MutableBytes memory, Rights rights, KeySharing sharing) {
    auto region = Region{.bytes = memory,
                         .rights = rights,
                         .keys = make_keys(rights),
                         .location = memory_location(memory),
                         .arena = nullptr};
    return parts_->add(std::move(region), sharing);
}

template <class Traits>
Task<void> TransferEngine<Traits>::unregister(RegionPin region, Deadline deadline) {
    const auto pass = parts_->gate.enter();
    if (!pass) co_return closed();
    const auto throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto pinned = engine::detail::RegionHandle::pins_of(region);
    parts_->regions->remove(region);
    parts_->transports.detach(*region);
    parts_->publisher.hide(*region);
    auto outcome = co_await parts_->publisher.publish();
    auto pause = Event();
    // Rare and short: peers answer within a round trip.
    for (auto wait = std::chrono::microseconds{500}; !pinned.only_by_handles();
         wait = std::min(wait * 2, std::chrono::microseconds{50'000})) {
        const auto wake = co_await pause.wait(Deadline(wait).or_sooner(deadline));
        if (wake != Wake::cancelled && !deadline.passed()) continue;
        outcome =
            Error(wake == Wake::cancelled ? Errc::cancelled : Errc::timed_out, "a region is still in use by a peer");
        break;
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
    co_return outcome;
}

template <class Traits>
bool TransferEngine<Traits>::fence(std::uint64_t offset, std::uint64_t length, std::uint64_t epoch) {
    parts_->regions->fence().raise(offset, length, epoch);
    return parts_->regions->fence().quiet(offset, length, epoch) && parts_->transports.fence(offset, length, epoch);
}

template <class Traits>
auto TransferEngine<Traits>::open(std::string locator, Deadline deadline) -> Task<Segment> {
    const auto pass = parts_->gate.enter();
    if (!pass) co_return closed();
    if (deadline.passed()) co_return Error(Errc::timed_out, "opening segment " + in_quotes(locator, 256));
    const auto document = co_await parts_->metadata->get(locator, deadline);
    if (!document) co_return document.error();
    auto record = engine::detail::decode_record(document->value);
    if (!record)
        co_return Error(Errc::protocol_error, "the record of " + in_quotes(locator, 256) + " could not be decoded");
    auto state =
        std::make_shared<typename Parts::State>(std::move(*record), locator, Parts::breaker_of(parts_->config));
    if (!parts_->transports.find_paths(*state)) {
        auto offers = std::string();
        for (const auto& endpoint : state->record().endpoints) offers += " " + endpoint.protocol;
        auto has = std::string();
        for (const auto known : Parts::Pool::names) has += " " + std::string(known);
        co_return Error(Errc::no_path, "segment " + in_quotes(locator, 256) + " offers" + offers + "; this engine has" +
                                           has + ", and none of them gets there");
    }
    co_return Segment(std::move(state));
}

template <class Traits>
Task<TransferReport> TransferEngine<Traits>::read(MutableBytes local, Segment segment, std::uint64_t offset,
                                                  TransferOptions options) {
    if (auto report = parts_->move_now(Direction::read, local, segment, offset, options)) co_return std::move(*report);
    auto one = batch();
    one.read(local, segment, offset);
    co_return co_await submit_one(std::move(one), options);
}

template <class Traits>
Task<TransferReport> TransferEngine<Traits>::write(ConstBytes local, Segment segment, std::uint64_t offset,
                                                   TransferOptions options) {
    const auto source = MutableBytes(const_cast<std::byte*>(local.data()), local.size()); // only read from
    if (auto report = parts_->move_now(Direction::write, source, segment, offset, options))
        co_return std::move(*report);
    auto one = batch();
    one.write(local, segment, offset);
    co_return co_await submit_one(std::move(one), options);
}

template <class Traits>
Task<BatchReport> TransferEngine<Traits>::submit(const Batch& batch, TransferOptions options) {
    return carry_out(batch, options, nullptr);
}

template <class Traits>
Task<BatchReport> TransferEngine<Traits>::submit(PreparedBatch& prepared, TransferOptions options) {
    return carry_out(prepared.parts_->batch, options, prepared.parts_.get());
}

template <class Traits>
Task<BatchReport> TransferEngine<Traits>::carry_out(const Batch& batch, TransferOptions options,
                                                    typename PreparedBatch::Parts* prepared) {
    const auto pass = parts_->gate.enter();
    if (!pass) co_return closed();
    const auto start = SteadyClock{}.now();
    auto here = typename Parts::PlanInUse(prepared);
    if (here.is_taken())
        co_return Error(Errc::conflict, "the prepared batch is under way already; wait for its report");
    if (!here.is_ready(options.digest)) {
        auto planned = engine::detail::make_plan(batch, options.digest, parts_->config.slice_bytes);
        if (planned && planned->keyless) {
            co_await parts_->refresh_keys(batch, options.deadline);
            planned = engine::detail::make_plan(batch, options.digest, parts_->config.slice_bytes);
        }
        if (!planned) co_return planned.error();
        here.take(std::move(*planned));
    }
    auto& plan = here.plan();
    auto failure = Error();
    const auto at_once = parts_->move_now(plan, options);
    if (plan.groups.size() == 1 && !at_once) {
        const auto moved = co_await parts_->mover.move(plan.groups.front().segment.state(), plan.group(0, options));
        if (!moved) failure = moved.error();
    } else if (!at_once && !plan.groups.empty()) {
        auto tasks = std::vector<Task<void>>();
        for (std::size_t i = 0; i < plan.groups.size(); ++i)
            tasks.push_back(parts_->mover.move(plan.groups[i].segment.state(), plan.group(i, options)));
        const auto results = co_await all_settled(std::move(tasks));
        for (const auto& result : results)
            if (!result) failure = result.error();
    }
    auto report = BatchReport();
    report.requests =
        engine::detail::make_reports(batch, plan, options.digest, Parts::Pool::names, Parts::Pool::self_verifying);
    report.failure = std::move(failure);
    report.took = SteadyClock{}.now() - start;
    co_return report;
}

template <class Traits>
Task<MappedWindow> TransferEngine<Traits>::map(Segment segment, std::uint64_t offset, std::uint64_t length,
                                               Direction direction, std::uint64_t key, Deadline deadline) {
    const auto pass = parts_->gate.enter();
    if (!pass) co_return closed();
    if (!segment) co_return Error(Errc::invalid_argument, "the segment is empty; open one first");
    auto request = engine::detail::WindowRequest{.offset = offset,
                                                 .length = length,
                                                 .key = key != 0 ? key : segment.key_for(offset, direction),
                                                 .direction = direction,
                                                 .deadline = deadline};
    co_return co_await parts_->mover.map(segment.state(), request);
}

template <class Traits>
Task<void> TransferEngine<Traits>::notify(Segment segment, std::uint64_t offset, std::uint64_t length, std::string text,
                                          std::uint64_t key, Deadline deadline) {
    const auto pass = parts_->gate.enter();
    if (!pass) co_return closed();
    if (!segment) co_return Error(Errc::invalid_argument, "the segment is empty; open one first");
    if (text.size() > Inbox::most_text)
        co_return Error(Errc::too_large, "a notification has " + std::to_string(text.size()) + " bytes; give at most " +
                                             std::to_string(Inbox::most_text));
    if (key == 0) key = segment.key_for(offset, Direction::read);
    if (key == 0) key = segment.key_for(offset, Direction::write);
    auto notification =
        Notification{.from = parts_->config.name, .offset = offset, .length = length, .text = std::move(text)};
    auto said = co_await parts_->mover.notify(segment.state(), std::move(notification), key, deadline);
    if (said || !said.error().context().empty()) co_return said;
    co_return Error(said.error().code(), "telling segment " + in_quotes(segment.record().name, 256) + " of " +
                                             std::to_string(length) + " bytes at offset " + std::to_string(offset));
}

template <class Traits>
Task<TransferReport> TransferEngine<Traits>::write_and_notify(ConstBytes local, Segment segment, std::uint64_t offset,
                                                              std::string text, TransferOptions options) {
    auto written = co_await write(local, segment, offset, options);
    if (!written) co_return written;
    const auto said = co_await notify(segment, offset, local.size(), std::move(text), 0, options.deadline);
    if (!said) co_return said.error();
    co_return written;
}

template <class Traits>
Task<Notification> TransferEngine<Traits>::next_notification(Deadline deadline) {
    const auto inbox = parts_->inbox;
    co_return co_await inbox->next(deadline);
}

template <class Traits>
std::optional<Duration> TransferEngine<Traits>::expected_time(const Segment& segment, std::uint64_t bytes) const {
    return parts_->mover.expected(*segment.state(), bytes);
}

template <class Traits>
Task<std::vector<PathProbe>> TransferEngine<Traits>::probe(Segment segment, Deadline deadline) {
    const auto pass = parts_->gate.enter();
    if (!pass) co_return closed();
    if (!segment) co_return Error(Errc::invalid_argument, "the segment is empty; open one first");
    auto tried = co_await all_settled(parts_->mover.probes(segment.state(), deadline));
    auto reports = std::vector<PathProbe>();
    for (auto& one : tried) reports.push_back(std::move(*one));
    co_return reports;
}

template <class Traits>
asio::awaitable<void> TransferEngine<Traits>::close() {
    return parts_->closing.once(parts_->close());
}

template <class Traits>
Task<TransferReport> TransferEngine<Traits>::submit_one(Batch one, TransferOptions options) {
    auto report = co_await submit(one, options);
    if (!report) co_return report.error();
    auto& request = report->requests.front();
    if (request.outcome == Errc::ok) co_return std::move(request);
    const auto way_failed = engine::detail::retryable(request.outcome) && !(report->failure == Errc::ok);
    if (way_failed) co_return report->failure;
    const auto& asked = one.requests().front();
    const auto keyless = request.outcome == Errc::access_denied && asked.key == 0 &&
                         asked.segment.key_for(asked.offset, asked.direction) == 0;
    co_return Error(request.outcome, (asked.direction == Direction::read ? "reading " : "writing ") +
                                         std::to_string(asked.bytes) + " bytes at offset " +
                                         std::to_string(asked.offset) + " of segment " +
                                         in_quotes(asked.segment.record().name, 256) +
                                         (keyless ? ": its record shows no key for that; is the region registered with "
                                                    "these rights and KeySharing::in_record, or give the key yourself"
                                                  : ""));
}

} // namespace mooncake
