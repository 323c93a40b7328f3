#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/task.hpp>
#include <mooncake/metadata/concept.hpp>
#include <mooncake/metadata/fwd.hpp>

#include <algorithm>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace mooncake {

/// Choose this when: every engine lives in this process. Share one between them.
template <Clock C>
class BasicMemoryMetadata {
  public:
    static constexpr auto capabilities =
        MetadataCapabilities{.compare_and_swap = true, .list = true, .watch = true, .lease = true};

    /// `most_bytes`: of keys, values and leases; what would be beyond is refused with `no_space`.
    explicit BasicMemoryMetadata(C clock = {}, std::uint64_t most_bytes = std::numeric_limits<std::uint64_t>::max())
        : clock_(std::move(clock)), most_bytes_(most_bytes) {}

    Task<std::uint64_t> put(std::string key, std::string value, Deadline) {
        const auto lock = std::lock_guard(mutex_);
        expire();
        co_return store(std::move(key), std::move(value), 0);
    }

    Task<Document> get(std::string key, Deadline) {
        const auto lock = std::lock_guard(mutex_);
        expire();
        const auto found = entries_.find(key);
        if (found == entries_.end()) co_return Error(Errc::not_found, "there is no record of " + in_quotes(key, 256));
        co_return found->second.document;
    }

    Task<void> remove(std::string key, Deadline) {
        const auto lock = std::lock_guard(mutex_);
        expire();
        if (const auto found = entries_.find(key); found != entries_.end()) erase(found);
        co_return ok;
    }

    Task<void> remove(std::string key, std::uint64_t version, Deadline) {
        const auto lock = std::lock_guard(mutex_);
        expire();
        const auto found = entries_.find(key);
        const auto current = version_of(found);
        if (current != version) co_return conflict(key, current, version);
        if (current != 0) erase(found);
        co_return ok;
    }

    Task<std::uint64_t> compare_and_swap(std::string key, std::uint64_t version, std::string value, Deadline deadline) {
        return compare_and_swap(std::move(key), version, std::move(value), 0, deadline);
    }
    Task<std::uint64_t> compare_and_swap(std::string key, std::uint64_t version, std::string value, std::uint64_t lease,
                                         Deadline) {
        const auto lock = std::lock_guard(mutex_);
        expire();
        if (lease != 0 && !leases_.contains(lease)) co_return lease_over();
        const auto current = version_of(entries_.find(key));
        if (current != version) co_return conflict(key, current, version);
        co_return store(std::move(key), std::move(value), lease);
    }

    Task<std::vector<DocumentChange>> list(std::string prefix, Deadline) {
        const auto lock = std::lock_guard(mutex_);
        expire();
        auto found = std::vector<DocumentChange>();
        for (auto at = entries_.lower_bound(prefix); at != entries_.end() && at->first.starts_with(prefix); ++at)
            found.push_back({.key = at->first, .document = at->second.document, .removed = false});
        co_return found;
    }

    /// About as many bytes as `list`, or `watch` for what is later than `version`, would give now.
    /// Complexity: O(documents with that prefix).
    [[nodiscard]] std::uint64_t bytes_of(const std::string& prefix, std::uint64_t version = 0) const {
        const auto lock = std::lock_guard(mutex_);
        auto sum = std::uint64_t{0};
        for (auto at = entries_.lower_bound(prefix); at != entries_.end() && at->first.starts_with(prefix); ++at)
            sum += at->second.document.version > version ? bytes_of(*at) : 0;
        return sum;
    }

    Task<std::vector<DocumentChange>> watch(std::string prefix, std::uint64_t version, Deadline deadline) {
        auto changed = Event();
        auto place = watchers_.end();
        auto leave = Leave{*this, place};
        for (;;) {
            auto until = deadline;
            {
                const auto lock = std::lock_guard(mutex_);
                if (place == watchers_.end()) place = watchers_.insert(place, &changed);
                expire();
                if (version < forgotten_)
                    co_return Error(Errc::conflict,
                                    "changes after version " + std::to_string(version) + " are forgotten; list again");
                auto found = changes_after(prefix, version);
                if (!found.empty()) co_return found;
                if (const auto next = next_expiry())
                    until = until.or_sooner(Deadline(*next - clock_.now() + std::chrono::milliseconds{1}));
            }
            const auto wake = co_await changed.wait(until);
            if (wake == Wake::cancelled || (wake == Wake::timed_out && deadline.passed())) co_return to_errc(wake);
        }
    }

    Task<std::uint64_t> grant(std::chrono::milliseconds ttl, Deadline) {
        const auto lock = std::lock_guard(mutex_);
        expire();
        if (overhead > most_bytes_ - bytes_) co_return no_space();
        bytes_ += overhead;
        const auto until = clock_.now() + ttl;
        leases_.emplace(++last_lease_, Lease{.ttl = ttl, .until = until});
        first_end_ = std::min(first_end_, until);
        co_return last_lease_;
    }

    Task<void> keep_alive(std::uint64_t lease, Deadline) {
        const auto lock = std::lock_guard(mutex_);
        expire();
        const auto found = leases_.find(lease);
        if (found == leases_.end()) co_return lease_over();
        found->second.until = clock_.now() + found->second.ttl;
        co_return ok;
    }

