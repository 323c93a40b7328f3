#pragma once

#include <mooncake/store/master/object.hpp>
#include <mooncake/store/messages/tenants.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// A tenant, and what it has.
template <class Void> // so that only who runs a master pays for compiling it; the same below
struct BasicTenant {
    std::string name{};
    TenantQuota quota{};
    std::uint64_t bytes = 0, objects = 0, pinned_bytes = 0;
    std::uint64_t evictions = 0, evicted_bytes = 0, taken = 0, refused = 0;
    bool kept = false; ///< its quota is one of its own: it stays, with nothing in it

    /// Whether that much more is within its quota.
    [[nodiscard]] bool fits(std::uint64_t more_bytes, std::uint64_t more_objects) const noexcept {
        return within(bytes, more_bytes, quota.bytes) && within(objects, more_objects, quota.objects);
    }
    /// Whether it would be if nothing else were there.
    [[nodiscard]] bool could_fit(std::uint64_t more_bytes, std::uint64_t more_objects) const noexcept {
        return within(0, more_bytes, quota.bytes) && within(0, more_objects, quota.objects);
    }
    [[nodiscard]] bool fits_pinned(std::uint64_t more) const noexcept {
        return within(pinned_bytes, more, quota.pinned_bytes);
    }

    /// Whether its number may be another's.
    [[nodiscard]] bool is_idle() const noexcept { return !kept && objects == 0 && bytes == 0; }

  private:
    static bool within(std::uint64_t has, std::uint64_t more, std::uint64_t quota) noexcept {
        return quota == 0 || more == 0 || (has <= quota && more <= quota - has);
    }
};
using Tenant = BasicTenant<void>;

