#pragma once

#include <mooncake/engine/report.hpp>
#include <mooncake/store/client/options.hpp>
#include <mooncake/store/client/reader.hpp>
#include <mooncake/store/client/segment_cache.hpp>
#include <mooncake/store/tenant_key.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// For a message; at least 1.
[[nodiscard]] inline std::uint64_t milliseconds_left(Deadline deadline, std::uint64_t most) noexcept {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.left(SteadyClock{}.now())).count();
    return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(left), 1, most);
}
/// Until when bytes are moved: what has arrived counts even if the rest does not come, and some time is kept for saying so.
[[nodiscard]] inline Deadline moving_until(Deadline deadline) noexcept {
    const auto left = deadline.left(SteadyClock{}.now());
    return Deadline(deadline.at() - std::min<Duration>(left / 8, std::chrono::seconds{1}));
}

[[nodiscard]] inline std::uint64_t pin_milliseconds(Duration time) noexcept {
    return whole_milliseconds(std::max<Duration>(time, std::chrono::milliseconds{1}));
}
/// Of an object whose key is said to the master as `name`: as its owner knows it.
[[nodiscard]] inline ParentKey parent_named(std::string_view name) noexcept { return ParentKey(split_key(name).key); }

/// One put, of one or many objects, in two phases: space, bytes with their checksums, visible. What could not be written
/// with every replica it was given space for is taken back.
template <class Engine, class Master>
class Writer {
  public:
    using Segments = SegmentCache<Engine, Master>;

    Writer(Engine& engine, Master& master, Segments& segments) noexcept
        : engine_(engine), master_(master), segments_(segments) {}

    /// The sentence of the last thing that went wrong.
    [[nodiscard]] const Error& failure() const noexcept { return failure_; }

    /// What a put is told, by views. Lifetime: what they look at outlives the put.
    struct Values {
        std::span<const ConstBytes> bytes;            ///< one a key, or all the pieces of one
        std::span<const std::uint64_t> expected = {}; ///< one a key, with `WriteMode::compare`
        bool pieces = false;
    };

    /// Errors: those that concern all. `not_supported`: an older master, which would not look at the mode.
    Task<PutBatchReport> put(std::vector<std::string> keys, const Values values, const PutOptions options) {
        const auto deadline = options.deadline;
        if (static_cast<std::uint32_t>(options.mode) > master_.limits().newest_mode)
            co_return Error(Errc::not_supported,
                            "the master is older than this client, and replaces no objects; remove it "
                            "and put it anew, or upgrade the master");
        auto start = PutStart{
            .keys = std::move(keys), .replicas = options.replicas, .demand = options.demand, .pin = options.pin};
        start.parents = parents_of(start.keys, options);
        start.mode = options.mode;
        if (options.pin == Pin::soft) start.pin_ms = pin_milliseconds(options.pin_time);
        if (options.time_to_live != Duration::zero())
            start.ttl_ms = whole_milliseconds(std::max<Duration>(options.time_to_live, std::chrono::milliseconds{1}));
        if (options.mode == WriteMode::compare) start.expected.assign(values.expected.begin(), values.expected.end());
        const auto objects = start.keys.size();
        start.sizes.resize(objects);
        for (std::size_t i = 0; i < values.bytes.size(); ++i)
            start.sizes[values.pieces ? 0 : i] += values.bytes[i].size();
        start.near_host = options.near_host;
        start.near_rack = options.near_rack;
        start.preferred.assign(options.preferred.begin(), options.preferred.end());
        start.excluded.assign(options.excluded.begin(), options.excluded.end());
        start.write_deadline_ms = milliseconds_left(deadline, master_.limits().max_write_deadline_ms);
        auto started = co_await master_.call(start, deadline);
        if (!started) co_return started.error();
        if (started->objects.size() != objects)
            co_return Error(Errc::protocol_error, "the master answered for other keys");
        if (!started->no_space.empty()) failure_ = Error(Errc::no_space, started->no_space);
        if (!started->quota.empty()) failure_ = Error(Errc::quota, started->quota);
        for (std::size_t i = 0; i < objects; ++i)
            if (started->objects[i].outcome == Errc::too_large)
                failure_ = Error(Errc::too_large,
                                 "it has " + std::to_string(start.sizes[i]) +
                                     " bytes, and no segment is so large; an object lies in one of them in one piece");
        const auto& spaces = started->objects;
        const auto term = started->term;
        co_await open_segments(term, spaces, deadline);

        auto report = PutBatchReport();
        report.replicas.resize(objects);
        for (const auto& space : spaces) {
            report.outcomes.push_back(space.outcome);
            report.versions.push_back(space.version);
        }
        auto batch = engine_.batch();
        batch.reserve(objects);
        for (std::size_t i = 0; i < objects; ++i)
            add(batch, values.pieces ? values.bytes : values.bytes.subspan(i, 1), spaces[i], report.outcomes[i]);
        const auto moving =
            TransferOptions{.deadline = moving_until(deadline), .digest = values.pieces ? Digest::none : Digest::xxh3};
        const auto moved = co_await batch.submit(moving);
        if (!moved) failure_ = moved.error();
        else if (!(moved->failure == Errc::ok)) failure_ = moved->failure;

        auto end = PutEnd{.objects = {}, .lease = options.lease, .term = term};
        auto settled = PutAbort{.writer = WriterState::settled, .term = term};
        auto unsettled = PutAbort{.writer = WriterState::unknown, .term = term};
        auto written = std::vector<std::size_t>();
        auto request = std::size_t{0};
        for (std::size_t i = 0; i < objects; ++i) {
            if (spaces[i].outcome != Errc::ok) continue;
            auto sums = Checksums();
            auto writer = WriterState::settled;
            const auto reports = report.outcomes[i] != Errc::ok ? 0 : spaces[i].replicas.size();
            for (std::size_t k = 0; k < reports; ++k, ++request) {
                if (moved && !moved->requests[request].settled) writer = WriterState::unknown;
                if (!moved) report.outcomes[i] = moved.error().code();
                else merge(moved->requests[request], k == 0, sums, report.outcomes[i]);
            }
            if (report.outcomes[i] == Errc::ok) {
                if (values.pieces) sums = chunk_checksums(values.bytes);
                report.replicas[i] = static_cast<std::uint32_t>(spaces[i].replicas.size());
                end.objects.push_back({.key = std::move(start.keys[i]),
                                       .version = spaces[i].version,
                                       .checksums = std::move(sums),
                                       .writer = writer});
                written.push_back(i);
            } else {
                report.versions[i] = 0;
                auto& abort = writer == WriterState::settled ? settled : unsettled;
                abort.keys.push_back(std::move(start.keys[i]));
                abort.versions.push_back(spaces[i].version);
            }
        }
        // One that does not arrive: the master gives the write up at its deadline.
        if (!settled.keys.empty()) (void)co_await master_.call(settled, Deadline(std::chrono::seconds(1)));
        if (!unsettled.keys.empty()) (void)co_await master_.call(unsettled, Deadline(std::chrono::seconds(1)));
        if (end.objects.empty()) co_return report;
        const auto asked = SteadyClock{}.now();
        const auto ended = co_await master_.call(end, deadline);
        if (!ended) co_return ended.error();
        for (std::size_t k = 0; k < written.size() && k < ended->outcomes.size(); ++k) {
            report.outcomes[written[k]] = ended->outcomes[k];
            if (ended->outcomes[k] != Errc::ok) report.replicas[written[k]] = 0, report.versions[written[k]] = 0;
        }
        report.lease = {.id = ended->lease, .trusted_until = trusted_until(asked, ended->lease_ms)};
        co_return report;
    }

