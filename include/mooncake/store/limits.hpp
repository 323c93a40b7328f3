#pragma once

#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/pattern.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/store/messages.hpp>
#include <mooncake/store/tenant_key.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mooncake::store {

/// What one message may ask for. Checked before anything is looked up or allocated.
struct Limits {
    std::size_t max_keys = 65'536;                           ///< a message; above 0
    std::size_t max_key_bytes = 1024;                        ///< above 0
    std::uint64_t max_object_bytes = std::uint64_t{1} << 40; ///< above 0
    std::uint32_t max_replicas = 16;                         ///< above 0
    std::uint32_t max_listed = 10'000;                       ///< objects a `List`, events an `Events`; above 0
    std::uint64_t max_write_deadline_ms = 600'000;           ///< above 0
    std::uint64_t max_ttl_ms = 365ULL * 24 * 3'600'000;      ///< of an object; above 0
    std::uint32_t max_segments_named = 64; ///< in each list of a `PutStart`: looked through for each segment
    std::uint32_t max_tenants = 1024;      ///< that have objects or a quota, those without a name being one; 1 … 65,536
};

namespace detail {

[[nodiscard]] inline Error too_many(std::string_view message, std::size_t count, std::size_t limit) {
    return {Errc::too_large, std::string(message) + ": " + std::to_string(count) + " keys, the limit is " +
                                 std::to_string(limit) + " a message"};
}
[[nodiscard]] inline Error differing(std::string_view message, std::size_t keys, std::string_view what,
                                     std::size_t count) {
    return {Errc::invalid_argument, std::string(message) + ": " + std::to_string(keys) + " keys, but " +
                                        std::to_string(count) + " " + std::string(what)};
}

/// `keys[index]` is named in the error by its place: it may be too long to print.
[[nodiscard]] inline Result<void> validate_key(std::string_view message, const std::string& key, std::size_t index,
                                               const Limits& limits) {
    if (!key.empty() && key.size() <= limits.max_key_bytes) [[likely]]
        return ok;
    const auto place = std::string(message) + ": key " + std::to_string(index);
    if (key.empty()) return Error(Errc::invalid_argument, place + " is empty");
    return Error(Errc::too_large, place + " has " + std::to_string(key.size()) + " bytes, the limit is " +
                                      std::to_string(limits.max_key_bytes));
}
[[nodiscard]] inline Result<void> validate_keys(std::string_view message, const std::vector<std::string>& keys,
                                                const Limits& limits) {
    if (keys.size() > limits.max_keys) return too_many(message, keys.size(), limits.max_keys);
    for (std::size_t i = 0; i < keys.size(); ++i)
        if (keys[i].empty() || keys[i].size() > limits.max_key_bytes) return validate_key(message, keys[i], i, limits);
    return ok;
}

/// `place`: what is checked, for the error.
[[nodiscard]] Result<void> check_quota(std::string_view place, std::string_view tenant, const TenantQuota& quota);

[[nodiscard]] inline Result<void> check_pin(std::string_view message, Pin pin, std::uint64_t pin_ms,
                                            const Limits& limits) {
    if (pin > Pin::soft) return Error(Errc::invalid_argument, std::string(message) + ": unknown pin");
    if (pin_ms > limits.max_ttl_ms)
        return Error(Errc::invalid_argument, std::string(message) + ": pin_ms is " + std::to_string(pin_ms) +
                                                 ", the limit is " + std::to_string(limits.max_ttl_ms));
    return ok;
}

/// Whether a message may be looked at. A template so that only who runs a master pays for compiling it.
template <class Void = void>
struct Checks {
    [[nodiscard]] static Result<void> of(const PutStart& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const Heartbeat& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const RenewMany& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const ReportBad& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const PutEnd& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const PutAbort& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const Get& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const Query& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const Remove& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const List& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const RemoveMatching& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const CopyStart& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const CopyEnd& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const Survey& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const Drain& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const SegmentMount& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const Release& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const Segments& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const Events& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const Unmount& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const Renew& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const Stats& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const Describe& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const SetQuota& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const Tenants& message, const Limits& limits);
    [[nodiscard]] static Result<void> of(const PinObjects& message, const Limits& limits);
};

} // namespace detail

/// Errors name the message, the key and the limit: `invalid_argument`, `too_large`, `out_of_range`.
template <class Message>
[[nodiscard]] Result<void> validate(const Message& message, const Limits& limits) {
    return detail::Checks<>::of(message, limits);
}

