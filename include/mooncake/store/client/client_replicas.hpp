#pragma once

/// How a `Client` copies objects from segment to segment.

#include <mooncake/store/client/client.hpp>
#include <mooncake/store/client/replicator.hpp>
#include <mooncake/store/tenant_key.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// `replicas`: 0: as many as the object ought to have.
inline CopyStart copy_of(std::string_view tenant, std::span<const std::string_view> keys, const ReplicaOptions& options,
                         std::uint32_t replicas = 0) {
    auto names = std::vector<std::string>();
    for (const auto key : keys) names.push_back(key_of_tenant(tenant, key));
    return {.keys = std::move(names),
            .replicas = replicas,
            .preferred = {options.preferred.begin(), options.preferred.end()},
            .excluded = {options.excluded.begin(), options.excluded.end()},
            .near_host = std::string(options.near_host),
            .near_rack = std::string(options.near_rack)};
}

template <class Traits>
Task<ReplicaReport> Client<Traits>::change_replicas_batch(CopyStart start, Deadline deadline) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    if (start.replicas == 0 && start.more == 0 && start.leaving.empty())
        co_return Error(Errc::invalid_argument, "an object has at least one replica; remove takes it away");
    auto replicator = Replicator(engine_, *master_, segments_);
    co_return co_await replicator.copy(std::move(start), deadline);
}

template <class Traits>
Task<std::uint32_t> Client<Traits>::change_replicas(CopyStart start, Deadline deadline) {
    const auto key = start.keys.front();
    const auto wanted = start.replicas;
    const auto report = co_await change_replicas_batch(std::move(start), deadline);
    if (!report) co_return report.error();
    const auto outcome = report->outcomes.front();
    if (outcome == Errc::being_written)
        co_return sentence(outcome, Error(outcome, "somebody writes or copies it just now; try again"), key);
    if (outcome != Errc::ok) co_return sentence(outcome, Error(outcome, report->why), key);
    const auto copied = report->replicas.front();
    co_return copied != 0 ? copied : wanted; // where nothing was to be copied it has as many as were wanted
}

template <class Traits>
Task<void> Client<Traits>::move(CopyStart start, Deadline deadline) {
    const auto moved = co_await change_replicas(std::move(start), deadline);
    if (!moved) co_return moved.error();
    co_return ok;
}

template <class Traits>
Task<MoveReport> Client<Traits>::drain(std::string segment, Deadline deadline) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    auto replicator = Replicator(engine_, *master_, segments_);
    co_return co_await replicator.drain(std::move(segment), deadline);
}

template <class Traits>
Task<void> Client<Traits>::end_drain(std::string segment, Deadline deadline) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    auto replicator = Replicator(engine_, *master_, segments_);
    co_return co_await replicator.end_drain(std::move(segment), deadline);
}

template <class Traits>
Task<MoveReport> Client<Traits>::repair(Deadline deadline) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    auto replicator = Replicator(engine_, *master_, segments_);
    co_return co_await replicator.repair(deadline);
}

template <class Traits>
Task<std::vector<SegmentInfo>> Client<Traits>::segments(Deadline deadline) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    const auto all = Segments();
    auto reply = co_await master_->call(all, deadline);
    if (!reply) co_return reply.error();
    co_return std::move(reply->segments);
}

} // namespace mooncake::store::detail