  private:
    /// None at all where nobody told of any.
    [[nodiscard]] static std::vector<std::uint64_t> parents_of(const std::vector<std::string>& keys,
                                                               const PutOptions& options) {
        auto parents = std::vector<std::uint64_t>();
        if (options.parent.hash() == 0 && options.chain == Chain::no) return parents;
        parents.resize(keys.size(), options.parent.hash());
        if (options.chain == Chain::yes)
            for (std::size_t i = 1; i < keys.size(); ++i) parents[i] = parent_named(keys[i - 1]).hash();
        return parents;
    }

    asio::awaitable<void> open_segments(std::uint64_t term, const std::vector<PutSpace>& spaces, Deadline deadline) {
        opened_ = segments_.opened(term);
        auto missing = opened_.missing(spaces);
        if (missing.empty()) co_return;
        const auto opened = co_await segments_.open(term, std::move(missing), deadline);
        if (!opened) failure_ = opened.error();
        opened_ = segments_.opened(term);
    }

    template <class Batch>
    void add(Batch& batch, std::span<const ConstBytes> value, const PutSpace& space, Errc& outcome) {
        if (space.outcome != Errc::ok) return;
        for (const auto& replica : space.replicas)
            if (opened_.find(replica.segment) == nullptr) {
                outcome = or_gave_up(Errc::unreachable, failure_);
                if (failure_ == Errc::ok)
                    failure_ =
                        Error(outcome, "a segment that was to hold it could not be opened; if its node died, try again "
                                       "once the master has dropped it");
                return;
            }
        for (const auto& replica : space.replicas)
            batch.write(value, *opened_.find(replica.segment), replica.offset, replica.key, replica.epoch);
    }

    /// The checksums of the first replica count; another one that differs means that the value changed while it was written.
    template <class Report>
    static void merge(const Report& moved, bool first, Checksums& sums, Errc& outcome) {
        if (outcome != Errc::ok) return;
        outcome = moved.outcome;
        if (first) sums = moved.checksums;
        else if (outcome == Errc::ok && sums != moved.checksums) outcome = Errc::corrupt;
    }

    Engine& engine_;
    Master& master_;
    Segments& segments_;
    typename Segments::Opened opened_;
    Error failure_;
};

} // namespace mooncake::store::detail
