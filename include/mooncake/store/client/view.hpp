#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/transport/concept.hpp>

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

/// An object's bytes, in place where the memory is reachable, under a lease that is renewed as long as the view lives.
/// Move-only. Lifetime: the store outlives it.
class View {
  public:
    View() = default;
    View(ConstBytes bytes, std::shared_ptr<const void> window, std::shared_ptr<const void> lease) noexcept
        : bytes_(bytes), window_(std::move(window)), lease_(std::move(lease)) {}
    explicit View(std::vector<std::byte> copy) : bytes_(copy), copy_(std::move(copy)) {}
    View(View&&) noexcept = default;
    View& operator=(View&&) noexcept = default;

    [[nodiscard]] ConstBytes bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::string_view text() const noexcept { return text_of(bytes_); }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
    /// Whether these are the stored bytes themselves rather than a copy.
    [[nodiscard]] bool zero_copy() const noexcept { return window_ != nullptr; }

  private:
    ConstBytes bytes_;
    std::vector<std::byte> copy_;
    std::shared_ptr<const void> window_;
    std::shared_ptr<const void> lease_; // released before the window goes
};

} // namespace mooncake
