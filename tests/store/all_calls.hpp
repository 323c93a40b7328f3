#pragma once

#include <mooncake/store/store.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace mooncake::test {

/// Makes each call of a store, of an object `k` of 5 bytes, and checks that each fails with `code` and says more than that.
template <class S>
void every_call_fails(Runtime& runtime, S& store, Errc code, Deadline deadline) {
    const auto fails = [code](std::string_view call, const auto& result) {
        CAPTURE(std::string(call));
        REQUIRE(result.has_error());
        CHECK_MESSAGE(result.error() == code, result.error().message());
        CHECK(result.error().message().size() > to_string(code).size() + 2);
    };
    auto bytes = std::vector<std::byte>(5, std::byte{1});
    const auto key = std::string_view("k");
    const auto keys = std::span(&key, 1);
    const auto put = PutItem{.key = key, .value = bytes};
    const auto get = GetItem{.key = key, .into = bytes};
    fails("put", runtime.run(store.put(key, bytes, {.deadline = deadline})));
    fails("upsert", runtime.run(store.upsert(key, bytes, {.deadline = deadline})));
    fails("compare_and_put", runtime.run(store.compare_and_put(key, 1, bytes, {.deadline = deadline})));
    const auto pieces = std::vector<ConstBytes>(2, bytes);
    const auto places = std::vector<MutableBytes>(2, bytes);
    fails("put_gathered", runtime.run(store.put_gathered(key, pieces, {.deadline = deadline})));
    fails("get_scattered", runtime.run(store.get_scattered(key, places, {.deadline = deadline})));
    fails("get_range", runtime.run(store.get_range(key, 1, bytes, {.deadline = deadline})));
    fails("put_batch", runtime.run(store.put_batch(std::span(&put, 1), {.deadline = deadline})));
    fails("get", runtime.run(store.get(key, {.deadline = deadline})));
    fails("get_into", runtime.run(store.get_into(key, bytes, {.deadline = deadline})));
    fails("get_batch", runtime.run(store.get_batch(std::span(&get, 1), {.deadline = deadline})));
    fails("lease_batch", runtime.run(store.lease_batch(keys, {.deadline = deadline})));
    fails("view", runtime.run(store.view(key, {.deadline = deadline})));
    fails("renew", runtime.run(store.renew(1, deadline)));
    fails("release", runtime.run(store.release(1, deadline)));
    fails("wait_for", runtime.run(store.wait_for(keys, deadline)));
    fails("exists", runtime.run(store.exists(key, deadline)));
    fails("exists_batch", runtime.run(store.exists_batch(keys, LookUp::each, deadline)));
    fails("remove", runtime.run(store.remove(key, store::RemoveMode::force, deadline)));
    fails("remove_batch", runtime.run(store.remove_batch(keys, store::RemoveMode::force, deadline)));
    fails("remove_prefix", runtime.run(store.remove_prefix("k", store::RemoveMode::force, deadline)));
    fails("remove_matching", runtime.run(store.remove_matching("k*", store::RemoveMode::force, deadline)));
    fails("change_replicas", runtime.run(store.change_replicas(key, 2, {.deadline = deadline})));
    fails("change_replicas_batch", runtime.run(store.change_replicas_batch(keys, 2, {.deadline = deadline})));
    fails("copy", runtime.run(store.copy(key, {.deadline = deadline})));
    fails("move", runtime.run(store.move(key, 1, {.deadline = deadline})));
    fails("drain", runtime.run(store.drain("segment", deadline)));
    fails("end_drain", runtime.run(store.end_drain("segment", deadline)));
    fails("repair", runtime.run(store.repair(deadline)));
    fails("segments", runtime.run(store.segments(deadline)));
    fails("list", runtime.run(store.list("", "", 10, deadline)));
    fails("events", runtime.run(store.events(0, 0, {.deadline = deadline})));
    fails("pin", runtime.run(store.pin(key, {.deadline = deadline})));
    fails("pin_batch", runtime.run(store.pin_batch(keys, {.deadline = deadline})));
    fails("unpin", runtime.run(store.unpin(key, deadline)));
    fails("unpin_batch", runtime.run(store.unpin_batch(keys, deadline)));
    fails("set_quota", runtime.run(store.set_quota("a", {}, deadline)));
    fails("tenants", runtime.run(store.tenants(deadline)));
    fails("statistics", runtime.run(store.statistics(deadline)));
}

} // namespace mooncake::test
