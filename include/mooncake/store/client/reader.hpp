#pragma once

#include <mooncake/core/hash.hpp>
#include <mooncake/store/client/descriptor_cache.hpp>
#include <mooncake/store/client/lease_keeper.hpp>
#include <mooncake/store/client/options.hpp>
#include <mooncake/store/client/segment_cache.hpp>
#include <mooncake/transport/concept.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// What became of something that could not be reached: the caller may have had no more time for it, or given up.
[[nodiscard]] inline Errc or_gave_up(Errc outcome, const Error& failure) noexcept {
    return failure == Errc::timed_out || failure == Errc::cancelled ? failure.code() : outcome;
}

/// Which part of an object is read.
struct Range {
    std::uint64_t offset = 0;
    bool to_the_end = false; ///< of the object, whatever more there is memory for
};

/// One read operation, of one or many objects: finds them, under a lease, and brings their bytes, each from its nearest
/// replica and from the next when that fails or its bytes are not what was written.
template <class Engine, class Master>
class Reader {
  public:
    using Segments = SegmentCache<Engine, Master>;

    Reader(Engine& engine, Master& master, Segments& segments) noexcept
        : engine_(engine), master_(master), segments_(segments) {}

    /// Of what it reads from now on, among all that wait for one connection.
    void set(Priority priority) noexcept { priority_ = priority; }

    /// Asks the master, and opens the segments it names.
    Task<void> locate(std::vector<std::string> keys, const GetBatchOptions options) {
        deadline_ = options.deadline;
        wanted_ = Get{.keys = std::move(keys), .mode = options.mode};
        const auto asked = SteadyClock{}.now();
        auto reply = co_await master_.call(wanted_, deadline_);
        if (!reply) co_return reply.error();
        const auto complete = options.mode == LookUp::prefix ? reply->objects.size() <= wanted_.keys.size()
                                                             : reply->objects.size() == wanted_.keys.size();
        if (!complete)
            co_return Error(Errc::protocol_error, "the master answered for other keys than it was asked for");
        auto missing = take(std::move(*reply), asked);
        if (missing.empty()) co_return ok;
        co_await open(std::move(missing));
        co_return ok;
    }

    /// The same of what the master has told already, when it was `asked`: of `keys`, each of which was found.
    asio::awaitable<void> adopt(std::vector<std::string> keys, GetReply reply, TimePoint asked, Deadline deadline) {
        deadline_ = deadline;
        wanted_ = Get{.keys = std::move(keys)};
        auto missing = take(std::move(reply), asked);
        if (!missing.empty()) co_await open(std::move(missing));
    }

    /// Takes what is known instead of asking; false: it is of a master that is gone. Requires: at least one.
    /// Lifetime: `known` outlives the reader.
    [[nodiscard]] bool use(std::span<const DescriptorCache::Entry> known, Deadline deadline) {
        auto opened = segments_.still_opened(known.front()->term);
        if (!opened) return false;
        for (const auto& one : known)
            if (one->term != known.front()->term) return false;
        term_ = known.front()->term;
        opened_ = std::move(*opened);
        deadline_ = deadline;
        known_ = known;
        if (known.size() == 1) objects_ = {&known.front()->object, 1};
        else {
            told_.reserve(known.size());
            for (const auto& one : known) told_.push_back(one->object);
            objects_ = told_;
        }
        return true;
    }

    /// What became of an object that was known: whether that is so, or the master has to be asked.
    [[nodiscard]] bool stands(Errc outcome, Verify verify) const noexcept {
        if (outcome == Errc::ok) return verify != Verify::never || held();
        if (outcome == Errc::too_large || outcome == Errc::out_of_range) return held();
        return outcome == Errc::timed_out || outcome == Errc::cancelled;
    }

    [[nodiscard]] std::span<const ObjectDescriptor> objects() const noexcept { return objects_; }
    [[nodiscard]] const std::string& key(std::size_t object = 0) const noexcept {
        return known_.empty() ? wanted_.keys[object] : known_[object]->key;
    }
    [[nodiscard]] LeaseHandle lease() const noexcept { return lease_; } ///< none, where nobody was asked
    [[nodiscard]] std::uint64_t term() const noexcept { return term_; }
    /// The sentence of the last thing that went wrong.
    [[nodiscard]] const Error& failure() const noexcept { return failure_; }

