#pragma once

#include <mooncake/core/runtime.hpp>
#include <mooncake/core/with_deadline.hpp>
#include <mooncake/metadata/concept.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace mooncake::testing {

/// The least a `MetadataBackend` has: records of this process, and no capability. For instantiating templates.
class MinimalMetadata {
  public:
    static constexpr auto capabilities = MetadataCapabilities{};

    Task<std::uint64_t> put(std::string key, std::string value, Deadline) {
        const auto lock = std::lock_guard(mutex_);
        documents_.insert_or_assign(std::move(key), Document{.value = std::move(value), .version = ++version_});
        co_return version_;
    }
    Task<Document> get(std::string key, Deadline) {
        const auto lock = std::lock_guard(mutex_);
        const auto found = documents_.find(key);
        if (found == documents_.end()) co_return Errc::not_found;
        co_return found->second;
    }
    Task<void> remove(std::string key, Deadline) {
        const auto lock = std::lock_guard(mutex_);
        documents_.erase(key);
        co_return ok;
    }
    std::string locator(std::string key) const { return key; }
    void start() {}
    asio::awaitable<void> close() { co_return; }

  private:
    std::mutex mutex_;
    std::map<std::string, Document> documents_;
    std::uint64_t version_ = 0;
};

static_assert(MetadataBackend<MinimalMetadata>);

namespace detail {

using namespace std::chrono_literals;

template <MetadataBackend M>
struct MetadataUse {
    Runtime& runtime;
    M& metadata;