/// The tenants by number, what each has, and who has too much. Thread: one at a time (the domain's lock).
template <class Void = void>
class TenantTable {
  public:
    /// `most`: with the one that has no name, which is number 0.
    explicit TenantTable(std::size_t most) : most_(std::clamp<std::size_t>(most, 1, 65'536)), tenants_(1) {}

    /// Of `name`, which has one from now on; none: there are too many others that have, or may have, objects. `forget(number)`:
    /// it was another's before.
    /// Complexity: O(log tenants); O(tenants) for a new one.
    template <class Forget>
    [[nodiscard]] std::optional<TenantNumber> number_of(std::string_view name, const Forget& forget) {
        if (name.empty()) return TenantNumber{0};
        const auto place = place_of(name);
        if (place != by_name_.size() && tenants_[by_name_[place]].name == name) return by_name_[place];
        auto number = tenants_.size();
        if (number >= most_) {
            for (number = 1; number != tenants_.size() && !tenants_[number].is_idle();) ++number;
            if (number == tenants_.size()) return std::nullopt;
            by_name_.erase(by_name_.begin() + static_cast<std::ptrdiff_t>(place_of(tenants_[number].name)));
            tenants_[number] = Tenant();
            forget(static_cast<TenantNumber>(number));
        } else tenants_.emplace_back();
        by_name_.insert(by_name_.begin() + static_cast<std::ptrdiff_t>(place_of(name)),
                        static_cast<TenantNumber>(number));
        tenants_[number].name = name;
        return static_cast<TenantNumber>(number);
    }

    [[nodiscard]] Tenant& operator[](TenantNumber number) noexcept { return tenants_[number]; }
    [[nodiscard]] const Tenant& operator[](TenantNumber number) const noexcept { return tenants_[number]; }
    /// Whether there is one with a name: else nobody has to share.
    [[nodiscard]] bool any() const noexcept { return tenants_.size() > 1; }
    [[nodiscard]] std::size_t most() const noexcept { return most_; }

    void clear_counts() noexcept {
        for (auto& tenant : tenants_) tenant.bytes = tenant.objects = tenant.pinned_bytes = 0;
        pinned_ = {};
    }
    /// It was given its space, and a place in its tenant's order.
    void came(const Object& object) noexcept {
        tenants_[object.tenant].bytes += object.bytes_now();
        ++tenants_[object.tenant].objects;
        count_pin(object);
    }
    /// It has no place there any more; its bytes count until they are given back.
    void left(const Object& object) noexcept {
        --tenants_[object.tenant].objects;
        count_pin_no_more(object);
    }
    void count_pin(const Object& object) noexcept {
        if (object.pin != Pin::hard) return;
        pinned_ += object.held_space();
        tenants_[object.tenant].pinned_bytes += object.held_space().bytes;
    }
    void count_pin_no_more(const Object& object) noexcept {
        if (object.pin != Pin::hard) return;
        pinned_ -= object.held_space();
        tenants_[object.tenant].pinned_bytes -= object.held_space().bytes;
    }
    /// By what is hard-pinned, whosever it is.
    [[nodiscard]] HeldSpace pinned() const noexcept { return pinned_; }
    /// The bytes of an object of `tenant` that were `before` are `now`.
    void changed(TenantNumber tenant, std::uint64_t before, std::uint64_t now) noexcept {
        tenants_[tenant].bytes += now - before;
    }
    /// For one of `putter`.
    void evicted(const Object& object, TenantNumber putter) noexcept {
        auto& tenant = tenants_[object.tenant];
        tenant.taken += object.tenant != putter;
        ++tenant.evictions;
        tenant.evicted_bytes += object.bytes_now();
    }

    /// Whose objects may go for one of `putter` when all is full: those that have more than their share of what there is, the one
    /// that has the most of its share first; last `putter` itself. One that has no more than its share loses nothing to others.
    /// `seen(number)`: whether it was asked before, and has nothing that may go. Complexity: O(tenants).
    template <class Seen>
    [[nodiscard]] std::optional<TenantNumber> next_to_give(TenantNumber putter, const Seen& seen) const {
        auto chosen = std::optional<TenantNumber>();
        if (any()) {
            const auto share = share_with(putter);
            for (std::size_t i = 0; i < tenants_.size(); ++i) {
                const auto number = static_cast<TenantNumber>(i);
                if (of_its_weight(number) <= share || seen(number)) continue;
                if (!chosen || of_its_weight(*chosen) < of_its_weight(number)) chosen = number;
            }
        }
        if (!chosen && !seen(putter)) chosen = putter;
        return chosen;
    }
    /// Of each, whether it is one of those.
    [[nodiscard]] std::vector<bool> may_give(TenantNumber putter) const {
        auto may = std::vector<bool>(tenants_.size());
        const auto share = share_with(putter);
        for (std::size_t i = 0; i < may.size(); ++i)
            may[i] = i == putter || of_its_weight(static_cast<TenantNumber>(i)) > share;
        return may;
    }

    [[nodiscard]] TenantsReply describe() const {
        auto reply = TenantsReply();
        for (const auto& tenant : tenants_)
            if (&tenant == &tenants_.front() || tenant.kept || tenant.objects != 0 || tenant.bytes != 0 ||
                tenant.refused != 0 || tenant.evictions != 0)
                reply.tenants.push_back({.tenant = tenant.name,
                                         .quota = tenant.quota,
                                         .bytes = tenant.bytes,
                                         .objects = tenant.objects,
                                         .pinned_bytes = tenant.pinned_bytes,
                                         .evictions = tenant.evictions,
                                         .evicted_bytes = tenant.evicted_bytes,
                                         .taken = tenant.taken,
                                         .refused = tenant.refused});
        std::sort(reply.tenants.begin(), reply.tenants.end(),
                  [](const TenantInfo& a, const TenantInfo& b) { return a.tenant < b.tenant; });
        return reply;
    }

  private:
    /// Of the first that is not before `name`, among those with one.
    [[nodiscard]] std::size_t place_of(std::string_view name) const noexcept {
        auto first = std::size_t{0};
        for (auto last = by_name_.size(); first != last;) {
            const auto middle = first + (last - first) / 2;
            if (tenants_[by_name_[middle]].name < name) first = middle + 1;
            else last = middle;
        }
        return first;
    }

    /// Bytes for each of weight 1, of those that have some, and of `putter`. Of what is in use and not of the capacity: what
    /// cannot be used, such as the ends of granules, is nobody's.
    [[nodiscard]] double share_with(TenantNumber putter) const noexcept {
        auto bytes = 0.0, weights = 0.0;
        for (std::size_t i = 0; i < tenants_.size(); ++i) {
            if (tenants_[i].bytes == 0 && i != putter) continue;
            bytes += static_cast<double>(tenants_[i].bytes);
            weights += tenants_[i].quota.weight;
        }
        return bytes / weights;
    }
    [[nodiscard]] double of_its_weight(TenantNumber number) const noexcept {
        const auto& tenant = tenants_[number];
        return static_cast<double>(tenant.bytes) / tenant.quota.weight;
    }

    std::size_t most_;
    std::vector<Tenant> tenants_;
    std::vector<TenantNumber> by_name_; // of those with a name, in its order
    HeldSpace pinned_;
};

/// The sentence that goes with `quota`: `tenant` wanted that much more.
[[nodiscard]] inline std::string describe_quota(const Tenant& tenant, std::uint64_t bytes, std::uint64_t objects) {
    const auto of = [](std::uint64_t has, std::uint64_t most) {
        return std::to_string(has) + (most == 0 ? "" : " of " + std::to_string(most));
    };
    return (tenant.name.empty() ? "no tenant" : "tenant " + tenant.name) + " has " +
           of(tenant.bytes, tenant.quota.bytes) + " bytes in " + of(tenant.objects, tenant.quota.objects) +
           " objects, " + of(tenant.pinned_bytes, tenant.quota.pinned_bytes) + " of the bytes hard-pinned; " +
           std::to_string(bytes) + " bytes in " + std::to_string(objects) +
           " objects more do not fit, and nothing of its own that is not leased, pinned or being written is left to go";
}
/// The same, where it is for what may be hard-pinned.
[[nodiscard]] inline std::string describe_pin_quota(const Tenant& tenant, std::uint64_t bytes) {
    return (tenant.name.empty() ? "no tenant" : "tenant " + tenant.name) + " has hard-pinned " +
           std::to_string(tenant.pinned_bytes) + " of the " + std::to_string(tenant.quota.pinned_bytes) +
           " bytes that it may, and " + std::to_string(bytes) +
           " more do not fit; unpin others, pin softly, or raise its quota";
}
/// The same, for an object that `wanted` wanted.
[[nodiscard]] inline std::string describe_quota(const Tenant& tenant, const PutStart& wanted, std::uint64_t bytes) {
    const auto all = bytes * wanted.replicas;
    if (wanted.pin == Pin::hard && !tenant.fits_pinned(all)) return describe_pin_quota(tenant, all);
    return describe_quota(tenant, all, 1);
}
[[nodiscard]] inline std::string describe_too_many_tenants(std::size_t most) {
    return "there are " + std::to_string(most) +
           " tenants that have objects or a quota, which is the limit (Limits::max_tenants)";
}

} // namespace mooncake::store::detail
