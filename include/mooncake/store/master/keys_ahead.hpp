#pragma once

#include <mooncake/store/master/shard.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// The keys of a message, hashed. What is needed to find one of many is all over memory: it is asked for while those before
/// it are looked at, so that one look-up does not wait for memory again and again. Measured with a million objects, batches of
/// 128: 2.2 times as many look-ups a second.
/// `TextOf`: `text_of(i)` is the i-th key. Thread: one at a time, with no shard's lock held. Lifetime: the texts outlive it.
template <class TextOf>
class KeysAhead {
  public:
    KeysAhead(Shards& shards, std::size_t count, TextOf text_of)
        : shards_(shards), count_(count), text_of_(std::move(text_of)) {
        for (std::size_t i = 0; i < distance && is_many(); ++i) advance(i);
    }

    /// The i-th. Requires: they are taken one after the other.
    [[nodiscard]] HashedKey take(std::size_t i) {
        if (!is_many()) return HashedKey(text_of_(i));
        advance(i + distance);
        return at(i);
    }

  private:
    static constexpr std::size_t step = 4; ///< keys between one thing that is asked for and the next
    static constexpr std::size_t distance = 4 * step;

    [[nodiscard]] bool is_many() const noexcept { return count_ >= step; }
    [[nodiscard]] HashedKey& at(std::size_t i) noexcept { return hashed_[i % hashed_.size()]; }

    void advance(std::size_t i) {
        if (i < count_) {
            at(i) = HashedKey(text_of_(i));
            shards_.prefetch_shard(at(i));
        }
        look(i, 1, ObjectTable::Ahead::place);
        look(i, 2, ObjectTable::Ahead::object);
    }
    void look(std::size_t i, std::size_t steps, ObjectTable::Ahead what) {
        const auto behind = steps * step;
        if (i >= behind && i - behind < count_) shards_.prefetch(at(i - behind), what);
    }

    Shards& shards_;
    const std::size_t count_;
    const TextOf text_of_;
    std::array<HashedKey, 2 * distance> hashed_{}; // by number, over and over
};

/// Lifetime: `keys` outlives it.
[[nodiscard]] inline auto keys_ahead(Shards& shards, const std::vector<std::string>& keys) {
    return KeysAhead(shards, keys.size(), [&keys](std::size_t i) { return std::string_view(keys[i]); });
}

} // namespace mooncake::store::detail
