#pragma once

/// How a `Client` puts.

#include <mooncake/store/client/client.hpp>
#include <mooncake/store/client/client_memory.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

[[nodiscard]] inline bool is_full(Errc outcome) noexcept { return outcome == Errc::no_space || outcome == Errc::quota; }

template <class Traits>
Task<PutReceipt> Client<Traits>::put(std::string key, Pieces value, PutOptions options) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    const auto forgotten = ForgetAtEnd(descriptors_, only(key));
    const auto values = typename Writer::Values{.bytes = std::span<const ConstBytes>(value.data(), value.size()),
                                                .expected = one(options.expected),
                                                .pieces = value.size() > 1};
    auto writer = Writer(engine_, *master_, segments_);
    auto report = co_await writer.put(one(key), values, options);
    if (descriptors_.is_on() && report && is_full(report->outcomes.front())) {
        co_await give_up(descriptors_.clear()); // what we lease ourselves is in the way, perhaps
        report = co_await writer.put(one(key), values, options);
    }
    if (!report) co_return report.error();
    const auto outcome = report->outcomes.front();
    if (outcome == Errc::being_written)
        co_return sentence(outcome, Error(outcome, "somebody else is writing it; wait_for tells when it is there"),
                           key);
    if (outcome == Errc::conflict)
        co_return sentence(outcome, other_version(options.expected, report->versions.front()), key);
    if (outcome != Errc::ok && outcome != Errc::exists) co_return sentence(outcome, writer.failure(), key);
    co_return PutReceipt{
        .replicas = report->replicas.front(), .lease = report->lease, .version = report->versions.front()};
}

template <class Traits>
template <class Value>
Task<PutReceipt> Client<Traits>::put_owned(std::string key, Value value, PutOptions options) {
    const auto bytes = std::as_bytes(std::span(value));
    auto pieces = Pieces(&bytes, &bytes + 1);
    co_return co_await put(std::move(key), std::move(pieces), options);
}

template <class Traits>
Task<PutBatchReport> Client<Traits>::put_batch(Keys keys, std::vector<ConstBytes> values,
                                               std::vector<std::uint64_t> expected, PutOptions options) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    const auto forgotten = ForgetAtEnd(descriptors_, keys);
    auto parts = KeyParts(std::move(keys), master_->limits().max_keys);
    auto rest = std::span<const ConstBytes>(values);
    auto rest_expected = std::span<const std::uint64_t>(expected);
    auto all = PutBatchReport();
    do {
        auto part = parts.next([&values](std::size_t i) { return checksum_bytes(values[i].size()); });
        if (!parts.over() && options.lease == LeaseWish::grant) co_return too_many_for_a_lease();
        const auto last = part.empty() ? ParentKey() : parent_named(part.back());
        auto writer = Writer(engine_, *master_, segments_);
        const auto theirs =
            typename Writer::Values{.bytes = rest.first(part.size()), .expected = rest_expected.first(part.size())};
        rest = rest.subspan(part.size());
        rest_expected = rest_expected.subspan(part.size());
        auto report = co_await writer.put(std::move(part), theirs, options);
        if (options.chain == Chain::yes) options.parent = last;
        if (!report) co_return report.error();
        if (parts.over() && all.outcomes.empty()) co_return std::move(*report);
        all.replicas.insert(all.replicas.end(), report->replicas.begin(), report->replicas.end());
        all.outcomes.insert(all.outcomes.end(), report->outcomes.begin(), report->outcomes.end());
        all.versions.insert(all.versions.end(), report->versions.begin(), report->versions.end());
    } while (!parts.over());
    co_return all;
}

} // namespace mooncake::store::detail