    Task<std::uint64_t> put_leased(std::string key, std::string value, std::uint64_t lease, Deadline) {
        const auto lock = std::lock_guard(mutex_);
        expire();
        if (!leases_.contains(lease)) co_return lease_over();
        co_return store(std::move(key), std::move(value), lease);
    }

    [[nodiscard]] std::string locator(std::string key) const { return key; }
    void start() noexcept {}
    asio::awaitable<void> close() { co_return; }

  private:
    static constexpr std::size_t remembered_removals = 1024;

    struct Entry {
        Document document;
        std::uint64_t lease = 0;
    };
    struct Lease {
        std::chrono::milliseconds ttl{};
        TimePoint until;
    };
    struct Removal {
        std::string key;
        std::uint64_t version = 0;
    };
    using Watchers = std::list<Event*>;
    struct Leave {
        BasicMemoryMetadata& self;
        typename Watchers::iterator& place;
        ~Leave() {
            const auto lock = std::lock_guard(self.mutex_);
            if (place != self.watchers_.end()) self.watchers_.erase(place);
        }
    };

    using Entries = std::map<std::string, Entry>;

    [[nodiscard]] std::uint64_t version_of(typename Entries::const_iterator entry) const {
        return entry == entries_.end() ? 0 : entry->second.document.version;
    }
    [[nodiscard]] static Error conflict(const std::string& key, std::uint64_t current, std::uint64_t expected) {
        return {Errc::conflict, in_quotes(key, 256) + " is at version " + std::to_string(current) + ", not " +
                                    std::to_string(expected)};
    }
    [[nodiscard]] static Error lease_over() {
        return {Errc::not_found, "the lease is over; grant another and put again"};
    }

    Result<std::uint64_t> store(std::string key, std::string value, std::uint64_t lease) {
        const auto found = entries_.find(key);
        const auto freed = found == entries_.end() ? 0 : bytes_of(*found);
        const auto wanted = overhead + key.size() + value.size();
        if (wanted > most_bytes_ - (bytes_ - freed)) return no_space();
        bytes_ += wanted - freed;
        entries_.insert_or_assign(
            std::move(key), Entry{.document = {.value = std::move(value), .version = ++version_}, .lease = lease});
        notify();
        return version_;
    }

    static constexpr std::uint64_t overhead = 128; ///< of an entry, or a lease, about

    [[nodiscard]] static std::uint64_t bytes_of(const typename Entries::value_type& entry) noexcept {
        return overhead + entry.first.size() + entry.second.document.value.size();
    }
    [[nodiscard]] Error no_space() const {
        return {Errc::no_space,
                "the metadata holds " + std::to_string(bytes_) + " bytes, and may hold " + std::to_string(most_bytes_)};
    }

    typename Entries::iterator erase(typename Entries::iterator entry) {
        bytes_ -= bytes_of(*entry);
        removals_.push_back({entry->first, ++version_});
        if (removals_.size() > remembered_removals) {
            forgotten_ = removals_.front().version;
            removals_.pop_front();
        }
        const auto next = entries_.erase(entry);
        notify();
        return next;
    }

    void expire() {
        const auto now = clock_.now();
        if (now < first_end_) return;
        const auto ended = std::erase_if(leases_, [now](const auto& lease) { return lease.second.until <= now; });
        first_end_ = next_expiry().value_or(TimePoint::max());
        if (ended == 0) return;
        bytes_ -= ended * overhead;
        for (auto at = entries_.begin(); at != entries_.end();)
            at = at->second.lease != 0 && !leases_.contains(at->second.lease) ? erase(at) : std::next(at);
    }

    [[nodiscard]] std::optional<TimePoint> next_expiry() const {
        const auto first = std::min_element(leases_.begin(), leases_.end(), [](const auto& a, const auto& b) {
            return a.second.until < b.second.until;
        });
        return first == leases_.end() ? std::nullopt : std::optional(first->second.until);
    }

    std::vector<DocumentChange> changes_after(std::string_view prefix, std::uint64_t version) const {
        auto found = std::vector<DocumentChange>();
        for (auto at = entries_.lower_bound(std::string(prefix)); at != entries_.end() && at->first.starts_with(prefix);
             ++at)
            if (at->second.document.version > version)
                found.push_back({.key = at->first, .document = at->second.document, .removed = false});
        for (const auto& removal : removals_)
            if (removal.version > version && removal.key.starts_with(prefix) && !entries_.contains(removal.key))
                found.push_back(
                    {.key = removal.key, .document = {.value = {}, .version = removal.version}, .removed = true});
        std::sort(found.begin(), found.end(),
                  [](const auto& a, const auto& b) { return a.document.version < b.document.version; });
        return found;
    }

    void notify() {
        for (auto* watcher : watchers_) watcher->set();
    }

    const C clock_;
    const std::uint64_t most_bytes_;
    mutable std::mutex mutex_;
    Entries entries_;
    std::map<std::uint64_t, Lease> leases_;
    std::deque<Removal> removals_;
    Watchers watchers_;
    std::uint64_t bytes_ = 0;
    TimePoint first_end_ = TimePoint::max(); ///< no lease ends sooner
    std::uint64_t version_ = 0, forgotten_ = 0, last_lease_ = 0;
};

} // namespace mooncake
