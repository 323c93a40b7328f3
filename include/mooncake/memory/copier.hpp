#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/hash.hpp>

#include <immintrin.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

namespace mooncake {

/// How bytes get from one place of this process's memory to another.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `C::copy(to, from, n)` | `[to, to + n)` holds what `[from, from + n)` held; the ranges do not overlap | none | any | O(n) |
template <class C>
concept Copier = requires(std::byte* to, const std::byte* from, std::size_t n) {
    { C::copy(to, from, n) } noexcept -> std::same_as<void>;
};

/// Choose this when: the bytes are small, or are read again at once.
struct MemcpyCopier {
    static void copy(std::byte* to, const std::byte* from, std::size_t n) noexcept {
        if (n != 0) std::memcpy(to, from, n);
    }
};

/// Choose this when: the processor has fast `rep movsb` (ERMS) and its C library does not use it.
struct RepMovsbCopier {
    static void copy(std::byte* to, const std::byte* from, std::size_t n) noexcept {
        asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    }
};

/// Choose this when: the target is larger than the caches, so that reading it before writing it would be waste.
/// Stores past the caches (AVX-512, AVX or SSE2, whatever the processor has).
struct NonTemporalCopier {
    static void copy(std::byte* to, const std::byte* from, std::size_t n) noexcept {
        if (n < 256) return MemcpyCopier::copy(to, from, n);
        const auto head = (64 - reinterpret_cast<std::uintptr_t>(to) % 64) % 64;
        std::memcpy(to, from, head);
        to += head, from += head, n -= head;
        const auto body = n & ~std::size_t{255};
        static const auto stream = __builtin_cpu_supports("avx512f") ? &stream_512
                                   : __builtin_cpu_supports("avx")   ? &stream_256
                                                                     : &stream_128;
        stream(to, from, body);
        _mm_sfence();
        std::memcpy(to + body, from + body, n - body);
    }

  private:
    /// The processor's own read-ahead stops at each 4 KiB page; asking for what is this far ahead makes up for it: 10 %
    /// more (measured, AMD EPYC 9005). A prefetch past the end of the source does nothing.
    static constexpr std::size_t ahead = 2 * KiB;

    static void prefetch(const std::byte* from) noexcept {
        _mm_prefetch(reinterpret_cast<const char*>(from + ahead), _MM_HINT_NTA);
    }

    /// `to` is aligned to 64 and `n` is a multiple of 256.
    [[gnu::target("avx512f")]] static void stream_512(std::byte* to, const std::byte* from, std::size_t n) noexcept {
        for (; n != 0; n -= 256, to += 256, from += 256) {
            for (int line = 0; line < 256; line += 64) prefetch(from + line);
            const auto a = _mm512_loadu_si512(from), b = _mm512_loadu_si512(from + 64);
            const auto c = _mm512_loadu_si512(from + 128), d = _mm512_loadu_si512(from + 192);
            _mm512_stream_si512(reinterpret_cast<__m512i*>(to), a);
            _mm512_stream_si512(reinterpret_cast<__m512i*>(to + 64), b);
            _mm512_stream_si512(reinterpret_cast<__m512i*>(to + 128), c);
            _mm512_stream_si512(reinterpret_cast<__m512i*>(to + 192), d);
        }
    }
    [[gnu::target("avx")]] static void stream_256(std::byte* to, const std::byte* from, std::size_t n) noexcept {
        for (; n != 0; n -= 128, to += 128, from += 128) {
            for (int line = 0; line < 128; line += 64) prefetch(from + line);
            for (int lane = 0; lane < 128; lane += 32)
                _mm256_stream_si256(reinterpret_cast<__m256i*>(to + lane),
                                    _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + lane)));
        }
    }
    static void stream_128(std::byte* to, const std::byte* from, std::size_t n) noexcept {
        for (; n != 0; n -= 64, to += 64, from += 64) {
            prefetch(from);
            for (int lane = 0; lane < 64; lane += 16)
                _mm_stream_si128(reinterpret_cast<__m128i*>(to + lane),
                                 _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + lane)));
        }
    }
};

/// Choose this when: in doubt. memcpy up to a size that fits the caches, past the caches above it.
struct AutoCopier {
    static constexpr std::size_t non_temporal_from = 256 * KiB;

    static void copy(std::byte* to, const std::byte* from, std::size_t n) noexcept {
        n < non_temporal_from ? MemcpyCopier::copy(to, from, n) : NonTemporalCopier::copy(to, from, n);
    }
};

/// Copies and returns the XXH3-64 of what was copied, in blocks that stay in the first cache between the two.
/// The hash is of the bytes that arrived at `to`, so that a source which changes meanwhile cannot fool it.
[[nodiscard]] inline std::uint64_t copy_and_hash(std::byte* to, const std::byte* from, std::size_t n) noexcept {
    constexpr std::size_t block = 16 * KiB;
    if (n <= block) {
        MemcpyCopier::copy(to, from, n);
        return hash_bytes({to, n});
    }
    struct Free {
        void operator()(XXH3_state_t* state) const noexcept { XXH3_freeState(state); }
    };
    thread_local const auto owner = std::unique_ptr<XXH3_state_t, Free>(XXH3_createState());
    auto* const state = owner.get();
    XXH3_64bits_reset(state);
    for (std::size_t at = 0; at < n; at += block) {
        const auto length = n - at < block ? n - at : block;
        std::memcpy(to + at, from + at, length);
        XXH3_64bits_update(state, to + at, length);
    }
    return XXH3_64bits_digest(state);
}

static_assert(Copier<MemcpyCopier>);
static_assert(Copier<RepMovsbCopier>);
static_assert(Copier<NonTemporalCopier>);
static_assert(Copier<AutoCopier>);

} // namespace mooncake
