#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/store/client/open_lease.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

/// An object's bytes, in place where the memory is reachable, under a lease that is renewed as long as the view lives.
/// Move-only. Lifetime: the store outlives it.
///
/// Bytes in place are the object's as long as the lease holds. It may be lost: the master may be out of reach for longer than
/// it, and this process may be stopped. So whoever must know asks `valid` *after* having used the bytes: true means that what
/// was read is the object, false that it may be anything. A copy is always valid.
class View {
  public:
    View() = default;
    View(ConstBytes bytes, std::uint64_t version, std::shared_ptr<const void> window,
         std::shared_ptr<const store::detail::OpenLease> lease) noexcept
        : bytes_(bytes), version_(version), window_(std::move(window)), lease_(std::move(lease)) {}
    View(std::vector<std::byte> copy, std::uint64_t version)
        : bytes_(copy), version_(version), copy_(std::move(copy)) {}
    View(View&&) noexcept = default;
    View& operator=(View&&) noexcept = default;

    /// In place: memory of others, which holds the object as long as `valid`.
    [[nodiscard]] ConstBytes bytes() const noexcept { return bytes_; }
    /// The same as text; as much a promise.
    [[nodiscard]] std::string_view text() const noexcept { return text_of(bytes_); }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
    /// Of the object: what a `compare_and_put` may replace.
    [[nodiscard]] std::uint64_t version() const noexcept { return version_; }
    /// Whether what was read so far is the object. To be asked after the bytes were used. Thread: any.
    [[nodiscard]] bool valid() const noexcept { return lease_ == nullptr || lease_->holds(); }
    /// Whether these are the stored bytes themselves rather than a copy.
    [[nodiscard]] bool zero_copy() const noexcept { return window_ != nullptr; }

  private:
    ConstBytes bytes_;
    std::uint64_t version_ = 0;
    std::vector<std::byte> copy_;
    std::shared_ptr<const void> window_;
    std::shared_ptr<const store::detail::OpenLease> lease_; // released before the window goes
};

} // namespace mooncake
