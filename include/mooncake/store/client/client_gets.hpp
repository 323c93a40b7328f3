#pragma once

/// How a `Client` reads.

#include <mooncake/store/client/client.hpp>
#include <mooncake/store/client/client_memory.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
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
    for (auto known = known_of(key, options.freshness);; known = nullptr) {
        auto reader = Reader(engine_, *master_, segments_);
        if (known && !reader.use(only(known), options.deadline)) continue;
        const auto asked = known ? Stamps() : stamps_of(only(key));
        if (!known) {
            const auto located = co_await reader.locate(taken(key), wanted);
            if (!located) co_return located.error();
        }
        const auto& object = reader.objects().front();
        if (object.outcome != Errc::ok) co_return sentence(object.outcome, {}, reader.key());
        auto bytes = std::vector<std::byte>(object.size);
        const auto into = MutableBytes(bytes);
        const auto report = co_await reader.read(one(into), wanted);
        const auto outcome = report.outcomes.front();
        if (known && !reader.stands(outcome, options.verify)) {
            (void)descriptors_.forget(reader.key());
            continue;
        }
        if (!known && !keep(reader, report.outcomes, asked, CachedLease::Told::no)) co_await give_back(reader.lease());
        if (outcome != Errc::ok) co_return sentence(outcome, reader.failure(), reader.key());
        if (options.version_read != nullptr) *options.version_read = reader.objects().front().version;
        co_return bytes;
    }
}

template <class Traits>
Task<std::uint64_t> Client<Traits>::get_into(std::string key, MutableBytes into, GetOptions options) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    const auto wanted = GetBatchOptions{.deadline = options.deadline, .verify = options.verify};
    for (auto known = known_of(key, options.freshness);; known = nullptr) {
        auto reader = Reader(engine_, *master_, segments_);
        if (known && !reader.use(only(known), options.deadline)) continue;
        const auto asked = known ? Stamps() : stamps_of(only(key));
        if (!known) {
            const auto located = co_await reader.locate(taken(key), wanted);
            if (!located) co_return located.error();
        }
        const auto report = co_await reader.read(one(into), wanted);
        const auto outcome = report.outcomes.front();
        if (known && !reader.stands(outcome, options.verify)) {
            (void)descriptors_.forget(reader.key());
            continue;
        }
        if (!known && !keep(reader, report.outcomes, asked, CachedLease::Told::no)) co_await give_back(reader.lease());
        if (outcome != Errc::ok) co_return sentence(outcome, reader.failure(), reader.key());
        if (options.version_read != nullptr) *options.version_read = reader.objects().front().version;
        co_return report.sizes.front();
    }
}

template <class Traits>
Task<std::uint64_t> Client<Traits>::get_pieces(std::string key, Range range, std::vector<MutableBytes> into,
                                               RangeOptions options) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    const auto wanted = GetBatchOptions{.deadline = options.deadline};
    for (auto known = known_of(key, options.freshness);; known = nullptr) {
        auto reader = Reader(engine_, *master_, segments_);
        if (known && !reader.use(only(known), options.deadline)) continue;
        const auto asked = known ? Stamps() : stamps_of(only(key));
        if (!known) {
            const auto located = co_await reader.locate(taken(key), wanted);
            if (!located) co_return located.error();
        }
        const auto is = reader.objects().front().version;
        const auto other =
            options.version != 0 && options.version != is && reader.objects().front().outcome == Errc::ok;
        auto pieces = std::vector<MutableBytes>(); // a read cuts them to the object's end
        if (known) pieces = into;
        else pieces.swap(into);
        auto outcome = Errc::conflict;
        if (!other) outcome = co_await reader.read_pieces(range, pieces, options.verify);
        if (known && !reader.stands(outcome, options.verify)) {
            (void)descriptors_.forget(reader.key());
            continue;
        }
        const auto size = reader.objects().front().size;
        if (!known && !keep(reader, only(outcome), asked, CachedLease::Told::no)) co_await give_back(reader.lease());
        if (other) co_return sentence(outcome, another_version(options.version, is), reader.key());
        if (outcome != Errc::ok) co_return sentence(outcome, reader.failure(), reader.key());
        if (options.version_read != nullptr) *options.version_read = is;
        co_return size;
    }
}

