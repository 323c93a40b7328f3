#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/task.hpp>
#include <mooncake/metadata/concept.hpp>
#include <mooncake/metadata/fwd.hpp>

#include <algorithm>
#include <deque>
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

    explicit BasicMemoryMetadata(C clock = {}) : clock_(std::move(clock)) {}

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

    Task<std::uint64_t> compare_and_swap(std::string key, std::uint64_t version, std::string value, Deadline deadline) {
        return compare_and_swap(std::move(key), version, std::move(value), 0, deadline);
    }
    Task<std::uint64_t> compare_and_swap(std::string key, std::uint64_t version, std::string value, std::uint64_t lease,
                                         Deadline) {
        const auto lock = std::lock_guard(mutex_);
        expire();
        if (lease != 0 && !leases_.contains(lease)) co_return lease_over();
        const auto found = entries_.find(key);
        const auto current = found == entries_.end() ? 0 : found->second.document.version;
        if (current != version)
            co_return Error(Errc::conflict, in_quotes(key, 256) + " is at version " + std::to_string(current) +
                                                ", not " + std::to_string(version));
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
        leases_.emplace(++last_lease_, Lease{.ttl = ttl, .until = clock_.now() + ttl});
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

    [[nodiscard]] static Error lease_over() {
        return {Errc::not_found, "the lease is over; grant another and put again"};
    }

    std::uint64_t store(std::string key, std::string value, std::uint64_t lease) {
        entries_.insert_or_assign(
            std::move(key), Entry{.document = {.value = std::move(value), .version = ++version_}, .lease = lease});
        notify();
        return version_;
    }

    typename std::map<std::string, Entry>::iterator erase(typename std::map<std::string, Entry>::iterator entry) {
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
        if (std::erase_if(leases_, [now](const auto& lease) { return lease.second.until <= now; }) == 0) return;
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
    std::mutex mutex_;
    std::map<std::string, Entry> entries_;
    std::map<std::uint64_t, Lease> leases_;
    std::deque<Removal> removals_;
    Watchers watchers_;
    std::uint64_t version_ = 0, forgotten_ = 0, last_lease_ = 0;
};

} // namespace mooncake
