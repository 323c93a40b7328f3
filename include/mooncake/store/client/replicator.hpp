#pragma once

#include <mooncake/core/combine.hpp>
#include <mooncake/core/event.hpp>
#include <mooncake/store/client/reader.hpp>
#include <mooncake/store/client/replica_options.hpp>
#include <mooncake/store/client/segment_cache.hpp>
#include <mooncake/store/client/sentences.hpp>
#include <mooncake/store/client/split.hpp>
#include <mooncake/store/client/writer.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// Copies objects from segment to segment, as the master says: reads them, compares them with their checksums, writes them where
/// there is room, and says so. Memory: about `step` bytes for each of `at_once` parts.
template <class Engine, class Master>
class Replicator {
  public:
    using Cache = SegmentCache<Engine, Master>;

    Replicator(Engine& engine, Master& master, Cache& segments) noexcept
        : engine_(engine), master_(master), segments_(segments) {}

    /// What `start` asks for, of all its keys, one part after the other. Errors: those that concern all.
    Task<ReplicaReport> copy(CopyStart start, const Deadline deadline) {
        auto all = ReplicaReport();
        auto keys = std::exchange(start.keys, {});
        auto versions = std::exchange(start.versions, {});
        start.max_bytes = step;
        for (auto done = std::size_t{0}; done < keys.size();) {
            const auto rest = keys.size() - done;
            const auto part = part_of(rest, master_.limits().max_keys,
                                      [&](std::size_t i) { return keys[done + i].size() + most_checksum_bytes; });
            start.keys.assign(keys.begin() + static_cast<std::ptrdiff_t>(done),
                              keys.begin() + static_cast<std::ptrdiff_t>(done + part));
            if (!versions.empty())
                start.versions.assign(versions.begin() + static_cast<std::ptrdiff_t>(done),
                                      versions.begin() + static_cast<std::ptrdiff_t>(done + part));
            const auto copied = co_await copy_part(start, deadline);
            if (!copied) co_return copied.error();
            all.outcomes.insert(all.outcomes.end(), copied->outcomes.begin(), copied->outcomes.end());
            all.replicas.insert(all.replicas.end(), copied->replicas.begin(), copied->replicas.end());
            all.bytes += copied->bytes;
            if (!copied->why.empty()) all.why = copied->why;
            done += copied->outcomes.size();
        }
        co_return all;
    }

    /// Makes good what was lost: every object that has fewer replicas than it ought to have gets them, if there is room.
    Task<MoveReport> repair(const Deadline deadline) {
        auto report = MoveReport();
        const auto start = CopyStart();
        const auto done = co_await walk(0, start, deadline, report);
        if (!done) co_return done.error();
        co_return report;
    }

    /// Nothing is written to the segment named `name` any more, and what lies there is copied to others. It ends when nobody reads
    /// there any more, at its deadline, or when nothing more can be moved; what is left is in the report.
    /// Errors: `not_found` (no such segment), the master's.
    Task<MoveReport> drain(const std::string name, const Deadline deadline) {
        auto report = MoveReport();
        const auto found = co_await find(name, deadline);
        if (!found) co_return found.error();
        const auto message = Drain{.segment = found->segment, .generation = found->generation};
        auto start = CopyStart{.leaving = {found->segment}};
        const auto begun = co_await master_.call(message, deadline);
        if (!begun) co_return begun.error();
        report.left = begun->extents;
        auto pause = Event();
        for (auto stuck = false; report.left != 0 && !stuck && !deadline.passed();) {
            const auto moved_before = report.objects;
            report.failed = 0;
            const auto walked = co_await walk(found->segment, start, deadline, report);
            if (!walked && !deadline.passed()) co_return walked.error();
            stuck = report.failed != 0 && report.objects == moved_before;
            const auto now = co_await master_.call(message, Deadline(time_to_ask)); // its own time may be over
            if (!now) co_return now.error();
            report.left = now->extents;
            if (report.left == 0 || stuck) break;
            const auto wake = co_await pause.wait(Deadline(readers_pause).or_sooner(deadline));
            if (wake == Wake::cancelled) co_return Errc::cancelled;
        }
        co_return report;
    }

