#pragma once

/// How a `Client` reads.

#include <mooncake/store/client/client.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

template <class Traits>
Task<std::vector<std::byte>> Client<Traits>::get(std::string key, GetOptions options) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    const auto wanted = GetBatchOptions{.deadline = options.deadline, .verify = options.verify};
    auto reader = Reader(engine_, *master_, segments_);
    const auto located = co_await reader.locate(one(std::move(key)), wanted);
    if (!located) co_return located.error();
    const auto& object = reader.objects().front();
    if (object.outcome != Errc::ok) co_return sentence(object.outcome, {}, reader.key());
    auto bytes = std::vector<std::byte>(object.size);
    const auto into = MutableBytes(bytes);
    const auto report = co_await reader.read(one(into), wanted);
    co_await give_back(reader.lease());
    const auto outcome = report.outcomes.front();
    if (outcome != Errc::ok) co_return sentence(outcome, reader.failure(), reader.key());
    co_return bytes;
}

template <class Traits>
Task<std::uint64_t> Client<Traits>::get_into(std::string key, MutableBytes into, GetOptions options) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    const auto wanted = GetBatchOptions{.deadline = options.deadline, .verify = options.verify};
    auto reader = Reader(engine_, *master_, segments_);
    const auto located = co_await reader.locate(one(std::move(key)), wanted);
    if (!located) co_return located.error();
    const auto report = co_await reader.read(one(into), wanted);
    co_await give_back(reader.lease());
    const auto outcome = report.outcomes.front();
    if (outcome != Errc::ok) co_return sentence(outcome, reader.failure(), reader.key());
    co_return report.sizes.front();
}

template <class Traits>
Task<std::uint64_t> Client<Traits>::get_pieces(std::string key, Range range, std::vector<MutableBytes> into,
                                               RangeOptions options) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    auto reader = Reader(engine_, *master_, segments_);
    const auto wanted = GetBatchOptions{.deadline = options.deadline};
    const auto located = co_await reader.locate(one(std::move(key)), wanted);
    if (!located) co_return located.error();
    const auto outcome = co_await reader.read_pieces(range, into, options.verify);
    co_await give_back(reader.lease());
    if (outcome != Errc::ok) co_return sentence(outcome, reader.failure(), reader.key());
    co_return reader.objects().front().size;
}

template <class Traits>
Task<GetBatchReport> Client<Traits>::get_batch(Keys keys, std::vector<MutableBytes> into, GetBatchOptions options) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    auto parts = KeyParts(std::move(keys), master_->limits().max_keys);
    auto rest = std::span<const MutableBytes>(into);
    auto all = GetBatchReport();
    for (;;) {
        auto part = parts.next();
        if (!parts.over() && options.lease == LeaseWish::grant) co_return too_many_for_a_lease();
        const auto asked = part.size();
        auto reader = Reader(engine_, *master_, segments_);
        const auto located = co_await reader.locate(std::move(part), options);
        if (!located) co_return located.error();
        const auto found = reader.objects().size();
        auto report = co_await reader.read(rest.first(found), options);
        rest = rest.subspan(found);
        if (options.lease == LeaseWish::grant) report.lease = reader.lease();
        else co_await give_back(reader.lease());
        if (parts.over() && all.sizes.empty()) co_return report;
        all.sizes.insert(all.sizes.end(), report.sizes.begin(), report.sizes.end());
        all.outcomes.insert(all.outcomes.end(), report.outcomes.begin(), report.outcomes.end());
        all.versions.insert(all.versions.end(), report.versions.begin(), report.versions.end());
        if (parts.over() || found < asked) co_return all;
    }
}

template <class Traits>
Task<GetBatchReport> Client<Traits>::lease_batch(Keys keys, GetBatchOptions options) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    auto parts = KeyParts(std::move(keys), master_->limits().max_keys);
    auto part = parts.next();
    if (!parts.over()) co_return too_many_for_a_lease();
    auto reader = Reader(engine_, *master_, segments_);
    const auto located = co_await reader.locate(std::move(part), options);
    if (!located) co_return located.error();
    auto report = GetBatchReport();
    report.lease = reader.lease();
    report.outcomes.reserve(reader.objects().size());
    report.sizes.reserve(reader.objects().size());
    for (const auto& object : reader.objects()) {
        report.outcomes.push_back(object.outcome);
        report.sizes.push_back(object.size);
        report.versions.push_back(object.version);
    }
    co_return report;
}

template <class Traits>
Task<View> Client<Traits>::view(std::string key, ViewOptions options) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    auto reader = Reader(engine_, *master_, segments_);
    const auto get = GetBatchOptions{.deadline = options.deadline, .verify = options.verify};
    const auto located = co_await reader.locate(one(std::move(key)), get);
    if (!located) co_return located.error();
    const auto& object = reader.objects().front();
    if (object.outcome != Errc::ok) co_return sentence(object.outcome, {}, reader.key());
    auto lease = keeper_.keep(reader.lease().id, reader.lease().trusted_until);
    auto window = co_await reader.map(options);
    if (window)
        co_return View(ConstBytes(window->bytes, object.size), object.version, std::move(window->hold),
                       std::move(lease));
    if (options.unreachable == Unreachable::fail) co_return sentence(Errc::not_mapped, window.error(), reader.key());
    auto bytes = std::vector<std::byte>(object.size);
    const auto into = MutableBytes(bytes);
    const auto report = co_await reader.read(one(into), get);
    const auto outcome = report.outcomes.front();
    if (outcome != Errc::ok) co_return sentence(outcome, reader.failure(), reader.key());
    co_return View(std::move(bytes), object.version);
}

} // namespace mooncake::store::detail