template <class Void>
Result<void> detail::Checks<Void>::of(const PutStart& message, const Limits& limits) {
    if (auto keys = detail::validate_keys("PutStart", message.keys, limits); !keys) return keys;
    for (std::size_t i = 0; i < message.keys.size(); ++i)
        if (!is_well_formed_key(message.keys[i]))
            return Error(Errc::invalid_argument, "PutStart: key " + std::to_string(i) +
                                                     " begins as those of tenants do, and no name of 1 to 64 letters, "
                                                     "digits, points, lines and dashes follows, or no key");
    if (message.sizes.size() != message.keys.size())
        return detail::differing("PutStart", message.keys.size(), "sizes", message.sizes.size());
    if (!message.parents.empty() && message.parents.size() != message.keys.size())
        return detail::differing("PutStart", message.keys.size(), "parents", message.parents.size());
    for (std::size_t i = 0; i < message.sizes.size(); ++i)
        if (message.sizes[i] > limits.max_object_bytes)
            return Error(Errc::too_large, "PutStart: object " + std::to_string(i) + " has " +
                                              std::to_string(message.sizes[i]) + " bytes, the limit is " +
                                              std::to_string(limits.max_object_bytes));
    if (message.replicas == 0 || message.replicas > limits.max_replicas)
        return Error(Errc::invalid_argument, "PutStart: " + std::to_string(message.replicas) +
                                                 " replicas, at least 1 and at most " +
                                                 std::to_string(limits.max_replicas));
    if (message.demand > ReplicaDemand::all) return Error(Errc::invalid_argument, "PutStart: unknown replica demand");
    if (message.ttl_ms > limits.max_ttl_ms)
        return Error(Errc::invalid_argument, "PutStart: ttl_ms is " + std::to_string(message.ttl_ms) +
                                                 ", the limit is " + std::to_string(limits.max_ttl_ms));
    if (message.mode > WriteMode::compare) return Error(Errc::invalid_argument, "PutStart: unknown mode");
    const auto expected = message.mode == WriteMode::compare ? message.keys.size() : 0;
    if (message.expected.size() != expected)
        return detail::differing("PutStart", expected, "expected versions to compare with", message.expected.size());
    if (auto pin = detail::check_pin("PutStart", message.pin, message.pin_ms, limits); !pin) return pin;
    if (message.write_deadline_ms == 0 || message.write_deadline_ms > limits.max_write_deadline_ms)
        return Error(Errc::invalid_argument,
                     "PutStart: write_deadline_ms is " + std::to_string(message.write_deadline_ms) +
                         ", at least 1 and at most " + std::to_string(limits.max_write_deadline_ms));
    if (message.near_host.size() > limits.max_key_bytes || message.near_rack.size() > limits.max_key_bytes)
        return Error(Errc::too_large, "PutStart: near_host and near_rack have at most " +
                                          std::to_string(limits.max_key_bytes) + " bytes");
    if (const auto most = std::max({message.preferred.size(), message.excluded.size(), message.avoid.size()});
        most > limits.max_segments_named)
        return Error(Errc::too_large, "PutStart: " + std::to_string(most) +
                                          " segments are preferred, excluded or to be avoided, the limit is " +
                                          std::to_string(limits.max_segments_named));
    return ok;
}

template <class Void>
Result<void> detail::Checks<Void>::of(const Heartbeat& message, const Limits& limits) {
    if (message.fenced.size() > limits.max_keys)
        return detail::too_many("Heartbeat", message.fenced.size(), limits.max_keys);
    return ok;
}

template <class Void>
Result<void> detail::Checks<Void>::of(const RenewMany& message, const Limits& limits) {
    if (message.leases.size() > limits.max_keys)
        return detail::too_many("RenewMany", message.leases.size(), limits.max_keys);
    return ok;
}

template <class Void>
Result<void> detail::Checks<Void>::of(const ReportBad& message, const Limits& limits) {
    if (message.replicas.size() > limits.max_keys)
        return detail::too_many("ReportBad", message.replicas.size(), limits.max_keys);
    return ok;
}

template <class Void>
Result<void> detail::Checks<Void>::of(const PutEnd& message, const Limits& limits) {
    if (message.objects.size() > limits.max_keys)
        return detail::too_many("PutEnd", message.objects.size(), limits.max_keys);
    for (std::size_t i = 0; i < message.objects.size(); ++i)
        if (auto key = detail::validate_key("PutEnd", message.objects[i].key, i, limits); !key) return key;
    if (message.lease > LeaseWish::grant) return Error(Errc::invalid_argument, "PutEnd: unknown lease wish");
    for (const auto& object : message.objects)
        if (object.writer > WriterState::unknown) return Error(Errc::invalid_argument, "PutEnd: unknown writer state");
    return ok;
}

