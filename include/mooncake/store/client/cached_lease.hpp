#pragma once

#include <mooncake/store/client/open_lease.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace mooncake::store::detail {

/// The lease of descriptors that a client keeps, for reads to come. It ends by itself: only while views are open under it is it
/// renewed, for their sake. Nobody but this client may release it, except where its number was told.
///
/// `Keeper`: as `LeaseKeeper`, `release(id)` and `watch(lease)`; a template, so that neither includes the other.
class CachedLease : public OpenLease {
  public:
    /// `told`: its number was given to the caller, who may release it, here or elsewhere. Then no view may trust it, and what is
    /// read under it is compared.
    enum class Told : bool { no, yes };

    CachedLease(std::uint64_t id, TimePoint trusted, Told told) noexcept : OpenLease(id, trusted), told_(told) {}

    [[nodiscard]] bool told() const noexcept { return told_ == Told::yes; }

    /// One more view; false: the lease was given up. To be watched from now on, if `first` says so.
    [[nodiscard]] bool open_view(bool& first) noexcept {
        auto views = views_.load();
        do {
            if (views == given_up) return false;
        } while (!views_.compare_exchange_weak(views, views + 1));
        first = !watched_.exchange(true);
        return true;
    }
    void close_view() noexcept { views_.fetch_sub(1); }

    /// Whether it is to be renewed. False: nobody looks after it any more, until a view is opened.
    [[nodiscard]] bool wanted() noexcept override {
        watched_ = false;
        return views_.load() != 0 && !watched_.exchange(true);
    }

    /// Gives it up, so that it may be released before its time; not while a view is open under it.
    [[nodiscard]] bool give_up() noexcept {
        auto none = std::uint32_t{0};
        if (!views_.compare_exchange_strong(none, given_up)) return false;
        lose();
        return true;
    }
    [[nodiscard]] bool was_given_up() const noexcept { return views_.load() == given_up; }

  private:
    static constexpr std::uint32_t given_up = ~std::uint32_t{0};

    const Told told_;
    std::atomic<std::uint32_t> views_ = 0;
    std::atomic<bool> watched_ = false;
};

/// A view's share of a lease: what it holds, and asks whether it holds.
class ViewUnderLease {
  public:
    explicit ViewUnderLease(std::shared_ptr<CachedLease> lease) noexcept : lease_(std::move(lease)) {}
    ViewUnderLease(const ViewUnderLease&) = delete;
    ViewUnderLease& operator=(const ViewUnderLease&) = delete;
    ~ViewUnderLease() { lease_->close_view(); }

  private:
    const std::shared_ptr<CachedLease> lease_;
};

} // namespace mooncake::store::detail
