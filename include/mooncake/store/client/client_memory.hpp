#pragma once

/// What a `Client` remembers of objects, so that it need not ask for them again: see `ClientConfig::cached_descriptors`.

#include <mooncake/store/client/client.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// Forgets keys when their write ends, however it does: before whoever waits for it goes on.
template <class Cache> // so that it is compiled where it is used
class ForgetAtEnd {
  public:
    ForgetAtEnd(Cache& cache, std::span<const std::string> keys) : cache_(cache) {
        if (cache.is_on()) keys_.assign(keys.begin(), keys.end());
    }
    ForgetAtEnd(const ForgetAtEnd&) = delete;
    ForgetAtEnd& operator=(const ForgetAtEnd&) = delete;
    ~ForgetAtEnd() {
        for (const auto& key : keys_) (void)cache_.forget(key);
    }

  private:
    Cache& cache_;
    std::vector<std::string> keys_;
};

template <class One>
std::span<const One> only(const One& one) noexcept {
    return {&one, 1};
}

/// What is known of the object, if it may be used.
template <class Traits>
auto Client<Traits>::known_of(std::string_view key, Freshness freshness) -> Known {
    if (!descriptors_.is_on() || freshness == Freshness::newest) return nullptr;
    return descriptors_.find(key, SteadyClock{}.now());
}

/// The same of all of them, or of none.
template <class Traits>
auto Client<Traits>::known_of(const Keys& keys, Freshness freshness) -> std::vector<Known> {
    auto all = std::vector<Known>();
    if (!descriptors_.is_on() || freshness == Freshness::newest) return all;
    const auto now = SteadyClock{}.now();
    all.reserve(keys.size());
    for (const auto& key : keys) {
        all.push_back(descriptors_.find(key, now));
        if (all.back() == nullptr) return {};
    }
    return all;
}

/// To be taken before the master is asked.
template <class Traits>
auto Client<Traits>::stamps_of(std::span<const std::string> keys) const -> Stamps {
    auto stamps = Stamps();
    if (!descriptors_.is_on()) return stamps;
    stamps.reserve(keys.size());
    for (const auto& key : keys) stamps.push_back(descriptors_.stamp(key));
    return stamps;
}

/// Keeps what was read, under its lease. Takes nothing from the reader.
template <class Traits>
void Client<Traits>::remember(const Reader& reader, std::span<const Errc> outcomes, const Stamps& asked,
                              const std::shared_ptr<CachedLease>& lease) {
    const auto now = SteadyClock{}.now();
    for (std::size_t i = 0; i < outcomes.size(); ++i)
        if (outcomes[i] == Errc::ok)
            descriptors_.insert({.key = reader.key(i),
                                 .object = reader.objects()[i],
                                 .term = reader.term(),
                                 .until = lease->trusted_until(),
                                 .lease = lease},
                                asked[i], now);
}

/// The same, and its lease with it; false: that is the caller's still.
template <class Traits>
bool Client<Traits>::keep(const Reader& reader, std::span<const Errc> outcomes, const Stamps& asked,
                          CachedLease::Told told) {
    if (!descriptors_.is_on() || !reader.lease()) return false;
    remember(reader, outcomes, asked, keeper_.cache(reader.lease().id, reader.lease().trusted_until, told));
    return true;
}

/// What a view holds of it; null: it was given up, or others may release it.
template <class Traits>
std::shared_ptr<const OpenLease> Client<Traits>::view_under(const std::shared_ptr<CachedLease>& lease) {
    auto first = false;
    if (lease->told() || !lease->open_view(first)) return nullptr;
    auto view = std::make_shared<const ViewUnderLease>(lease);
    if (first) keeper_.watch(lease);
    return {std::move(view), lease.get()};
}

template <class Traits>
auto Client<Traits>::forget(std::span<const std::string> keys) -> std::vector<Known> {
    auto known = std::vector<Known>();
    for (const auto& key : keys) known.push_back(descriptors_.forget(key));
    return known;
}

/// Releases the leases, but for those that views are open under, so that they stand in nobody's way.
template <class Traits>
asio::awaitable<void> Client<Traits>::give_up(std::vector<Known> known) {
    if (!descriptors_.is_on()) co_return;
    for (const auto& one : known)
        if (one != nullptr && !one->lease->told() && one->lease->give_up()) keeper_.release(one->lease->id());
    known.clear();
    co_await keeper_.flush();
}

template <class Traits>
Task<std::vector<Errc>> Client<Traits>::remove_known(Keys keys, RemoveMode mode, Deadline deadline) {
    const auto forgotten = ForgetAtEnd(descriptors_, keys);
    co_await give_up(forget(keys));
    auto outcomes = outcomes_of(std::move(keys), Remove{.keys = {}, .mode = mode}, LookUp::each, deadline);
    co_return co_await std::move(outcomes);
}

} // namespace mooncake::store::detail