template <class Void>
Result<void> detail::Checks<Void>::of(const PutAbort& message, const Limits& limits) {
    if (auto keys = detail::validate_keys("PutAbort", message.keys, limits); !keys) return keys;
    if (message.versions.size() != message.keys.size())
        return detail::differing("PutAbort", message.keys.size(), "versions", message.versions.size());
    if (message.writer > WriterState::unknown) return Error(Errc::invalid_argument, "PutAbort: unknown writer state");
    return ok;
}

template <class Void>
Result<void> detail::Checks<Void>::of(const Get& message, const Limits& limits) {
    if (message.mode > LookUp::prefix) return Error(Errc::invalid_argument, "Get: unknown mode");
    return detail::validate_keys("Get", message.keys, limits);
}

template <class Void>
Result<void> detail::Checks<Void>::of(const Query& message, const Limits& limits) {
    if (message.mode > LookUp::prefix) return Error(Errc::invalid_argument, "Query: unknown mode");
    return detail::validate_keys("Query", message.keys, limits);
}

template <class Void>
Result<void> detail::Checks<Void>::of(const Remove& message, const Limits& limits) {
    if (message.mode > RemoveMode::force) return Error(Errc::invalid_argument, "Remove: unknown mode");
    return detail::validate_keys("Remove", message.keys, limits);
}

template <class Void>
Result<void> detail::Checks<Void>::of(const List& message, const Limits& limits) {
    if (message.prefix.size() > limits.max_key_bytes || message.after.size() > limits.max_key_bytes)
        return Error(Errc::too_large,
                     "List: prefix and after have at most " + std::to_string(limits.max_key_bytes) + " bytes");
    if (message.limit == 0 || message.limit > limits.max_listed)
        return Error(Errc::invalid_argument, "List: limit is " + std::to_string(message.limit) +
                                                 ", at least 1 and at most " + std::to_string(limits.max_listed));
    return ok;
}

template <class Void>
Result<void> detail::Checks<Void>::of(const RemoveMatching& message, const Limits& limits) {
    if (message.prefix.empty() && message.pattern.empty())
        return Error(Errc::invalid_argument,
                     "RemoveMatching: neither a prefix nor a pattern; the pattern * is everything");
    if (message.prefix.size() > limits.max_key_bytes || message.pattern.size() > limits.max_key_bytes)
        return Error(Errc::too_large, "RemoveMatching: prefix and pattern have at most " +
                                          std::to_string(limits.max_key_bytes) + " bytes");
    if (message.mode > RemoveMode::force) return Error(Errc::invalid_argument, "RemoveMatching: unknown mode");
    if (!Pattern::is_valid(message.pattern))
        return Error(Errc::invalid_argument,
                     "RemoveMatching: the pattern ends with a \\, which takes the byte behind it as it is");
    return ok;
}

template <class Void>
Result<void> detail::Checks<Void>::of(const CopyStart& message, const Limits& limits) {
    if (auto keys = detail::validate_keys("CopyStart", message.keys, limits); !keys) return keys;
    if (!message.versions.empty() && message.versions.size() != message.keys.size())
        return detail::differing("CopyStart", message.keys.size(), "versions", message.versions.size());
    if (message.replicas > limits.max_replicas || message.more > limits.max_replicas)
        return Error(Errc::invalid_argument, "CopyStart: " + std::to_string(message.replicas) + " replicas and " +
                                                 std::to_string(message.more) + " more, at most " +
                                                 std::to_string(limits.max_replicas));
    if (message.write_deadline_ms == 0 || message.write_deadline_ms > limits.max_write_deadline_ms)
        return Error(Errc::invalid_argument,
                     "CopyStart: write_deadline_ms is " + std::to_string(message.write_deadline_ms) +
                         ", at least 1 and at most " + std::to_string(limits.max_write_deadline_ms));
    if (message.near_host.size() > limits.max_key_bytes || message.near_rack.size() > limits.max_key_bytes)
        return Error(Errc::too_large, "CopyStart: near_host and near_rack have at most " +
                                          std::to_string(limits.max_key_bytes) + " bytes");
    if (const auto most = std::max({message.leaving.size(), message.preferred.size(), message.excluded.size()});
        most > limits.max_segments_named)
        return Error(Errc::too_large, "CopyStart: " + std::to_string(most) +
                                          " segments are left, preferred or excluded, the limit is " +
                                          std::to_string(limits.max_segments_named));
    return ok;
}

template <class Void>
Result<void> detail::Checks<Void>::of(const CopyEnd& message, const Limits& limits) {
    if (message.objects.size() > limits.max_keys)
        return detail::too_many("CopyEnd", message.objects.size(), limits.max_keys);
    for (std::size_t i = 0; i < message.objects.size(); ++i) {
        if (auto key = detail::validate_key("CopyEnd", message.objects[i].key, i, limits); !key) return key;
        if (message.objects[i].fate > CopyFate::unknown) return Error(Errc::invalid_argument, "CopyEnd: unknown fate");
    }
    return ok;
}

