#pragma once

#include <mooncake/serving/role/concept.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace mooncake::serving::detail {

/// The roles of machines, and which of them are on their way from one to the other.
class RoleBook {
  public:
    void add(ServingRole role) { roles_.push_back(role), ready_.push_back(0); }
    [[nodiscard]] std::span<const ServingRole> roles() const noexcept { return roles_; }

    /// It takes no more. Whether it had a role.
    bool leave(InstanceId machine) {
        if (machine >= roles_.size()) return false;
        const auto role = roles_[machine];
        if (role != ServingRole::prefill && role != ServingRole::decode) return false;
        roles_[machine] = role == ServingRole::prefill ? ServingRole::to_decode : ServingRole::to_prefill;
        leaving_.push_back(machine);
        return true;
    }
    /// One of those that leave for which `idle(machine)` is true: it has finished. None where there is none.
    template <class Idle>
    [[nodiscard]] InstanceId left(Idle&& idle) {
        for (auto at = leaving_.begin(); at != leaving_.end(); ++at) {
            if (!idle(*at)) continue;
            const auto machine = *at;
            leaving_.erase(at);
            ready_[machine] = 1;
            return machine;
        }
        return no_instance;
    }
    /// It takes its new role, which is returned; nothing where it had not finished with the old one.
    std::optional<ServingRole> arrive(InstanceId machine) {
        if (machine >= roles_.size() || ready_[machine] == 0) return std::nullopt;
        ready_[machine] = 0;
        auto& role = roles_[machine];
        return role = role == ServingRole::to_decode ? ServingRole::decode : ServingRole::prefill;
    }

  private:
    std::vector<ServingRole> roles_;
    std::vector<std::uint8_t> ready_; // those that have finished with the old role
    std::vector<InstanceId> leaving_; // those that have not
};

} // namespace mooncake::serving::detail