    /// Brings the bytes of the i-th object into `into[i]`. Requires: one for each that was located.
    /// Lifetime: the memory outlives the read, and so does what `into` points to.
    asio::awaitable<GetBatchReport> read(std::span<const MutableBytes> into, const GetBatchOptions options) {
        auto report = GetBatchReport();
        auto pending = std::vector<Pending>();
        pending.reserve(into.size());
        for (std::size_t i = 0; i < into.size(); ++i) {
            const auto& object = objects_[i];
            const auto fits = object.size <= into[i].size();
            report.sizes.push_back(object.size);
            report.versions.push_back(object.version);
            report.outcomes.push_back(object.outcome != Errc::ok ? object.outcome
                                      : fits                     ? Errc::lost
                                                                 : Errc::too_large);
            if (object.outcome == Errc::ok && fits) pending.push_back({.object = i});
            if (report.outcomes.back() == Errc::too_large) failure_ = too_small(object.size, into[i].size());
        }
        while (!pending.empty()) {
            auto batch = engine_.batch();
            batch.reserve(pending.size());
            std::erase_if(pending, [&](Pending& one) {
                if (add(batch, one, into[one.object])) return false;
                if (one.tried == 0) report.outcomes[one.object] = or_gave_up(Errc::lost, failure_);
                return true;
            });
            if (pending.empty()) break;
            const auto digest = options.verify == Verify::always ? Digest::xxh3 : Digest::none;
            const auto moved =
                co_await batch.submit({.deadline = attempt_until(pending), .digest = digest, .priority = priority_});
            auto cancelled = false;
            for (std::size_t i = 0; i < pending.size(); ++i) {
                auto& one = pending[i];
                const auto bytes = into[one.object].first(objects_[one.object].size);
                const auto outcome = moved ? judge(objects_[one.object], moved->requests[i], bytes, options.verify)
                                           : moved.error().code();
                one.done = outcome == Errc::ok;
                if (one.done) report.outcomes[one.object] = outcome;
                cancelled |= outcome == Errc::cancelled;
                if (outcome == Errc::timed_out)
                    failure_ = Error(outcome, deadline_.passed() ? "its deadline passed while it was read"
                                                                 : "a replica's segment did not answer");
                if (outcome == Errc::corrupt) suspect(one.object, one.now);
            }
            if (moved && !(moved->failure == Errc::ok)) failure_ = moved->failure;
            if (!moved) failure_ = moved.error();
            std::erase_if(pending, [](const Pending& one) { return one.done; });
            if (!cancelled && !deadline_.passed()) continue;
            for (const auto& one : pending) report.outcomes[one.object] = cancelled ? Errc::cancelled : Errc::timed_out;
            break;
        }
        co_await report_suspects();
        co_return report;
    }

    /// Brings bytes of the first object into `into`, one piece after the other: as many as there is memory for, or to its end.
    /// `Verify::always`, or a lease that was over too soon: the chunks at the ends of the range are read whole.
    /// Gives `ok`, or what went wrong; the sentence is in `failure`.
    asio::awaitable<Errc> read_pieces(const Range range, std::vector<MutableBytes>& into, const Verify verify) {
        const auto& object = objects_.front();
        if (object.outcome != Errc::ok) co_return object.outcome;
        auto piece_bytes = std::uint64_t{0};
        for (const auto piece : into) piece_bytes += piece.size();
        if (auto fits = fit(range, into, piece_bytes); fits != Errc::ok) co_return fits;
        const auto end = range.to_the_end ? object.size : range.offset + piece_bytes;
        if (range.offset == end) co_return Errc::ok;
        auto head = std::vector<std::byte>(range.offset % checksum_chunk);
        const auto last_chunk_end = std::min(round_up(end, checksum_chunk), object.size);
        auto tail = std::vector<std::byte>(last_chunk_end - end);
        auto chunks = std::vector<MutableBytes>{head};
        chunks.insert(chunks.end(), into.begin(), into.end());
        chunks.push_back(tail);

        auto outcome = Errc::lost;
        auto whole = verify == Verify::always;
        auto pending = std::vector<Pending>(1);
        for (auto at = next_replica(object, pending[0]); at;) {
            const auto& replica = object.replicas[*at];
            auto batch = engine_.batch();
            const auto& pieces = whole ? chunks : into;
            const auto from = range.offset - (whole ? head.size() : 0);
            batch.read(pieces, *opened_.find(replica.segment), replica.offset + from, replica.key);
            const auto moved = co_await batch.submit({.deadline = attempt_until(pending), .priority = priority_});
            if (!moved) failure_ = moved.error();
            else if (!(moved->failure == Errc::ok)) failure_ = moved->failure;
            outcome = moved ? moved->requests[0].outcome : moved.error().code();
            if (outcome == Errc::ok && !whole && verify == Verify::unless_leased &&
                !(moved->requests[0].self_verifying && trusted())) {
                whole = true; // the same again, with what it takes to compare
                continue;
            }
            if (outcome == Errc::ok && whole && !matches(range.offset / checksum_chunk, chunks)) {
                suspect(0, *at);
                outcome = Errc::corrupt;
            }
            if (outcome == Errc::ok || outcome == Errc::cancelled || deadline_.passed()) break;
            at = next_replica(object, pending[0]);
        }
        co_await report_suspects();
        co_return outcome == Errc::lost ? or_gave_up(outcome, failure_) : outcome;
    }

