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

/// The objects of a shard by key: linear probing over places of eight bytes, at most three quarters in use, each with four
/// bits of its object's hash, so that a look-up hardly ever looks at another object than its own.
/// A key has one object, and that may have a successor, which is being written and takes its place when it goes.
/// Complexity: O(1); O(objects) for the insertion that doubles. Memory: 11 to 21 bytes a key.
class ObjectTable {
  public:
    [[nodiscard]] Object* find(const HashedKey& key) const noexcept { return object_in(places_[place_of(key)]); }
    /// The object of `key` or its successor, whichever is `version`.
    [[nodiscard]] Object* find(const HashedKey& key, std::uint64_t version) const noexcept {
        auto* object = find(key);
        while (object != nullptr && object->version != version) object = object->successor;
        return object;
    }
    /// Asks for the memory that `find` will look at, a step at a time: what the step before asked for has to be there by then.
    /// Inline always: g++ takes a function that only asks for one that does nothing, and leaves out the call.
    enum class Ahead : std::uint8_t { place, object };
    [[gnu::always_inline]] void prefetch(const HashedKey& key, Ahead what) const noexcept {
        auto at = home(key.hash);
        if (what == Ahead::place) return __builtin_prefetch(&places_[at]);
        while (places_[at] != empty && !may_be(places_[at], key.hash)) at = next(at);
        const auto* const object = object_in(places_[at]);
        if (object == nullptr) return;
        __builtin_prefetch(object);
        __builtin_prefetch(reinterpret_cast<const char*>(object) + 64);
        __builtin_prefetch(object + 1);                                     // the key,
        __builtin_prefetch(reinterpret_cast<const char*>(object + 1) + 31); // which mostly ends there or before
    }

    /// As its key's object, or as the successor of the one that is here. Requires: that one has no successor yet.
    void insert(Object& object) {
        if (auto* const before = find(key_of(object)); before != nullptr) {
            before->successor = &object;
            return;
        }
        if (4 * (used_ + 1) > 3 * places_.size()) make_room();
        put(object);
        ++size_;
    }
    /// Its successor, if it has one, is its key's object now. Requires: `object` is here.
    void erase(Object& object) noexcept {
        auto at = place_of(key_of(object));
        auto* const found = object_in(places_[at]);
        if (found != &object) {
            found->successor = nullptr;
            return;
        }
        if (auto* const heir = std::exchange(object.successor, nullptr); heir != nullptr) {
            places_[at] = filled_with(*heir);
            return;
        }
        --size_;
        places_[at] = gone;
        if (places_[next(at)] != empty) return; // somebody behind may have come here past it
        for (; places_[at] == gone; at = (at - 1) & mask()) {
            places_[at] = empty;
            --used_;
        }
    }

    /// Every object, and every successor. `visit` may delete the object it is given.
    template <class Visit>
    void for_each(const Visit& visit) const {
        for (const auto place : places_) {
            auto* const object = object_in(place);
            if (object == nullptr) continue;
            auto* const successor = object->successor;
            visit(*object);
            if (successor != nullptr) visit(*successor);
        }
    }

    /// Of keys.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// The lowest bits of a hash are the same for all objects of a shard.
    static constexpr unsigned shard_bits = 10;

  private:
    /// An object's address, and four bits of its hash in the lowest of it, which are zero; or no object at all.
    using Place = std::uintptr_t;
    static constexpr Place empty = 0, gone = 1; ///< `gone`: there was one, and it has to be looked behind
    static constexpr Place tag_mask = 15;
    static_assert(alignof(Object) > tag_mask);

    static Place tag_of(std::uint64_t hash) noexcept { return static_cast<Place>(hash >> 60); }
    static Place filled_with(const Object& object) noexcept {
        return reinterpret_cast<Place>(&object) | tag_of(object.hash);
    }
    static Object* object_in(Place place) noexcept { return reinterpret_cast<Object*>(place & ~tag_mask); }
    static bool may_be(Place place, std::uint64_t hash) noexcept {
        return (place & tag_mask) == tag_of(hash) && place > tag_mask;
    }
    static HashedKey key_of(const Object& object) noexcept {
        auto key = HashedKey();
        key.text = object.key();
        key.hash = object.hash;
        return key;
    }

    [[nodiscard]] std::size_t mask() const noexcept { return places_.size() - 1; }
    [[nodiscard]] std::size_t home(std::uint64_t hash) const noexcept { return (hash >> shard_bits) & mask(); }
    [[nodiscard]] std::size_t next(std::size_t at) const noexcept { return (at + 1) & mask(); }

    /// Where the object of `key` is, or the empty place that ends the search for it.
    [[nodiscard]] std::size_t place_of(const HashedKey& key) const noexcept {
        for (auto at = home(key.hash);; at = next(at)) {
            const auto place = places_[at];
            if (place == empty) return at;
            if (!may_be(place, key.hash)) continue;
            const auto* const object = object_in(place);
            if (object->hash == key.hash && object->key() == key.text) return at;
        }
    }

    /// Requires: there is room, and no object of its key.
    void put(Object& object) noexcept {
        auto at = home(object.hash);
        while (places_[at] > gone) at = next(at);
        if (places_[at] == empty) ++used_;
        places_[at] = filled_with(object);
    }
    /// For one more: without those that are gone, and twice as large where that is not enough.
    void make_room() {
        auto size = places_.size();
        while (2 * (size_ + 1) > size) size *= 2;
        const auto old = std::exchange(places_, std::vector<Place>(size));
        used_ = 0;
        for (const auto place : old)
            if (auto* const object = object_in(place); object != nullptr) put(*object);
    }

    std::vector<Place> places_ = std::vector<Place>(8); // a power of two; one at least is always empty
    std::size_t size_ = 0, used_ = 0;                   // `used_`: with those that are gone
};

} // namespace mooncake::store::detail