    Result<std::uint64_t> put(std::string key, std::string value) {
        return runtime.run(metadata.put(std::move(key), std::move(value), 10s));
    }
    Result<Document> get(std::string key) { return runtime.run(metadata.get(std::move(key), 10s)); }
    Result<void> remove(std::string key) { return runtime.run(metadata.remove(std::move(key), 10s)); }
    Result<std::uint64_t> swap(std::string key, std::uint64_t version, std::string value) {
        return runtime.run(metadata.compare_and_swap(std::move(key), version, std::move(value), 10s));
    }
    Result<std::vector<DocumentChange>> list(std::string prefix) {
        return runtime.run(metadata.list(std::move(prefix), 10s));
    }
    Result<std::vector<DocumentChange>> watch(std::string prefix, std::uint64_t version, Deadline deadline) {
        return runtime.run(metadata.watch(std::move(prefix), version, deadline));
    }
};

template <MetadataBackend M>
void documents(MetadataUse<M> use) {
    CHECK(use.get("a").error() == Errc::not_found);
    CHECK(use.remove("a").has_value());
    const auto first = use.put("a", "one");
    const auto other = use.put("b", std::string("\0binary\xff", 8));
    const auto second = use.put("a", "two");
    REQUIRE((first && other && second));
    CHECK(*first > 0);
    CHECK(*first < *other);
    CHECK(*other < *second);
    CHECK(use.get("a").value().value == "two");
    CHECK(use.get("a").value().version == *second);
    CHECK(use.get("b").value().value.size() == 8);
    // What others ask for under the locator is what was put under the key.
    CHECK(use.get(use.metadata.locator("a")).value().value == "two");
    CHECK(use.get(use.metadata.locator("none")).error() == Errc::not_found);
    CHECK(use.put("large", std::string(4'000'000, 'x')).has_value());
    CHECK(use.get(use.metadata.locator("large")).value().value.size() == 4'000'000);
    CHECK(use.remove("a").has_value());
    CHECK(use.get("a").error() == Errc::not_found);
    CHECK(use.get(use.metadata.locator("a")).error() == Errc::not_found);
    CHECK(use.put("a", "three").value() > *second);
}

template <MetadataBackend M>
void on_demand(MetadataUse<M> use) {
    auto asked = std::atomic<int>{0};
    const auto offered =
        use.runtime.run(use.metadata.offer("a", [&asked] { return "made " + std::to_string(++asked); }, 10s));
    REQUIRE(offered.has_value());
    CHECK(asked == 0);
    CHECK(use.get(use.metadata.locator("a")).value().value == "made 1");
    const auto document = use.get("a").value();
    CHECK(document.value == "made 2");
    CHECK(document.version == *offered);
    REQUIRE(use.put("a", "written").has_value());
    CHECK(use.get("a").value().value == "written");
    REQUIRE(use.runtime.run(use.metadata.offer("a", [] { return std::string(); }, 10s)).has_value());
    CHECK(use.get("a").value().value.empty());
    CHECK(use.remove("a").has_value());
    CHECK(use.get(use.metadata.locator("a")).error() == Errc::not_found);
    CHECK(asked == 2);
}

template <MetadataBackend M>
void swapping(MetadataUse<M> use) {
    CHECK(use.swap("a", 3, "x").error() == Errc::conflict);
    const auto first = use.swap("a", 0, "one");
    REQUIRE(first.has_value());
    CHECK(use.swap("a", 0, "two").error() == Errc::conflict);
    const auto second = use.swap("a", *first, "two");
    REQUIRE(second.has_value());
    CHECK(*second > *first);
    CHECK(use.swap("a", *first, "three").error() == Errc::conflict);
    CHECK(use.get("a").value().value == "two");
    CHECK(use.remove("a").has_value());
    CHECK(use.swap("a", *second, "four").error() == Errc::conflict);
    const auto fifth = use.swap("a", 0, "five");
    REQUIRE(fifth.has_value());

    // Nothing is removed unseen, either.
    const auto remove_at = [&](std::string key, std::uint64_t version) {
        return use.runtime.run(use.metadata.remove(std::move(key), version, 10s));
    };
    CHECK(remove_at("a", *second).error() == Errc::conflict);
    CHECK(remove_at("a", 0).error() == Errc::conflict);
    CHECK(remove_at("none", *second).error() == Errc::conflict);
    CHECK(remove_at("none", 0).has_value());
    CHECK(use.get("a").value().value == "five");
    CHECK(remove_at("a", *fifth).has_value());
    CHECK(use.get("a").error() == Errc::not_found);
    CHECK(remove_at("a", *fifth).error() == Errc::conflict);

    // Of many who want to be next, one is at each step.
    auto won = std::atomic<int>{0};
    REQUIRE(use.put("n", "").has_value());
    {
        auto threads = std::vector<std::jthread>();
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                for (int n = 0; n < 50;) {
                    auto now = use.get("n").value();
                    if (!use.swap("n", now.version, now.value + "x")) continue;
                    ++n, ++won;
                }
            });
    }
    CHECK(use.get("n").value().value.size() == static_cast<std::size_t>(won));
}

template <MetadataBackend M>
void listing(MetadataUse<M> use) {
    for (const auto* key : {"b/2", "a/1", "b/1", "b", "c", "b/10"}) REQUIRE(use.put(key, key).has_value());
    auto keys = std::vector<std::string>();
    for (const auto& entry : use.list("b/").value()) {
        keys.push_back(entry.key);
        CHECK(entry.document.value == entry.key);
        CHECK(entry.document.version > 0);
        CHECK_FALSE(entry.removed);
    }
    CHECK(keys == std::vector<std::string>{"b/1", "b/10", "b/2"});
    CHECK(use.list("").value().size() == 6);
    CHECK(use.list("nothing").value().empty());
}

template <MetadataBackend M>
void watching(MetadataUse<M> use) {
    const auto first = use.put("w/1", "one").value();
    CHECK(use.watch("w/", 0, 10s).value().size() == 1);
    CHECK(use.watch("w/", first, 20ms).error() == Errc::timed_out);
    CHECK(use.runtime.run(with_deadline(use.metadata.watch("w/", first, {}), 20ms)).error() == Errc::timed_out);
    auto changes = std::vector<DocumentChange>();
    {
        auto watcher = std::jthread([&] { changes = use.watch("w/", first, 10s).value(); });
        REQUIRE(use.put("other", "x").has_value());
        REQUIRE(use.put("w/2", "two").has_value());
    }
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].key == "w/2");
    CHECK(changes[0].document.value == "two");
    REQUIRE(use.remove("w/1").has_value());
    changes = use.watch("w/", changes[0].document.version, 10s).value();
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].key == "w/1");
    CHECK(changes[0].removed);
    CHECK(changes[0].document.version > first);
}

