#pragma once

/// Whose a key is. A tenant's objects lie under keys of its own, so that no other can read or replace them by accident, and a
/// key has one owner, which no message can name differently. Light: strings only.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mooncake::store {

/// What the keys of tenants begin with: the mark, the tenant's name, a byte 0xff, and the key as the tenant knows it.
inline constexpr std::string_view tenant_mark = "\xfftenant:";
inline constexpr char tenant_end = '\xff';
inline constexpr std::size_t most_tenant_name_bytes = 64;

/// Letters, digits, `.`, `_` and `-`, 1 … 64 of them.
[[nodiscard]] inline bool is_tenant_name(std::string_view name) noexcept {
    if (name.empty() || name.size() > most_tenant_name_bytes) return false;
    for (const auto c : name) {
        const auto letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-') return false;
    }
    return true;
}

/// Whether it is a tenant's, or one that had to be told from those.
[[nodiscard]] inline bool is_marked(std::string_view key) noexcept {
    return !key.empty() && key.front() == tenant_mark.front() && key.starts_with(tenant_mark);
}

/// `key` in its two parts. Lifetime: the key's.
struct KeyOfTenant {
    std::string_view tenant; ///< empty: none
    std::string_view key;    ///< as its owner knows it
};
[[nodiscard]] inline KeyOfTenant split_key(std::string_view key) noexcept {
    if (!is_marked(key)) return {{}, key};
    const auto rest = key.substr(tenant_mark.size());
    const auto end = rest.find(tenant_end);
    if (end == std::string_view::npos) return {{}, key};
    return {rest.substr(0, end), rest.substr(end + 1)};
}
/// Whether whoever reads it gets the same owner: what begins as a tenant's key has to go on as one.
[[nodiscard]] inline bool is_well_formed_key(std::string_view key) noexcept {
    if (!is_marked(key)) return true;
    const auto rest = key.substr(tenant_mark.size());
    const auto end = rest.find(tenant_end);
    if (end == std::string_view::npos || end + 1 == rest.size()) return false;
    return end == 0 || is_tenant_name(rest.substr(0, end));
}

/// `key` of `tenant`, as it is said to a master; with an empty `tenant`, of nobody. One to one: a key of nobody that looks like
/// a tenant's is not one. An empty key stays empty.
[[nodiscard]] inline std::string key_of_tenant(std::string_view tenant, std::string_view key) {
    if (tenant.empty() && !is_marked(key)) [[likely]]
        return std::string(key);
    if (key.empty()) return {};
    auto whole = std::string();
    whole.reserve(tenant_mark.size() + tenant.size() + 1 + key.size());
    whole.append(tenant_mark).append(tenant).push_back(tenant_end);
    return whole.append(key);
}
/// What the keys of `tenant` begin with that begin with `prefix` for it.
[[nodiscard]] inline std::string prefix_of_tenant(std::string_view tenant, std::string_view prefix) {
    if (tenant.empty() && !is_marked(prefix)) return std::string(prefix);
    return std::string(tenant_mark).append(tenant).append(1, tenant_end).append(prefix);
}
/// Whether a prefix is meant for `key`: one that names no tenant reaches into none.
[[nodiscard]] inline bool may_reach(std::string_view prefix, std::string_view key) noexcept {
    return !is_marked(key) || is_marked(prefix);
}

} // namespace mooncake::store
