#pragma once

#include <mooncake/core/hash.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/engine/report.hpp>
#include <mooncake/transport/slice.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// From requests to slices, and back to reports. Pure.
namespace mooncake::engine::detail {

inline constexpr std::uint8_t moved_by_none = 255;

/// A group for the transports, and where to note which of them moved each slice.
struct PlannedGroup {
    SliceGroup slices;
    std::span<std::uint8_t> moved_by;
};

/// The slices of a batch, those of one segment and one direction side by side.
template <class Segment>
struct Plan {
    struct Group {
        Segment segment;
        Direction direction = Direction::read;
        std::size_t first = 0, count = 0; ///< of `slices`
    };

    std::vector<Slice> slices;
    std::vector<std::uint32_t> owners;  ///< the request of each slice
    std::vector<std::uint8_t> moved_by; ///< the transport that had each slice last
    std::vector<Group> groups;
    std::vector<Errc> refused;    ///< of each request, before anything is sent
    bool keyless = false;         ///< whether the record of a segment shows no key for a request that brings none
    Digest digest = Digest::none; ///< that it was made for

    /// As it was made: nothing has moved.
    void reset() noexcept {
        for (auto& slice : slices) {
            slice.outcome = Errc::no_path;
            slice.settled = true;
            slice.attempts = 0;
            slice.digest = slice.queued_us = slice.moving_us = 0;
        }
        std::fill(moved_by.begin(), moved_by.end(), moved_by_none);
    }

    [[nodiscard]] PlannedGroup group(std::size_t i, const TransferOptions& options) noexcept {
        const auto& group = groups[i];
        return {.slices = {.direction = group.direction,
                           .digest = options.digest,
                           .slices = std::span(slices).subspan(group.first, group.count),
                           .deadline = options.deadline,
                           .priority = options.priority},
                .moved_by = std::span(moved_by).subspan(group.first, group.count)};
    }
};

/// Joins the groups of one segment and direction that other requests stood between.
template <class Segment>
void merge(Plan<Segment>& plan) {
    if (plan.groups.size() < 2) return;
    auto merged = std::vector<typename Plan<Segment>::Group>();
    auto target = std::vector<std::size_t>();
    for (const auto& group : plan.groups) {
        const auto same = std::find_if(merged.begin(), merged.end(), [&](const auto& other) {
            return other.segment == group.segment && other.direction == group.direction;
        });
        target.push_back(static_cast<std::size_t>(same - merged.begin()));
        if (same == merged.end()) merged.push_back(group);
        else same->count += group.count;
    }
    if (merged.size() == plan.groups.size()) return;
    auto slices = std::vector<Slice>(plan.slices.size());
    auto owners = std::vector<std::uint32_t>(plan.owners.size());
    auto place = std::vector<std::size_t>(merged.size());
    auto sum = std::size_t{0};
    for (std::size_t i = 0; i < merged.size(); ++i)
        merged[i].first = place[i] = std::exchange(sum, sum + merged[i].count);
    for (std::size_t i = 0; i < plan.groups.size(); ++i)
        for (std::size_t k = 0; k < plan.groups[i].count; ++k) {
            const auto to = place[target[i]]++;
            slices[to] = plan.slices[plan.groups[i].first + k];
            owners[to] = plan.owners[plan.groups[i].first + k];
        }
    plan.slices = std::move(slices);
    plan.owners = std::move(owners);
    plan.groups = std::move(merged);
}

template <class Batch>
Result<Plan<typename Batch::Segment>> make_plan(const Batch& batch, Digest digest, std::uint64_t slice_bytes) {
    auto plan = Plan<typename Batch::Segment>();
    plan.digest = digest;
    const auto& requests = batch.requests();
    const auto cut = digest == Digest::xxh3 ? checksum_chunk : slice_bytes;
    plan.refused.resize(requests.size());
    plan.slices.reserve(requests.size());
    plan.owners.reserve(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const auto& request = requests[i];
        if (!request.segment)
            return Error(Errc::invalid_argument, "request " + std::to_string(i) + " names no segment; open one first");
        if (digest == Digest::xxh3 && request.span_count > 1)
            return Error(Errc::invalid_argument,
                         "request " + std::to_string(i) + " has several spans; checksums are for requests with one");
        if (request.bytes > std::numeric_limits<std::uint64_t>::max() - request.offset) {
            plan.refused[i] = Errc::out_of_range;
            continue;
        }
        const auto key = request.key != 0 ? request.key : request.segment.key_for(request.offset, request.direction);
        plan.keyless |= key == 0;
        if (plan.groups.empty() || plan.groups.back().segment != request.segment ||
            plan.groups.back().direction != request.direction)
            plan.groups.push_back(
                {.segment = request.segment, .direction = request.direction, .first = plan.slices.size()});
        auto remote = request.offset;
        for (auto span : batch.spans(request)) {
            while (!span.empty()) {
                const auto length = std::min<std::uint64_t>(span.size(), cut);
                plan.slices.push_back({.local = span.data(),
                                       .length = length,
                                       .remote = remote,
                                       .key = key,
                                       .epoch = request.epoch,
                                       .outcome = Errc::no_path});
                plan.owners.push_back(static_cast<std::uint32_t>(i));
                remote += length;
                span = span.subspan(length);
            }
        }
        plan.groups.back().count = plan.slices.size() - plan.groups.back().first;
    }
    merge(plan);
    plan.moved_by.assign(plan.slices.size(), moved_by_none);
    return plan;
}

/// How a slice went, in the report of its request.
inline void note(TransferReport& report, const Slice& slice) noexcept {
    report.attempts = std::max<unsigned>(report.attempts, slice.attempts);
    report.queued = std::max<Duration>(report.queued, std::chrono::microseconds{slice.queued_us});
    report.moving = std::max<Duration>(report.moving, std::chrono::microseconds{slice.moving_us});
}

template <class Batch, class Names, class Verifying>
std::vector<TransferReport> make_reports(const Batch& batch, const Plan<typename Batch::Segment>& plan, Digest digest,
                                         const Names& names, const Verifying& self_verifying) {
    auto reports = std::vector<TransferReport>(batch.requests().size());
    for (std::size_t i = 0; i < reports.size(); ++i) reports[i].outcome = plan.refused[i];
    for (std::size_t i = 0; i < plan.slices.size(); ++i) {
        auto& report = reports[plan.owners[i]];
        const auto& slice = plan.slices[i];
        if (slice.outcome == Errc::ok) {
            report.bytes += slice.length;
            if (digest == Digest::xxh3) report.checksums.push_back(slice.digest);
        } else if (report.outcome == Errc::ok) {
            report.outcome = slice.outcome;
        }
        report.settled &= slice.settled;
        if (plan.moved_by[i] == moved_by_none) continue;
        report.transport = names[plan.moved_by[i]];
        report.self_verifying &= self_verifying[plan.moved_by[i]];
        note(report, slice);
    }
    for (std::size_t i = 0; i < plan.slices.size(); ++i) {
        auto& report = reports[plan.owners[i]];
        const auto came = plan.slices[i].outcome == Errc::ok && plan.moved_by[i] != moved_by_none;
        if (came && names[plan.moved_by[i]] == report.transport)
            report.devices |= std::uint32_t{1} << plan.slices[i].device % 32;
    }
    for (auto& report : reports)
        if (report.outcome != Errc::ok) report.checksums.clear();
    return reports;
}

} // namespace mooncake::engine::detail