template <class Void>
Result<void> detail::Checks<Void>::of(const Survey& message, const Limits& limits) {
    if (message.limit == 0 || message.limit > limits.max_listed)
        return Error(Errc::invalid_argument, "Survey: limit is " + std::to_string(message.limit) +
                                                 ", at least 1 and at most " + std::to_string(limits.max_listed));
    return ok;
}

template <class Void>
Result<void> detail::Checks<Void>::of(const Drain& message, const Limits&) {
    if (message.mode > DrainMode::end) return Error(Errc::invalid_argument, "Drain: unknown mode");
    return ok;
}

template <class Void>
Result<void> detail::Checks<Void>::of(const SegmentMount& message, const Limits& limits) {
    if (message.name.empty() || message.name.size() > limits.max_key_bytes)
        return Error(Errc::invalid_argument, "SegmentMount: the name has " + std::to_string(message.name.size()) +
                                                 " bytes, at least 1 and at most " +
                                                 std::to_string(limits.max_key_bytes));
    if (std::max({message.endpoint.size(), message.host.size(), message.rack.size()}) > limits.max_key_bytes)
        return Error(Errc::too_large, "SegmentMount: endpoint, host and rack have at most " +
                                          std::to_string(limits.max_key_bytes) + " bytes");
    if (message.fencing > Fencing::by_owner) return Error(Errc::invalid_argument, "SegmentMount: unknown fencing");
    if (message.bytes == 0)
        return Error(Errc::invalid_argument, "SegmentMount: " + in_quotes(message.name, 256) + " lends no bytes");
    if (message.bytes > ~std::uint64_t{0} - message.offset)
        return Error(Errc::out_of_range,
                     "SegmentMount: the window of " + in_quotes(message.name, 256) + " ends beyond the offset space");
    return ok;
}

template <class Void>
Result<void> detail::Checks<Void>::of(const Release& message, const Limits& limits) {
    if (message.leases.size() > limits.max_keys)
        return detail::too_many("Release", message.leases.size(), limits.max_keys);
    return ok;
}

template <class Void>
Result<void> detail::Checks<Void>::of(const Segments& message, const Limits& limits) {
    if (message.segments.size() > limits.max_keys)
        return detail::too_many("Segments", message.segments.size(), limits.max_keys);
    return ok;
}

template <class Void>
Result<void> detail::Checks<Void>::of(const Events& message, const Limits& limits) {
    if (message.limit == 0 || message.limit > limits.max_listed)
        return Error(Errc::invalid_argument, "Events: limit is " + std::to_string(message.limit) +
                                                 ", at least 1 and at most " + std::to_string(limits.max_listed));
    return ok;
}

template <class Void>
Result<void> detail::Checks<Void>::of(const PinObjects& message, const Limits& limits) {
    if (auto pin = check_pin("PinObjects", message.pin, message.pin_ms, limits); !pin) return pin;
    return validate_keys("PinObjects", message.keys, limits);
}

[[nodiscard]] inline Result<void> detail::check_quota(std::string_view place, std::string_view tenant,
                                                      const TenantQuota& quota) {
    if (!tenant.empty() && !is_tenant_name(tenant))
        return Error(Errc::invalid_argument,
                     std::string(place) + ": " + in_quotes(tenant, 100) +
                         " names no tenant; 1 to 64 letters, digits, points, lines and dashes do, and nothing at all "
                         "means those that name none");
    if (quota.weight == 0 || quota.weight > 1'000'000)
        return Error(Errc::invalid_argument, std::string(place) + ": the weight of " + in_quotes(tenant, 100) + " is " +
                                                 std::to_string(quota.weight) + ", at least 1 and at most 1000000");
    return ok;
}

template <class Void>
Result<void> detail::Checks<Void>::of(const SetQuota& message, const Limits&) {
    return check_quota("SetQuota", message.tenant, message.quota);
}

// Of these every value is a possible one.
template <class Void>
Result<void> detail::Checks<Void>::of(const Tenants&, const Limits&) {
    return ok;
}
template <class Void>
Result<void> detail::Checks<Void>::of(const Unmount&, const Limits&) {
    return ok;
}
template <class Void>
Result<void> detail::Checks<Void>::of(const Renew&, const Limits&) {
    return ok;
}
template <class Void>
Result<void> detail::Checks<Void>::of(const Stats&, const Limits&) {
    return ok;
}
template <class Void>
Result<void> detail::Checks<Void>::of(const Describe&, const Limits&) {
    return ok;
}

} // namespace mooncake::store