    /// The nearest replica of the first object as memory of this process.
    Task<MappedWindow> map(const ViewOptions options) {
        const auto& object = objects_.front();
        auto one = Pending();
        auto why = Error(Errc::not_mapped);
        for (auto at = next_replica(object, one); at; at = next_replica(object, one)) {
            const auto& replica = object.replicas[*at];
            auto window = co_await engine_.map(*opened_.find(replica.segment), replica.offset, object.size,
                                               Direction::read, replica.key, deadline_);
            if (!window) {
                why = window.error();
                continue;
            }
            const auto bytes = ConstBytes(window->bytes, object.size);
            const auto unseen =
                options.verify == Verify::never || (options.verify == Verify::unless_leased && trusted());
            if (unseen || chunk_checksums(bytes) == object.checksums) {
                co_await report_suspects();
                co_return std::move(*window);
            }
            suspect(0, *at);
            why = failure_;
        }
        co_await report_suspects();
        co_return why;
    }

  private:
    /// Gives the segments that have yet to be opened.
    [[nodiscard]] std::vector<std::uint32_t> take(GetReply reply, TimePoint asked) {
        told_ = std::move(reply.objects);
        objects_ = told_;
        lease_ = {.id = reply.lease, .trusted_until = trusted_until(asked, reply.ttl_ms)};
        term_ = reply.term;
        opened_ = segments_.opened(term_);
        return opened_.missing(objects_);
    }
    /// A failure shows where a segment turns out not to be open.
    asio::awaitable<void> open(std::vector<std::uint32_t> missing) {
        const auto opened = co_await segments_.open(term_, std::move(missing), deadline_);
        if (!opened) failure_ = opened.error();
        opened_ = segments_.opened(term_);
    }

    struct Pending {
        std::size_t object = 0;
        std::uint32_t tried = 0; ///< a bit for each replica
        std::size_t now = 0;     ///< the replica that is being tried
        bool done = false;
    };

    /// Whether `range` of the first object and the memory for it fit together; of pieces that go beyond its end the rest is cut off.
    [[nodiscard]] Errc fit(const Range& range, std::vector<MutableBytes>& into, std::uint64_t piece_bytes) {
        const auto size = objects_.front().size;
        if (range.to_the_end) {
            if (piece_bytes < size) {
                failure_ = too_small(size, piece_bytes);
                return Errc::too_large;
            }
            for (auto left = size; auto& piece : into) {
                piece = piece.first(std::min<std::uint64_t>(left, piece.size()));
                left -= piece.size();
            }
        } else if (range.offset > size || piece_bytes > size - range.offset) {
            failure_ =
                Error(Errc::out_of_range, std::to_string(piece_bytes) + " bytes from " + std::to_string(range.offset) +
                                              " on are wanted, and it has " + std::to_string(size));
            return Errc::out_of_range;
        }
        return Errc::ok;
    }
    [[nodiscard]] static Error too_small(std::uint64_t size, std::uint64_t memory) {
        return {Errc::too_large,
                "it has " + std::to_string(size) + " bytes, and the memory for it " + std::to_string(memory)};
    }

    /// Whether `chunks` hold the first object's chunks from `first` on.
    [[nodiscard]] bool matches(std::uint64_t first, const std::vector<MutableBytes>& chunks) const {
        const auto sums = chunk_checksums(std::span<const MutableBytes>(chunks));
        const auto& expected = objects_.front().checksums;
        return first + sums.size() <= expected.size() &&
               std::equal(sums.begin(), sums.end(), expected.begin() + static_cast<std::ptrdiff_t>(first));
    }

