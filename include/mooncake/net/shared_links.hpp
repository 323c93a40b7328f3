#pragma once

#include <mooncake/core/scope.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace mooncake::net::detail {

/// What leads to peers, one for each and shared by all who use it. When there are more than `keep`, those that nobody uses
/// are closed behind the backs of the others: their peers are gone, most likely.
/// `Link` has `asio::awaitable<void> close()`. Lifetime: closed before it dies. Thread: any.
template <class Key, class Link>
class SharedLinks {
  public:
    SharedLinks(Executor executor, std::size_t keep) : keep_(keep), retired_(std::move(executor)) {}

    /// The one of `key`, which `make()` makes if there is none. Null once this is closing.
    template <class Make>
    [[nodiscard]] std::shared_ptr<Link> find_or_make(Key key, const Make& make) {
        const auto lock = std::lock_guard(mutex_);
        if (closed_) return nullptr;
        auto& link = links_[std::move(key)];
        if (!link) link = make();
        auto mine = link; // counts as a use
        if (links_.size() > keep_) retire_all_unused();
        return mine;
    }

    /// Closes those that nobody uses, if there are more than `keep`.
    void retire_unused() {
        const auto lock = std::lock_guard(mutex_);
        if (links_.size() > keep_) retire_all_unused();
    }

    /// Closes them all, used or not. Idempotent.
    asio::awaitable<void> close() {
        auto links = Links();
        {
            const auto lock = std::lock_guard(mutex_);
            closed_ = true;
            links.swap(links_);
        }
        for (const auto& [key, link] : links) co_await link->close();
        co_await retired_.join();
    }

  private:
    using Links = std::map<Key, std::shared_ptr<Link>>;

    static Task<void> retire(std::shared_ptr<Link> link) {
        co_await link->close();
        co_return ok;
    }

    /// Requires: the lock is held.
    void retire_all_unused() {
        std::erase_if(links_, [this](auto& entry) {
            const auto unused = entry.second.use_count() == 1;
            if (unused) (void)retired_.spawn(retire(std::move(entry.second)));
            return unused;
        });
    }

    const std::size_t keep_;
    TaskScope retired_;
    std::mutex mutex_; // of what follows
    Links links_;
    bool closed_ = false;
};

} // namespace mooncake::net::detail
