#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/small_vector.hpp>

#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string_view>

// On x86 the library has these beside the plain functions: the same numbers by the widest vectors of the processor, 3 to 16
// times as fast. Weak, since libxxhash may have been built without them.
extern "C" {
[[gnu::weak]] XXH64_hash_t XXH3_64bits_withSeed_dispatch(const void* input, size_t len, XXH64_hash_t seed);
[[gnu::weak]] XXH_errorcode XXH3_64bits_update_dispatch(XXH3_state_t* state, const void* input, size_t len);
}

namespace mooncake {

/// How many bytes of an object share one checksum.
inline constexpr std::uint64_t checksum_chunk = 256 * KiB;

/// The XXH3-64 of each chunk of an object. A block of KV cache is seldom more than one chunk: the first costs no allocation.
using Checksums = SmallVector<std::uint64_t, 1>;

/// XXH3-64 of `bytes`. The same number on every machine.
[[nodiscard]] inline std::uint64_t hash_bytes(ConstBytes bytes, std::uint64_t seed = 0) noexcept {
    static const auto hash = &XXH3_64bits_withSeed_dispatch ? &XXH3_64bits_withSeed_dispatch : &XXH3_64bits_withSeed;
    return hash(bytes.data(), bytes.size(), seed);
}
[[nodiscard]] inline std::uint64_t hash_text(std::string_view text, std::uint64_t seed = 0) noexcept {
    return hash_bytes(bytes_of(text), seed);
}

namespace core::detail {

/// XXH3-64 of bytes that come in pieces.
class Hasher {
  public:
    Hasher() : state_(XXH3_createState()) {
        if (!state_) throw std::bad_alloc();
        reset();
    }
    void reset() noexcept { XXH3_64bits_reset(state_.get()); }
    void add(ConstBytes piece) noexcept {
        static const auto update = &XXH3_64bits_update_dispatch ? &XXH3_64bits_update_dispatch : &XXH3_64bits_update;
        update(state_.get(), piece.data(), piece.size());
    }
    [[nodiscard]] std::uint64_t hash() const noexcept { return XXH3_64bits_digest(state_.get()); }

  private:
    struct Free {
        void operator()(XXH3_state_t* state) const noexcept { XXH3_freeState(state); }
    };
    std::unique_ptr<XXH3_state_t, Free> state_;
};

/// The same; at most one at a time on a thread: they share its state.
class PieceHasher {
  public:
    PieceHasher() { of_thread().reset(); }
    void add(ConstBytes piece) noexcept { of_thread().add(piece); }
    [[nodiscard]] std::uint64_t hash() const noexcept { return of_thread().hash(); }

  private:
    static Hasher& of_thread() {
        thread_local auto hasher = Hasher();
        return hasher;
    }
};

} // namespace core::detail

/// How many checksums an object of `bytes` bytes has; none for an empty one.
[[nodiscard]] constexpr std::uint64_t chunks_of(std::uint64_t bytes) noexcept {
    return bytes / checksum_chunk + (bytes % checksum_chunk != 0);
}

/// XXH3-64 of each 256 KiB chunk of `bytes`; the last chunk may be shorter.
[[nodiscard]] inline Checksums chunk_checksums(ConstBytes bytes) {
    auto sums = Checksums();
    sums.reserve(chunks_of(bytes.size()));
    for (; !bytes.empty(); bytes = bytes.subspan(std::min<std::uint64_t>(checksum_chunk, bytes.size())))
        sums.push_back(hash_bytes(bytes.first(std::min<std::uint64_t>(checksum_chunk, bytes.size()))));
    return sums;
}

/// The same of bytes that lie in pieces, one behind the other.
template <class Piece>
[[nodiscard]] Checksums chunk_checksums(std::span<const Piece> pieces) {
    auto sums = Checksums();
    auto hasher = core::detail::PieceHasher();
    auto hashed = std::uint64_t{0}; // of the chunk that is begun
    for (auto rest : pieces)
        while (!rest.empty()) {
            const auto next = rest.first(std::min<std::uint64_t>(checksum_chunk - hashed, rest.size()));
            hasher.add(next);
            rest = rest.subspan(next.size());
            hashed += next.size();
            if (hashed != checksum_chunk) continue;
            sums.push_back(hasher.hash());
            hasher = core::detail::PieceHasher();
            hashed = 0;
        }
    if (hashed != 0) sums.push_back(hasher.hash());
    return sums;
}

/// Keys of the KV-cache blocks of a prompt: `key_i = H(key_{i-1}, tokens of block i)`, so that equal keys mean equal
/// prefixes. Shapes: feed whole blocks, in order. Source: FAST'25 §4.
class PrefixHasher {
  public:
    explicit PrefixHasher(std::uint64_t seed = 0) noexcept : key_(seed) {}

    /// The key of the next block. `tokens`: the ids of its tokens, 512 by custom.
    std::uint64_t next(std::span<const std::uint32_t> tokens) noexcept {
        return key_ = hash_bytes(std::as_bytes(tokens), key_);
    }

  private:
    std::uint64_t key_;
};

} // namespace mooncake