    /// When to try the next replicas of `pending`, so that a segment that does not answer costs its readers an attempt and
    /// not all of their time. Those that have no other replica left have all the time there is.
    [[nodiscard]] Deadline attempt_until(const std::vector<Pending>& pending) const {
        auto bytes = std::uint64_t{0};
        for (const auto& one : pending) {
            auto rest = one;
            if (!next_replica(objects_[one.object], rest)) return deadline_;
            bytes += objects_[one.object].size;
        }
        return deadline_.or_sooner(
            Deadline(attempt_time + std::chrono::microseconds{bytes / slowest_bytes_per_microsecond}));
    }
    static constexpr std::chrono::microseconds attempt_time = std::chrono::seconds{1};
    static constexpr std::uint64_t slowest_bytes_per_microsecond = 20;

    /// The replica's bytes are not what was written: the master is told, and the next one tried.
    void suspect(std::size_t object, std::size_t replica) {
        failure_ = Error(Errc::corrupt, "a replica's bytes do not match their checksum");
        const auto& bad = objects_[object].replicas[replica];
        suspects_.push_back(
            {.key = key(object), .version = objects_[object].version, .segment = bad.segment, .epoch = bad.epoch});
    }
    asio::awaitable<void> report_suspects() {
        if (suspects_.empty()) co_return;
        const auto message = ReportBad{.replicas = std::exchange(suspects_, {}), .term = term_};
        (void)co_await master_.call(message, Deadline(std::chrono::seconds(1)));
    }

    /// Whether the bytes that were read so far are the object's because of the lease.
    [[nodiscard]] bool trusted() const noexcept {
        const auto now = SteadyClock{}.now();
        if (known_.empty()) return now < lease_.trusted_until;
        return std::ranges::all_of(known_, [now](const DescriptorCache::Entry& one) {
            return !one->lease->told() && now < one->lease->trusted_until();
        });
    }
    /// Whether what was known still is, as far as this client can know.
    [[nodiscard]] bool held() const noexcept {
        const auto now = SteadyClock{}.now();
        return std::ranges::all_of(
            known_, [now](const DescriptorCache::Entry& one) { return now < one->lease->trusted_until(); });
    }

    /// The cheapest replica that was not tried and whose segment is open.
    [[nodiscard]] std::optional<std::size_t> next_replica(const ObjectDescriptor& object, Pending& one) const {
        auto best = std::optional<std::size_t>();
        auto least = 0U;
        for (std::size_t i = 0; i < object.replicas.size() && i < 32; ++i) {
            if ((one.tried >> i & 1U) != 0) continue;
            const auto* const segment = opened_.find(object.replicas[i].segment);
            if (segment == nullptr) continue;
            const auto cost = object.replicas.size() == 1 ? 0 : engine_.cost(*segment);
            if (!best || cost < least) best = i, least = cost;
        }
        if (best) one.tried |= std::uint32_t{1} << *best;
        return best;
    }

    template <class Batch>
    bool add(Batch& batch, Pending& one, MutableBytes into) {
        const auto& object = objects_[one.object];
        const auto at = next_replica(object, one);
        if (!at) {
            if (failure_ == Errc::ok) failure_ = Error(Errc::lost, "no segment that holds it could be opened");
            return false;
        }
        const auto& replica = object.replicas[*at];
        one.now = *at;
        batch.read(into.first(object.size), *opened_.find(replica.segment), replica.offset, replica.key);
        return true;
    }

    template <class Report>
    Errc judge(const ObjectDescriptor& object, const Report& moved, ConstBytes bytes, Verify verify) const {
        if (moved.outcome != Errc::ok || verify == Verify::never) return moved.outcome;
        if (verify == Verify::always) return moved.checksums == object.checksums ? Errc::ok : Errc::corrupt;
        return (moved.self_verifying && trusted()) || chunk_checksums(bytes) == object.checksums ? Errc::ok
                                                                                                 : Errc::corrupt;
    }

    Engine& engine_;
    Master& master_;
    Segments& segments_;
    typename Segments::Opened opened_;
    Deadline deadline_;
    Get wanted_;
    std::vector<ObjectDescriptor> told_;            ///< by the master
    std::span<const DescriptorCache::Entry> known_; ///< instead of it
    std::span<const ObjectDescriptor> objects_;
    std::vector<BadReplica> suspects_;
    std::uint64_t term_ = 0; ///< of the master that answered
    LeaseHandle lease_;
    Priority priority_ = Priority::normal;
    Error failure_;
};

} // namespace mooncake::store::detail