template <class Traits>
Task<GetBatchReport> Client<Traits>::get_batch(Keys keys, std::vector<MutableBytes> into, GetBatchOptions options) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    if (options.lease == LeaseWish::grant) options.freshness = Freshness::newest;
    if (const auto known = known_of(keys, options.freshness); !known.empty()) {
        auto reader = Reader(engine_, *master_, segments_);
        if (reader.use(known, options.deadline)) {
            auto report = co_await reader.read(into, options);
            auto all_stand = true;
            for (std::size_t i = 0; i < keys.size(); ++i) {
                if (reader.stands(report.outcomes[i], options.verify)) continue;
                all_stand = false;
                (void)descriptors_.forget(keys[i]);
            }
            if (all_stand) co_return report;
        }
    }
    auto parts = KeyParts(std::move(keys), master_->limits().max_keys);
    auto rest = std::span<const MutableBytes>(into);
    auto all = GetBatchReport();
    const auto told = options.lease == LeaseWish::grant ? CachedLease::Told::yes : CachedLease::Told::no;
    for (;;) {
        auto part = parts.next();
        if (!parts.over() && options.lease == LeaseWish::grant) co_return too_many_for_a_lease();
        const auto count = part.size();
        const auto asked = stamps_of(part);
        auto reader = Reader(engine_, *master_, segments_);
        const auto located = co_await reader.locate(std::move(part), options);
        if (!located) co_return located.error();
        const auto found = reader.objects().size();
        auto report = co_await reader.read(rest.first(found), options);
        rest = rest.subspan(found);
        const auto kept = keep(reader, report.outcomes, asked, told);
        if (options.lease == LeaseWish::grant) report.lease = reader.lease();
        else if (!kept) co_await give_back(reader.lease());
        if (parts.over() && all.sizes.empty()) co_return report;
        all.sizes.insert(all.sizes.end(), report.sizes.begin(), report.sizes.end());
        all.outcomes.insert(all.outcomes.end(), report.outcomes.begin(), report.outcomes.end());
        all.versions.insert(all.versions.end(), report.versions.begin(), report.versions.end());
        if (parts.over() || found < count) co_return all;
    }
}

template <class Traits>
Task<GetBatchReport> Client<Traits>::lease_batch(Keys keys, GetBatchOptions options) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    auto parts = KeyParts(std::move(keys), master_->limits().max_keys);
    auto part = parts.next();
    if (!parts.over()) co_return too_many_for_a_lease();
    const auto asked = stamps_of(part);
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
    (void)keep(reader, report.outcomes, asked, CachedLease::Told::yes);
    co_return report;
}

template <class Traits>
Task<View> Client<Traits>::view(std::string key, ViewOptions options) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    const auto get = GetBatchOptions{.deadline = options.deadline, .verify = options.verify};
    if (const auto known = known_of(key, options.freshness)) {
        auto reader = Reader(engine_, *master_, segments_);
        auto lease = view_under(known->lease);
        if (lease && reader.use(only(known), options.deadline)) {
            auto window = co_await reader.map(options);
            if (window && lease->holds())
                co_return View(ConstBytes(window->bytes, known->object.size), known->object.version,
                               std::move(window->hold), std::move(lease));
            if (window.error() == Errc::not_mapped && options.unreachable == Unreachable::copy) {
                auto copy = copied(reader, get);
                auto view = co_await std::move(copy);
                if (view && lease->holds()) co_return view;
            }
            (void)descriptors_.forget(key);
        }
    }
    const auto asked = stamps_of(only(key));
    auto reader = Reader(engine_, *master_, segments_);
    const auto located = co_await reader.locate(taken(key), get);
    if (!located) co_return located.error();
    const auto& object = reader.objects().front();
    if (object.outcome != Errc::ok) co_return sentence(object.outcome, {}, reader.key());
    auto lease = std::shared_ptr<const OpenLease>();
    if (descriptors_.is_on()) {
        const auto cached = keeper_.cache(reader.lease().id, reader.lease().trusted_until, CachedLease::Told::no);
        lease = view_under(cached); // before others find it, who might give it up
        remember(reader, only(object.outcome), asked, cached);
    } else lease = keeper_.keep(reader.lease().id, reader.lease().trusted_until);
    auto window = co_await reader.map(options);
    if (window)
        co_return View(ConstBytes(window->bytes, object.size), object.version, std::move(window->hold),
                       std::move(lease));
    if (options.unreachable == Unreachable::fail) co_return sentence(Errc::not_mapped, window.error(), reader.key());
    auto copy = copied(reader, get);
    co_return co_await std::move(copy);
}

/// What cannot be had in place, as a copy. Lifetime: the reader outlives it.
template <class Traits>
Task<View> Client<Traits>::copied(Reader& reader, GetBatchOptions options) {
    const auto& object = reader.objects().front();
    auto bytes = std::vector<std::byte>(object.size);
    const auto into = MutableBytes(bytes);
    const auto report = co_await reader.read(one(into), options);
    const auto outcome = report.outcomes.front();
    if (outcome != Errc::ok) co_return sentence(outcome, reader.failure(), reader.key());
    co_return View(std::move(bytes), object.version);
}

} // namespace mooncake::store::detail
