#pragma once

#include <mooncake/store/master/shard.hpp>
#include <mooncake/store/messages.hpp>

#include <algorithm>
#include <mutex>

namespace mooncake::store::detail {

/// The answer to `message`: the smallest keys behind `message.after`. Looks at every object, one shard at a time.
/// Thread: any. Complexity: O(objects × log limit).
[[nodiscard]] inline ListReply list_objects(Shards& shards, const List& message) {
    auto reply = ListReply{};
    auto& heap = reply.objects; // the smallest keys so far, the largest of them first
    const auto by_key = [](const auto& a, const auto& b) { return a.key < b.key; };
    for (auto& shard : shards) {
        const auto lock = std::lock_guard(shard.mutex);
        shard.for_each([&](const Object& object) {
            if (!object.key.starts_with(message.prefix) || object.key <= message.after) return;
            if (!object.committed() || !object.usable()) return;
            if (heap.size() == message.limit) {
                if (object.key >= heap.front().key) return;
                std::pop_heap(heap.begin(), heap.end(), by_key);
                heap.pop_back();
            }
            heap.push_back({.key = object.key, .size = object.size, .version = object.version});
            std::push_heap(heap.begin(), heap.end(), by_key);
        });
    }
    std::sort_heap(heap.begin(), heap.end(), by_key);
    return reply;
}

} // namespace mooncake::store::detail
