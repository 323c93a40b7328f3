#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace mooncake::store::detail {

/// Numbers for the names of hosts or racks, as long as somebody holds them: never one of before again. The empty name is 0: not
/// told.
class FailureDomains {
  public:
    /// Complexity: O(1), as all here.
    [[nodiscard]] std::uint32_t hold(const std::string& name) {
        if (name.empty()) return 0;
        auto& domain = domains_[name];
        if (domain.holders++ == 0) domain.number = ++last_;
        return domain.number;
    }

    /// Requires: held.
    void let_go(const std::string& name) {
        const auto found = domains_.find(name);
        if (found != domains_.end() && --found->second.holders == 0) domains_.erase(found);
    }

    /// 0: nobody holds it.
    [[nodiscard]] std::uint32_t find(const std::string& name) const {
        const auto found = domains_.find(name);
        return found == domains_.end() ? 0 : found->second.number;
    }

    [[nodiscard]] std::size_t size() const noexcept { return domains_.size(); }

  private:
    struct Domain {
        std::uint32_t number = 0;
        std::size_t holders = 0;
    };

    std::unordered_map<std::string, Domain> domains_;
    std::uint32_t last_ = 0;
};

} // namespace mooncake::store::detail