    /// Takes back what `drain` said: it takes writes again.
    Task<void> end_drain(const std::string name, const Deadline deadline) {
        const auto found = co_await find(name, deadline);
        if (!found) co_return found.error();
        const auto message = Drain{.segment = found->segment, .generation = found->generation, .mode = DrainMode::end};
        const auto ended = co_await master_.call(message, deadline);
        if (!ended) co_return ended.error();
        co_return ok;
    }

  private:
    static constexpr std::uint64_t step = 16 * MiB; ///< whole chunks
    static_assert(step % checksum_chunk == 0);
    static constexpr std::size_t at_once = 4;
    static constexpr std::uint64_t most_checksum_bytes = 8 * (step / checksum_chunk);
    static constexpr std::chrono::milliseconds readers_pause{50};
    static constexpr std::chrono::seconds time_to_ask{2};

    /// Those of one `CopyStart` that are to be copied.
    struct Work {
        std::vector<std::size_t> places; ///< in the message
        std::vector<std::string> keys;
        std::vector<std::uint64_t> versions; ///< of the objects
        std::vector<std::uint64_t> sizes;
        std::vector<PutSpace> targets;
        std::vector<CopyFate> fates;
        std::vector<Errc> outcomes;
        Error failure;

        /// Where the k-th is, and what became of it: `moved` are the requests from `first` on, one a replica.
        template <class Requests>
        void judge(std::size_t k, const Requests& moved, std::size_t first) {
            fates[k] = CopyFate::written;
            for (std::size_t i = first; i < first + targets[k].replicas.size(); ++i) {
                if (moved[i].outcome != Errc::ok) outcomes[k] = moved[i].outcome;
                if (!moved[i].settled) fates[k] = CopyFate::unknown;
            }
            if (outcomes[k] != Errc::ok && fates[k] == CopyFate::written) fates[k] = CopyFate::failed;
        }
    };

    /// The segment of that name. Errors: `not_found`, the master's, of whom nobody waits long.
    Task<SegmentInfo> find(const std::string name, const Deadline deadline) {
        const auto everything = Segments();
        const auto mounted = co_await master_.call(everything, deadline.or_sooner(Deadline(time_to_ask)));
        if (!mounted) co_return mounted.error();
        for (const auto& info : mounted->segments)
            if (info.name == name) co_return info;
        co_return Error(Errc::not_found, "no segment " + in_quotes(name, 256) + " is mounted, of " +
                                             std::to_string(mounted->segments.size()));
    }

    /// Copies all that a survey of `segment` finds, as `start` says of each.
    Task<void> walk(std::uint32_t segment, const CopyStart start, const Deadline deadline, MoveReport& report) {
        auto survey = Survey{.segment = segment};
        do {
            const auto found = co_await master_.call(survey, deadline);
            if (!found) co_return found.error();
            survey.from = found->next;
            for (auto at = std::size_t{0}; at < found->objects.size();) {
                auto tasks = std::vector<Task<ReplicaReport>>();
                for (auto part = std::size_t{0}; part < at_once && at < found->objects.size(); ++part) {
                    auto some = start;
                    for (auto bytes = std::uint64_t{0}; at < found->objects.size(); ++at) {
                        const auto& object = found->objects[at];
                        bytes += object.size;
                        if (bytes > step && !some.keys.empty()) break;
                        some.keys.push_back(object.key);
                        some.versions.push_back(object.version);
                    }
                    tasks.push_back(copy(std::move(some), deadline));
                }
                const auto copied = co_await all_settled(std::move(tasks));
                for (const auto& part : copied) {
                    if (!part) co_return part.error();
                    count(*part, report);
                }
            }
        } while (survey.from != 0 && !deadline.passed());
        co_return ok;
    }

    static void count(const ReplicaReport& copied, MoveReport& report) {
        report.bytes += copied.bytes;
        for (std::size_t i = 0; i < copied.outcomes.size(); ++i) {
            const auto outcome = copied.outcomes[i];
            // What went, or was replaced, need not be copied; nor what somebody else copies just now.
            const auto needless = outcome == Errc::not_found || outcome == Errc::lost || outcome == Errc::conflict ||
                                  outcome == Errc::being_written;
            if (outcome == Errc::ok) report.objects += copied.replicas[i] != 0 ? 1 : 0;
            else if (!needless) ++report.failed;
        }
        if (!copied.why.empty()) report.why = copied.why;
    }

