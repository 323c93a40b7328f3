#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/hash.hpp>
#include <mooncake/core/random.hpp>
#include <mooncake/simulation/world.hpp>

#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mooncake::simulation {

/// Knows what was ever written under which key, and looks at all that is read.
class Oracle {
  public:
    explicit Oracle(World& world) : world_(world) {}

    /// A value for `key` that nobody ever wrote before. Its bytes follow from a number that stands at its beginning.
    [[nodiscard]] std::vector<std::byte> make_value(const std::string& key, std::size_t bytes) {
        const auto number = ++last_;
        written_.emplace(number, Written{hash_text(key), bytes});
        return value_of(number, bytes);
    }

    /// The number that stands at the beginning of a value; 0: it is none.
    [[nodiscard]] static std::uint64_t number_of(ConstBytes bytes) noexcept {
        auto number = std::uint64_t{0};
        if (bytes.size() >= sizeof number) std::memcpy(&number, bytes.data(), sizeof number);
        return number;
    }

    /// Reports a fault, and gives false, unless `bytes` were written under `key`, by somebody, some time.
    bool check_read(std::string_view key, ConstBytes bytes, std::string_view by) {
        ++reads_;
        const auto number = number_of(bytes);
        const auto found = written_.find(number);
        if (found == written_.end() || found->second.bytes != bytes.size())
            return wrong(key, by, "bytes that nobody ever wrote");
        if (found->second.key != hash_text(key)) return wrong(key, by, "the bytes of another key");
        const auto expected = value_of(number, bytes.size());
        if (std::memcmp(expected.data(), bytes.data(), bytes.size()) != 0) return wrong(key, by, "torn bytes");
        return true;
    }
    /// The same for the first `least_bytes` of a value.
    bool check_beginning(std::string_view key, ConstBytes bytes, std::string_view by) {
        ++reads_;
        const auto found = written_.find(number_of(bytes));
        if (found == written_.end()) return wrong(key, by, "a beginning that nobody ever wrote");
        if (found->second.key != hash_text(key)) return wrong(key, by, "the beginning of another key");
        return true;
    }

    /// A buffer whose operation has ended, and which nobody may touch any more. It is looked at again for a while.
    void keep_buffer(std::vector<std::byte> buffer, std::string_view by) {
        const auto sum = hash_bytes(buffer);
        buffers_.push_back({std::move(buffer), sum, std::string(by)});
        if (buffers_.size() > most_buffers) drop_buffer();
    }
    void check_buffers() {
        while (!buffers_.empty()) drop_buffer();
    }

    [[nodiscard]] std::uint64_t reads() const noexcept { return reads_; }

    static constexpr std::size_t least_bytes = sizeof(std::uint64_t);

  private:
    static constexpr std::size_t most_buffers = 256;

    struct Written {
        std::uint64_t key;
        std::size_t bytes;
    };
    struct Buffer {
        std::vector<std::byte> bytes;
        std::uint64_t sum;
        std::string by;
    };

    static std::vector<std::byte> value_of(std::uint64_t number, std::size_t bytes) {
        auto value = std::vector<std::byte>(bytes);
        auto random = SplitMix64(number);
        auto word = number;
        for (std::size_t at = 0; at < bytes; at += sizeof word, word = random())
            std::memcpy(value.data() + at, &word, std::min(sizeof word, bytes - at));
        return value;
    }
    bool wrong(std::string_view key, std::string_view by, std::string_view what) {
        world_.report_fault(std::string(by) + " read " + std::string(what) + " under " + std::string(key));
        return false;
    }
    void drop_buffer() {
        const auto& oldest = buffers_.front();
        if (hash_bytes(oldest.bytes) != oldest.sum)
            world_.report_fault("memory of " + oldest.by + " changed after its operation had ended");
        buffers_.pop_front();
    }

    World& world_;
    std::uint64_t last_ = 0, reads_ = 0;
    std::unordered_map<std::uint64_t, Written> written_;
    std::deque<Buffer> buffers_;
};

} // namespace mooncake::simulation
