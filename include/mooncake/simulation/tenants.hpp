#pragma once

#include <mooncake/simulation/world.hpp>
#include <mooncake/store/master/master.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mooncake::simulation {

/// Whose the clients of a run are, where they are somebody's, and what the master promises them.
///
/// | tenant | what its clients do | what must hold |
/// |---|---|---|
/// | none | what they do elsewhere; they pin softly and hard | no more is hard-pinned than may be |
/// | `limited` | the same, within a quota of bytes and objects | never more objects than that, and hardly more bytes |
/// | `calm` | has two keys, far below its share | others take nothing of it |
/// | `vault` | has three keys, hard-pinned, and may have two objects | none is evicted, though a third is wanted |
struct TenantRoles {
    static constexpr std::uint32_t calm_keys = 2, vault_keys = 3;
    static constexpr std::uint64_t limited_objects = 12;

    [[nodiscard]] static std::string of_client(unsigned index) {
        constexpr std::string_view roles[] = {"", "", "limited", "limited", "calm", "vault"};
        return std::string(roles[index % 6]);
    }
    /// How many keys the clients of `tenant` choose from; 0: from all.
    [[nodiscard]] static std::uint32_t keys_of(std::string_view tenant) noexcept {
        return tenant == "calm" ? calm_keys : tenant == "vault" ? vault_keys : 0;
    }

    [[nodiscard]] static std::vector<TenantConfig> quotas(std::uint64_t object_bytes) {
        return {{.name = "", .quota = {.pinned_bytes = 4 * object_bytes}},
                {.name = "limited",
                 .quota = {.bytes = limited_bytes(object_bytes),
                           .objects = limited_objects,
                           .pinned_bytes = 2 * object_bytes}},
                {.name = "calm", .quota = {.weight = 8}},
                {.name = "vault", .quota = {.objects = 2, .weight = 8}}};
    }
    [[nodiscard]] static std::uint64_t limited_bytes(std::uint64_t object_bytes) noexcept { return 16 * object_bytes; }
};

/// Reports a fault unless what `master` says that tenants have is what they have, object by object, and is what they may have.
/// Repairs and moves are not refused: what `limited` has may be more for a while, though not any number of times.
template <class Master>
void check_tenants(World& world, Master& master) {
    const auto said = master.handle(store::Tenants()).value();
    const auto counted = master.audit_tenants();
    const auto wrong = [&](const store::TenantInfo& one, std::string_view what) {
        world.report_fault("tenant '" + one.tenant + "' has " + std::to_string(one.bytes) + " bytes in " +
                           std::to_string(one.objects) + " objects, " + std::to_string(one.pinned_bytes) +
                           " of the bytes hard-pinned: " + std::string(what));
    };
    for (const auto& one : said.tenants) {
        auto books = store::TenantInfo{.tenant = one.tenant};
        for (const auto& other : counted.tenants)
            if (other.tenant == one.tenant) books = other;
        if (books.bytes != one.bytes || books.objects != one.objects || books.pinned_bytes != one.pinned_bytes)
            wrong(one, "an audit counts " + std::to_string(books.bytes) + ", " + std::to_string(books.objects) +
                           " and " + std::to_string(books.pinned_bytes));
        const auto& quota = one.quota;
        if (quota.objects != 0 && one.objects > quota.objects) wrong(one, "more objects than its quota");
        if (quota.bytes != 0 && one.bytes > 4 * quota.bytes) wrong(one, "many more bytes than its quota");
        if (quota.pinned_bytes != 0 && one.pinned_bytes > quota.pinned_bytes) wrong(one, "more pinned than it may");
        if (one.tenant == "calm" && one.taken != 0)
            wrong(one, "others took some of it, and it has less than its share");
        if (one.tenant == "vault" && one.evictions != 0) wrong(one, "what is hard-pinned was evicted");
    }
}

} // namespace mooncake::simulation