    /// As much of the beginning of `start`'s keys as the master lets one copy at once.
    /// `bytes`: for which there is to be time; where the first alone has more, it gets more.
    Task<ReplicaReport> copy_part(CopyStart start, const Deadline all_of_it, const std::uint64_t bytes = step) {
        auto report = ReplicaReport();
        // No longer than that, because what a copier that died was writing stays taken for so long.
        const auto deadline =
            all_of_it.or_sooner(Deadline(std::chrono::seconds(10) + std::chrono::microseconds{bytes / 20}));
        start.write_deadline_ms = milliseconds_left(deadline, master_.limits().max_write_deadline_ms);
        const auto asked = SteadyClock{}.now();
        auto started = co_await master_.call(start, deadline);
        if (!started) co_return started.error();
        const auto answered = started->targets.size();
        if (answered == 0 || answered > start.keys.size() || started->sources.size() != answered)
            co_return wrong_count();
        report.why = started->no_space;
        if (started->targets[0].outcome == Errc::ok && started->sources[0].size > bytes) {
            const auto large = started->sources[0].size;
            const auto stop = CopyEnd{.objects = {{.key = start.keys[0],
                                                   .version = started->sources[0].version,
                                                   .copy = started->targets[0].version,
                                                   .fate = CopyFate::failed}},
                                      .lease = started->lease,
                                      .term = started->term};
            const auto stopped = co_await master_.call(stop, deadline);
            if (!stopped) co_return stopped.error();
            start.keys.resize(1);
            start.versions.resize(std::min<std::size_t>(1, start.versions.size()));
            co_return co_await copy_part(std::move(start), all_of_it, large);
        }
        auto work = Work();
        auto found = GetReply{.lease = started->lease, .ttl_ms = started->ttl_ms, .objects = {}, .term = started->term};
        for (std::size_t i = 0; i < answered; ++i) {
            auto& target = started->targets[i];
            report.outcomes.push_back(target.outcome == Errc::exists ? Errc::ok : target.outcome);
            if (target.outcome != Errc::ok) continue;
            work.places.push_back(i);
            work.keys.push_back(std::move(start.keys[i]));
            work.versions.push_back(started->sources[i].version);
            work.sizes.push_back(started->sources[i].size);
            work.targets.push_back(std::move(target));
            found.objects.push_back(std::move(started->sources[i]));
        }
        report.replicas.resize(answered);
        auto end = CopyEnd{.objects = {}, .lease = found.lease, .term = found.term};
        const auto copies = work.places.size();
        work.fates.resize(copies, CopyFate::failed);
        work.outcomes.resize(copies, Errc::ok);
        if (copies != 0) co_await move_bytes(work, std::move(found), asked, moving_until(deadline));
        if (!(work.failure == Errc::ok)) report.why = work.failure.message();
        for (std::size_t k = 0; k < copies; ++k)
            end.objects.push_back({.key = std::move(work.keys[k]),
                                   .version = work.versions[k],
                                   .copy = work.targets[k].version,
                                   .fate = work.fates[k]});
        if (end.lease == 0 && copies == 0) co_return report;
        // One that does not arrive: the master gives the copies up at their deadline, and the lease ends.
        const auto ended = co_await master_.call(end, deadline);
        if (!ended) co_return ended.error();
        if (ended->outcomes.size() != copies || ended->replicas.size() != copies) co_return wrong_count();
        for (std::size_t k = 0; k < copies; ++k) {
            const auto place = work.places[k];
            report.outcomes[place] = work.outcomes[k] != Errc::ok ? work.outcomes[k] : ended->outcomes[k];
            if (report.outcomes[place] != Errc::ok) continue;
            report.replicas[place] = ended->replicas[k];
            report.bytes += work.sizes[k] * work.targets[k].replicas.size();
        }
        co_return report;
    }

