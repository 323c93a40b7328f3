#pragma once

#include <mooncake/core/bytes.hpp>

#include <cstdint>
#include <cstring>
#include <string>

namespace cluster {

/// The key of a block of KV cache. Short enough for std::string to hold without an allocation.
inline std::string block_key(std::uint64_t id) {
    auto key = std::string("b");
    for (; id != 0; id >>= 6) key.push_back(static_cast<char>('0' + (id & 63U)));
    return key;
}

/// A block's contents are a function of its id, so that every byte that is read can be checked. Words of 64 bits, a sequence
/// that begins and steps differently for each id: neither another block's bytes nor the same bytes elsewhere will do.
class BlockPattern {
  public:
    explicit BlockPattern(std::uint64_t id) noexcept : first_(mix(id)), step_(mix(id ^ 0x9e3779b97f4a7c15ULL) | 1U) {}

    void fill(mooncake::MutableBytes block) const noexcept {
        auto word = first_;
        auto at = std::size_t{0};
        for (; at + sizeof word <= block.size(); at += sizeof word, word += step_)
            std::memcpy(block.data() + at, &word, sizeof word);
        std::memcpy(block.data() + at, &word, block.size() - at);
    }

    [[nodiscard]] bool matches(mooncake::ConstBytes block) const noexcept {
        auto word = first_, difference = std::uint64_t{0};
        auto at = std::size_t{0};
        for (; at + sizeof word <= block.size(); at += sizeof word, word += step_) {
            auto found = std::uint64_t{0};
            std::memcpy(&found, block.data() + at, sizeof found);
            difference |= found ^ word;
        }
        return difference == 0 && std::memcmp(block.data() + at, &word, block.size() - at) == 0;
    }

  private:
    /// splitmix64's finaliser.
    static std::uint64_t mix(std::uint64_t x) noexcept {
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
        return x ^ (x >> 31);
    }

    std::uint64_t first_, step_;
};

} // namespace cluster
