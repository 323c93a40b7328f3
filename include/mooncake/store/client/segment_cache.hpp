#pragma once

#include <mooncake/core/combine.hpp>
#include <mooncake/store/master_link.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// The segments that descriptors name, opened once. One that could not be opened is not tried again for a while, so that a
/// dead node costs its readers one deadline and not one each. Numbers of segments are of one term of the master: those of
/// an earlier one are forgotten with it.
template <class Engine, class Master>
class SegmentCache {
  public:
    using Segment = typename Engine::Segment;

  private:
    struct Known {
        Segment segment;
        TimePoint retry_at{};
    };
    using Map = std::unordered_map<std::uint32_t, Known>;

  public:
    /// What one operation knows of the segments: as they were when it asked, and without a lock.
    class Opened {
      public:
        Opened() = default;

        /// Null when it is not open.
        [[nodiscard]] const Segment* find(std::uint32_t id) const noexcept {
            const auto* const known = look_up(id);
            return known != nullptr && known->segment ? &known->segment : nullptr;
        }

        /// The segments of replicas of `objects` that have yet to be opened, each once, by id.
        template <class Objects>
        [[nodiscard]] std::vector<std::uint32_t> missing(const Objects& objects) const {
            auto ids = std::vector<std::uint32_t>();
            for (const auto& object : objects)
                for (const auto& replica : object.replicas)
                    if (may_open(replica.segment)) ids.push_back(replica.segment);
            std::sort(ids.begin(), ids.end());
            ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
            return ids;
        }

      private:
        friend class SegmentCache;
        explicit Opened(std::shared_ptr<const Map> known) noexcept : known_(std::move(known)) {}

        [[nodiscard]] const Known* look_up(std::uint32_t id) const noexcept {
            if (!known_) return nullptr;
            const auto found = known_->find(id);
            return found == known_->end() ? nullptr : &found->second;
        }
        [[nodiscard]] bool may_open(std::uint32_t id) const noexcept {
            const auto* const known = look_up(id);
            return known == nullptr || (!known->segment && known->retry_at <= SteadyClock{}.now());
        }

        std::shared_ptr<const Map> known_;
    };

    SegmentCache(Engine& engine, Master& master) noexcept : engine_(engine), master_(master) {}

    /// What is open of the segments that a reply of that term names.
    [[nodiscard]] Opened opened(std::uint64_t term) {
        const auto lock = std::lock_guard(mutex_);
        enter(term);
        return Opened(known_);
    }

    /// The same of what was replied before; nothing, where that was an earlier term.
    [[nodiscard]] std::optional<Opened> still_opened(std::uint64_t term) const {
        const auto lock = std::lock_guard(mutex_);
        return term == term_ ? std::optional(Opened(known_)) : std::nullopt;
    }

    /// Opens the segments `ids`, which are in order, all at once, for those who call `opened` after it. Those that fail stay shut. Of those that were
    /// open, the ones that the master no longer knows are let go, and their connections with them.
    /// That the caller has no more time, or gives up, says nothing of a node: others try it again at once.
    /// Errors: the master's, if it could not be asked; `timed_out`, `cancelled`, where something stayed shut because of that.
    Task<void> open(std::uint64_t term, std::vector<std::uint32_t> ids, Deadline deadline) {
        const auto before = opened(term);
        auto message = Segments{.segments = ids};
        for (const auto& [id, known] : *before.known_) message.segments.push_back(id);
        const auto reply = co_await master_.call(message, deadline);
        if (!reply) co_return reply.error();
        if (reply->term != term)
            co_return Error(Errc::stale_term, "the master was restarted meanwhile; what it said before counts no more");
        auto wanted = std::vector<SegmentInfo>();
        auto alive = std::set<std::uint32_t>();
        for (const auto& info : reply->segments) {
            alive.insert(info.segment);
            if (std::binary_search(ids.begin(), ids.end(), info.segment)) wanted.push_back(info);
        }
        auto tasks = std::vector<Task<Segment>>();
        const auto within = deadline.or_sooner(Deadline(patience));
        for (const auto& info : wanted) tasks.push_back(engine_.open(info.endpoint, within));
        auto opened = co_await all_settled(std::move(tasks));
        const auto retry_at = SteadyClock{}.now() + rest;
        const auto lock = std::lock_guard(mutex_);
        if (term_ != term) co_return ok; // somebody has heard of a later one meanwhile
        auto known = std::make_shared<Map>(*known_);
        for (const auto& [id, old] : *before.known_)
            if (!alive.contains(id)) known->erase(id);
        for (const auto id : ids)
            if (!alive.contains(id)) (*known)[id].retry_at = retry_at;
        auto gave_up = Result<void>(ok);
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            auto& entry = (*known)[wanted[i].segment];
            const auto why = opened[i].error().code();
            if (opened[i] && opened[i]->generation() == wanted[i].generation) entry.segment = std::move(*opened[i]);
            else if (why == Errc::cancelled || (why == Errc::timed_out && within == deadline)) gave_up = why;
            else entry.retry_at = retry_at;
        }
        known_ = std::move(known);
        co_return gave_up;
    }

  private:
    static constexpr auto patience = std::chrono::seconds{2};
    static constexpr auto rest = std::chrono::milliseconds{500};

    /// Requires: the lock is held.
    void enter(std::uint64_t term) {
        if (std::exchange(term_, term) != term) known_ = std::make_shared<Map>();
    }

    Engine& engine_;
    Master& master_;
    mutable std::mutex mutex_; // of what follows
    std::uint64_t term_ = 0;
    std::shared_ptr<const Map> known_ = std::make_shared<Map>(); // replaced, never changed
};

} // namespace mooncake::store::detail