template <MetadataBackend M>
void leasing(MetadataUse<M> use) {
    const auto lease = use.runtime.run(use.metadata.grant(150ms, 10s)).value();
    CHECK(use.runtime.run(use.metadata.put_leased("leased", "x", lease, 10s)).has_value());
    CHECK(use.runtime.run(use.metadata.keep_alive(lease, 10s)).has_value());
    CHECK(use.get("leased").value().value == "x");
    if constexpr (M::capabilities.watch) {
        // A watcher hears of it when the lease runs out.
        const auto changes = use.watch("leased", use.get("leased").value().version, 10s).value();
        REQUIRE(changes.size() == 1);
        CHECK(changes[0].removed);
    }
    if constexpr (M::capabilities.compare_and_swap) {
        // A name that is claimed goes with its owner, and nobody else's is taken meanwhile.
        const auto owned = use.runtime.run(use.metadata.grant(150ms, 10s)).value();
        const auto claim = [&](std::uint64_t version, std::uint64_t by) {
            return use.runtime.run(use.metadata.compare_and_swap("name", version, "mine", by, 10s));
        };
        const auto claimed = claim(0, owned);
        REQUIRE(claimed.has_value());
        CHECK(claim(0, owned).error() == Errc::conflict);
        for (const auto until = Deadline(10s); use.get("name").has_value() && !until.passed();)
            std::this_thread::yield();
        CHECK(claim(*claimed, 0).error() == Errc::conflict);
        CHECK(claim(0, owned).error() == Errc::not_found);
        CHECK(claim(0, 0).has_value());
    }
    for (const auto until = Deadline(10s); use.get("leased").has_value() && !until.passed();) std::this_thread::yield();
    CHECK(use.get("leased").error() == Errc::not_found);
    CHECK(use.runtime.run(use.metadata.keep_alive(lease, 10s)).error() == Errc::not_found);
    CHECK(use.runtime.run(use.metadata.put_leased("leased", "y", lease, 10s)).error() == Errc::not_found);
}

} // namespace detail

/// What every `MetadataBackend` must do, and what it must do for each capability that it claims. `make(runtime)` gives a
/// `std::shared_ptr` to a new and empty one.
template <class Make>
void metadata_conformance(Make make) {
    auto runtime = Runtime({.threads = 3});
    const auto metadata = make(runtime);
    using M = std::remove_cvref_t<decltype(*metadata)>;
    static_assert(MetadataBackend<M>);
    metadata->start();
    const auto use = detail::MetadataUse<M>{runtime, *metadata};
    SUBCASE("documents are put, got and removed, and versions grow") { detail::documents(use); }
    if constexpr (M::capabilities.on_demand) {
        SUBCASE("on_demand: a document is made when it is asked for") { detail::on_demand(use); }
    }
    if constexpr (M::capabilities.compare_and_swap) {
        SUBCASE("compare_and_swap: nothing is overwritten unseen") { detail::swapping(use); }
    }
    if constexpr (M::capabilities.list) {
        SUBCASE("list: what has the prefix, by key") { detail::listing(use); }
    }
    if constexpr (M::capabilities.watch) {
        SUBCASE("watch: changes after a version, and removals") { detail::watching(use); }
    }
    if constexpr (M::capabilities.lease) {
        SUBCASE("lease: a document goes with its lease") { detail::leasing(use); }
    }
    runtime.run(metadata->close());
    runtime.run(metadata->close());
}

} // namespace mooncake::testing