    /// Reads what `found` tells, and writes it to its targets.
    asio::awaitable<void> move_bytes(Work& work, GetReply found, const TimePoint asked, const Deadline deadline) {
        auto reader = Reader(engine_, master_, segments_);
        reader.set(Priority::background);
        const auto term = found.term;
        auto keys = work.keys;
        co_await reader.adopt(std::move(keys), std::move(found), asked, deadline);
        auto opened = segments_.opened(term);
        if (auto missing = opened.missing(work.targets); !missing.empty()) {
            const auto done = co_await segments_.open(term, std::move(missing), deadline);
            if (!done) work.failure = done.error();
            opened = segments_.opened(term);
        }
        for (std::size_t k = 0; k < work.targets.size(); ++k)
            for (const auto& replica : work.targets[k].replicas)
                if (opened.find(replica.segment) == nullptr) work.outcomes[k] = Errc::unreachable;
        if (work.sizes.size() == 1 && work.sizes[0] > step) co_await in_steps(work, reader, opened, deadline);
        else co_await at_a_time(work, reader, opened, deadline);
        if (work.failure == Errc::ok) work.failure = reader.failure();
    }

    using Opened = typename Cache::Opened;
    using ReaderOf = Reader<Engine, Master>;

    /// All of them, in one transfer each way.
    asio::awaitable<void> at_a_time(Work& work, ReaderOf& reader, const Opened& opened, const Deadline deadline) {
        auto bytes = std::uint64_t{0};
        for (const auto size : work.sizes) bytes += size;
        const auto memory = std::make_unique_for_overwrite<std::byte[]>(bytes);
        auto into = std::vector<MutableBytes>();
        auto from = std::vector<ConstBytes>();
        for (auto rest = MutableBytes(memory.get(), bytes); const auto size : work.sizes) {
            into.push_back(rest.first(size));
            from.push_back(into.back());
            rest = rest.subspan(size);
        }
        const auto wanted = GetBatchOptions{.deadline = deadline};
        const auto read = co_await reader.read(into, wanted);
        auto batch = engine_.batch();
        auto writes = std::vector<std::size_t>();
        for (std::size_t k = 0; k < work.sizes.size(); ++k) {
            if (work.outcomes[k] == Errc::ok) work.outcomes[k] = read.outcomes[k];
            if (work.outcomes[k] != Errc::ok) continue;
            for (const auto& replica : work.targets[k].replicas)
                batch.write(std::span(from).subspan(k, 1), *opened.find(replica.segment), replica.offset, replica.key,
                            replica.epoch);
            writes.push_back(k);
        }
        if (writes.empty()) co_return;
        const auto moving = TransferOptions{.deadline = deadline, .priority = Priority::background};
        const auto moved = co_await batch.submit(moving);
        auto request = std::size_t{0};
        for (const auto k : writes) {
            if (moved) work.judge(k, moved->requests, request);
            else work.outcomes[k] = moved.error().code();
            request += work.targets[k].replicas.size();
        }
        if (!moved) work.failure = moved.error();
        else if (!(moved->failure == Errc::ok)) work.failure = moved->failure;
    }

    /// The only one, which is large, a part after the other.
    asio::awaitable<void> in_steps(Work& work, ReaderOf& reader, const Opened& opened, const Deadline deadline) {
        const auto memory = std::make_unique_for_overwrite<std::byte[]>(step);
        const auto& target = work.targets[0];
        auto& outcome = work.outcomes[0];
        for (auto offset = std::uint64_t{0}; offset < work.sizes[0] && outcome == Errc::ok; offset += step) {
            const auto part = MutableBytes(memory.get(), std::min(step, work.sizes[0] - offset));
            auto into = std::vector<MutableBytes>{part};
            const auto range = Range{.offset = offset};
            outcome = co_await reader.read_pieces(range, into, Verify::always);
            if (outcome != Errc::ok) break;
            const auto from = ConstBytes(part);
            auto batch = engine_.batch();
            for (const auto& replica : target.replicas)
                batch.write(std::span(&from, 1), *opened.find(replica.segment), replica.offset + offset, replica.key,
                            replica.epoch);
            const auto moving = TransferOptions{.deadline = deadline, .priority = Priority::background};
            const auto moved = co_await batch.submit(moving);
            if (moved) work.judge(0, moved->requests, 0);
            else work.failure = moved.error(), outcome = moved.error().code(), work.fates[0] = CopyFate::failed;
            if (moved && !(moved->failure == Errc::ok)) work.failure = moved->failure;
            if (work.fates[0] == CopyFate::unknown) co_return;
        }
        if (outcome != Errc::ok) work.fates[0] = CopyFate::failed;
    }

    Engine& engine_;
    Master& master_;
    Cache& segments_;
};

} // namespace mooncake::store::detail
