#pragma once

#include <mooncake/store/master/shard.hpp>
#include <mooncake/store/messages.hpp>
#include <mooncake/store/tenant_key.hpp>

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// Looks for the smallest keys behind `message.after` in steps, so that others can have their turn in between: what comes
/// or goes meanwhile may be in the answer or not.
/// Thread: one at a time. Complexity: O((objects a step + objects of a shard) × log limit) a step.
class Listing {
  public:
    static constexpr std::size_t objects_a_step = 1024;

    explicit Listing(List message = {}) : message_(std::move(message)) {}

    /// Looks into the next shards; false when there was none left.
    bool step(Shards& shards) {
        if (next_ == Shards::count) return false;
        for (auto looks = std::size_t{0}; next_ != Shards::count && looks < objects_a_step;)
            looks += look_into(shards.at(next_++));
        return true;
    }

    /// Requires: `step` was false.
    [[nodiscard]] ListReply take() {
        std::sort_heap(found_.begin(), found_.end(), by_key);
        return {.objects = std::move(found_)};
    }

  private:
    static bool by_key(const ListedObject& a, const ListedObject& b) noexcept { return a.key < b.key; }

    /// Tells at how many objects.
    std::size_t look_into(Shard& shard) {
        auto looks = std::size_t{0};
        const auto lock = std::lock_guard(shard.mutex);
        shard.for_each([&](const Object& object) {
            ++looks;
            if (!object.key().starts_with(message_.prefix) || object.key() <= message_.after) return;
            if (!object.visible() || !may_reach(message_.prefix, object.key())) return;
            if (found_.size() == message_.limit) {
                if (object.key() >= found_.front().key) return;
                std::pop_heap(found_.begin(), found_.end(), by_key);
                found_.pop_back();
            }
            found_.push_back({.key = std::string(object.key()), .size = object.size, .version = object.version});
            std::push_heap(found_.begin(), found_.end(), by_key);
        });
        return looks;
    }

    List message_;
    std::size_t next_ = 0;
    std::vector<ListedObject> found_; // a heap, the largest of them first
};

} // namespace mooncake::store::detail
