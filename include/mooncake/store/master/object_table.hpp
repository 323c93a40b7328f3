#pragma once

#include <mooncake/core/hash.hpp>
#include <mooncake/store/master/object.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

/// A key whose hash was computed, once.
struct HashedKey {
    std::string_view text;
    std::uint64_t hash = 0;

    HashedKey() = default;
    explicit HashedKey(std::string_view key) noexcept : text(key), hash(hash_text(key)) {}
};

/// The objects of a shard by key, in chains through the objects themselves: one that comes or goes allocates nothing, and
/// a look-up that finds nothing mostly reads one pointer. The chains double in number with the keys.
/// A key has one object, and that may have a successor, which is being written and takes its place when it goes.
/// Complexity: O(1); O(objects) for the insertion that doubles.
class ObjectTable {
  public:
    [[nodiscard]] Object* find(const HashedKey& key) const noexcept {
        auto* object = chains_[chain_of(key.hash)];
        while (object != nullptr && (object->hash != key.hash || object->key != key.text)) object = object->next;
        return object;
    }
    /// Asks for the memory that `find` will look at, a step at a time: what the step before asked for has to be there by then.
    /// Inline always: g++ takes a function that only asks for one that does nothing, and leaves out the call.
    enum class Ahead : std::uint8_t { chain, object, text };
    [[gnu::always_inline]] void prefetch(const HashedKey& key, Ahead what) const noexcept {
        const auto& chain = chains_[chain_of(key.hash)];
        if (what == Ahead::chain) return __builtin_prefetch(&chain);
        if (chain == nullptr) return;
        if (what == Ahead::text) return __builtin_prefetch(chain->key.data());
        __builtin_prefetch(chain);
        __builtin_prefetch(reinterpret_cast<const char*>(chain) + 64);
        __builtin_prefetch(reinterpret_cast<const char*>(chain) + 128);
    }

    /// The object of `key` or its successor, whichever is `version`.
    [[nodiscard]] Object* find(const HashedKey& key, std::uint64_t version) const noexcept {
        auto* object = find(key);
        while (object != nullptr && object->version != version) object = object->successor;
        return object;
    }
    /// As its key's object, or as the successor of the one that is here. Requires: that one has no successor yet.
    void insert(Object& object) {
        if (auto** const link = link_of(object); *link != nullptr) {
            (*link)->successor = &object;
            return;
        }
        if (size_ == chains_.size()) grow();
        push(object);
        ++size_;
    }
    /// Its successor, if it has one, is its key's object now. Requires: `object` is here.
    void erase(Object& object) noexcept {
        auto** const link = link_of(object);
        if (*link != &object) {
            (*link)->successor = nullptr;
            return;
        }
        if (auto* const heir = std::exchange(object.successor, nullptr); heir != nullptr) {
            heir->next = object.next;
            *link = heir;
            return;
        }
        *link = object.next;
        --size_;
    }

    /// Every object, and every successor. `visit` may delete the object it is given.
    template <class Visit>
    void for_each(const Visit& visit) const {
        for (auto* object : chains_)
            while (object != nullptr) {
                auto* const successor = object->successor;
                visit(*std::exchange(object, object->next));
                if (successor != nullptr) visit(*successor);
            }
    }

    /// Of keys.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// The lowest bits of a hash are the same for all objects of a shard.
    static constexpr unsigned shard_bits = 10;

  private:
    [[nodiscard]] std::size_t chain_of(std::uint64_t hash) const noexcept {
        return (hash >> shard_bits) & (chains_.size() - 1);
    }
    /// Where the object of the same key hangs, or one would.
    [[nodiscard]] Object** link_of(const Object& object) noexcept {
        auto** link = &chains_[chain_of(object.hash)];
        while (*link != nullptr && *link != &object && ((*link)->hash != object.hash || (*link)->key != object.key))
            link = &(*link)->next;
        return link;
    }
    void push(Object& object) noexcept { object.next = std::exchange(chains_[chain_of(object.hash)], &object); }
    void grow() {
        const auto old = std::exchange(chains_, std::vector<Object*>(2 * chains_.size()));
        for (auto* object : old)
            while (object != nullptr) push(*std::exchange(object, object->next));
    }

    std::vector<Object*> chains_ = std::vector<Object*>(8); // a power of two
    std::size_t size_ = 0;
};

} // namespace mooncake::store::detail
