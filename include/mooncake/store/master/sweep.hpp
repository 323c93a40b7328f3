#pragma once

#include <mooncake/core/pattern.hpp>
#include <mooncake/store/master/shard.hpp>
#include <mooncake/store/messages.hpp>
#include <mooncake/store/tenant_key.hpp>

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// Finds the keys that a `RemoveMatching` means, in steps, so that others can have their turn in between.
/// Thread: one at a time. Complexity: O(objects a step + objects of a shard) a step; long patterns take more of it.
class Sweep {
  public:
    static constexpr std::size_t work_a_step = 1024;

    explicit Sweep(RemoveMatching message = {}) : message_(std::move(message)) {}

    /// Whether no shard is left.
    [[nodiscard]] bool is_over() const noexcept { return next_ == Shards::count; }

    /// What matches in the next shards. Requires: they are not over.
    [[nodiscard]] Remove step(Shards& shards) {
        auto found = Remove{.mode = message_.mode};
        for (auto work = std::size_t{0}; !is_over() && work < work_a_step;) {
            auto& shard = shards.at(next_++);
            const auto lock = std::lock_guard(shard.mutex);
            shard.for_each([&](const Object& object) {
                work += 1 + object.key().size() * message_.pattern.size() / 256;
                if (object.visible() && matches(object.key())) found.keys.emplace_back(object.key());
            });
        }
        return found;
    }
    void count(const RemoveReply& done) noexcept {
        for (const auto outcome : done.outcomes) {
            reply_.removed += outcome == Errc::ok;
            reply_.in_use += outcome == Errc::conflict;
        }
    }
    [[nodiscard]] RemoveMatchingReply take() const noexcept { return reply_; }

  private:
    [[nodiscard]] bool matches(std::string_view key) const noexcept {
        if (!key.starts_with(message_.prefix) || !may_reach(message_.prefix, key)) return false;
        return message_.pattern.empty() || Pattern::matches(message_.pattern, key.substr(message_.prefix.size()));
    }

    RemoveMatching message_;
    RemoveMatchingReply reply_;
    std::size_t next_ = 0;
};

} // namespace mooncake::store::detail
