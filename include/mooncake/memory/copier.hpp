#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/hash.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

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

#if defined(__x86_64__)
/// Choose this when: the processor has fast `rep movsb` (ERMS) and its C library does not use it. x86-64 only.
struct RepMovsbCopier {
    static void copy(std::byte* to, const std::byte* from, std::size_t n) noexcept {
        asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    }
};
static_assert(Copier<RepMovsbCopier>);
#endif

/// Choose this when: the target is larger than the caches, so that reading it before writing it would be waste.
/// Stores past the caches: x86-64 with AVX-512 where the processor has it, else with SSE2; AArch64 with pairs that are not
/// kept (STNP), of which no time was measured.
struct NonTemporalCopier {
    static void copy(std::byte* to, const std::byte* from, std::size_t n) noexcept {
        if (n < 256) return MemcpyCopier::copy(to, from, n);
        const auto head = unaligned(to);
        std::memcpy(to, from, head);
        to += head, from += head, n -= head;
        const auto body = n & ~std::size_t{255};
        stream(to, from, body);
        std::memcpy(to + body, from + body, n - body);
    }

    /// Copies, and returns the XXH3-64 of what was copied: a piece at a time is also left in the first cache, and hashed
    /// there. So the hash is of the bytes that went to `to`, even if `from` changes meanwhile.
    [[nodiscard]] static std::uint64_t copy_and_hash(std::byte* to, const std::byte* from, std::size_t n) noexcept {
        alignas(64) std::byte kept[piece];
        auto hasher = core::detail::PieceHasher();
        const auto small = [&](std::size_t bytes) {
            std::memcpy(kept, from, bytes);
            std::memcpy(to, kept, bytes);
            hasher.add({kept, bytes});
            to += bytes, from += bytes, n -= bytes;
        };
        small(std::min(unaligned(to), n));
        while (n >= 256) {
            const auto bytes = std::min(piece, n & ~std::size_t{255});
            stream(to, from, bytes, kept);
            hasher.add({kept, bytes});
            to += bytes, from += bytes, n -= bytes;
        }
        small(n);
        return hasher.hash();
    }

  private:
    /// Large enough to keep the processor's read-ahead busy, small enough for its reads to be under way again before the
    /// hash of the last piece is done: of 2, 4, 8 and 16 KiB the fastest (measured, AMD EPYC 9005).
    static constexpr std::size_t piece = 4 * KiB;

    static std::size_t unaligned(const std::byte* to) noexcept {
        return (64 - reinterpret_cast<std::uintptr_t>(to) % 64) % 64;
    }

    /// The processor's own read-ahead stops at each 4 KiB page; asking for what is this far ahead makes up for it: 10 %
    /// more (measured, AMD EPYC 9005). A prefetch past the end of the source does nothing.
    static constexpr std::size_t ahead = 2 * KiB;

    // `to` is aligned to 64 and `n` is a multiple of 256. Where `kept` is not null, it gets the same bytes, in the caches.
    // In assembly: the intrinsics' header costs every user 0.3 s.
#if defined(__x86_64__)
    static void stream(std::byte* to, const std::byte* from, std::size_t n, std::byte* kept = nullptr) noexcept {
        static const auto wide = __builtin_cpu_supports("avx512f") != 0;
        if (wide) kept ? stream_512<true>(to, from, n, kept) : stream_512<false>(to, from, n, kept);
        else kept ? stream_128<true>(to, from, n, kept) : stream_128<false>(to, from, n, kept);
        asm volatile("sfence" ::: "memory");
    }

    template <bool Keep>
    static void stream_512(std::byte* to, const std::byte* from, std::size_t n, std::byte* kept) noexcept {
        for (; n != 0; n -= 256, to += 256, from += 256) {
            for (std::size_t line = 0; line < 256; line += 64) __builtin_prefetch(from + ahead + line, 0, 0);
            asm volatile("vmovdqu64 (%1), %%zmm16\n vmovdqu64 64(%1), %%zmm17\n"
                         "vmovdqu64 128(%1), %%zmm18\n vmovdqu64 192(%1), %%zmm19\n"
                         "vmovntdq %%zmm16, (%0)\n vmovntdq %%zmm17, 64(%0)\n"
                         "vmovntdq %%zmm18, 128(%0)\n vmovntdq %%zmm19, 192(%0)\n"
                         ".if %c3\n"
                         "vmovdqa64 %%zmm16, (%2)\n vmovdqa64 %%zmm17, 64(%2)\n"
                         "vmovdqa64 %%zmm18, 128(%2)\n vmovdqa64 %%zmm19, 192(%2)\n"
                         ".endif"
                         :
                         : "r"(to), "r"(from), "r"(kept), "i"(Keep)
                         : "memory"
#ifdef __AVX512F__ // otherwise the compiler does not know these registers, and uses none of them
                           ,
                           "xmm16", "xmm17", "xmm18", "xmm19"
#endif
            );
            if constexpr (Keep) kept += 256;
        }
    }
    template <bool Keep>
    static void stream_128(std::byte* to, const std::byte* from, std::size_t n, std::byte* kept) noexcept {
        for (; n != 0; n -= 64, to += 64, from += 64) {
            __builtin_prefetch(from + ahead, 0, 0);
            asm volatile("movdqu (%1), %%xmm0\n movdqu 16(%1), %%xmm1\n"
                         "movdqu 32(%1), %%xmm2\n movdqu 48(%1), %%xmm3\n"
                         "movntdq %%xmm0, (%0)\n movntdq %%xmm1, 16(%0)\n"
                         "movntdq %%xmm2, 32(%0)\n movntdq %%xmm3, 48(%0)\n"
                         ".if %c3\n"
                         "movdqa %%xmm0, (%2)\n movdqa %%xmm1, 16(%2)\n"
                         "movdqa %%xmm2, 32(%2)\n movdqa %%xmm3, 48(%2)\n"
                         ".endif"
                         :
                         : "r"(to), "r"(from), "r"(kept), "i"(Keep)
                         : "memory", "xmm0", "xmm1", "xmm2", "xmm3");
            if constexpr (Keep) kept += 64;
        }
    }
#elif defined(__aarch64__)
    static void stream(std::byte* to, const std::byte* from, std::size_t n, std::byte* kept = nullptr) noexcept {
        for (; n != 0; n -= 64, to += 64, from += 64) {
            __builtin_prefetch(from + ahead, 0, 0);
            if (kept != nullptr) kept = keep(kept, from); // first, so that what goes to `to` is what was kept
            asm volatile("ldp q0, q1, [%1]\n ldp q2, q3, [%1, #32]\n"
                         "stnp q0, q1, [%0]\n stnp q2, q3, [%0, #32]"
                         :
                         : "r"(to), "r"(kept != nullptr ? kept - 64 : from)
                         : "memory", "v0", "v1", "v2", "v3");
        }
        asm volatile("dmb ishst" ::: "memory");
    }
    static std::byte* keep(std::byte* kept, const std::byte* from) noexcept {
        std::memcpy(kept, from, 64);
        return kept + 64;
    }
#else
    static void stream(std::byte* to, const std::byte* from, std::size_t n, std::byte* kept = nullptr) noexcept {
        if (kept != nullptr) from = static_cast<const std::byte*>(std::memcpy(kept, from, n));
        std::memcpy(to, from, n);
    }
#endif
};

/// Choose this when: in doubt. memcpy up to a size that fits the caches; above it past the caches, unless the same target was
/// copied to a moment ago and is in them still.
struct AutoCopier {
    static constexpr std::size_t non_temporal_from = 256 * KiB;

    static void copy(std::byte* to, const std::byte* from, std::size_t n) noexcept {
        n < non_temporal_from || recent().again(to, n) ? MemcpyCopier::copy(to, from, n) : copy_large(to, from, n);
    }

  private:
    /// Intel's `rep movsb` does not read large targets before it writes them, and is faster than stores past the caches (1 MiB out of
    /// 1 GiB on a Xeon with AVX-512: 6.5 against 5.6 GB/s); on AMD EPYC 9005 it is the other way round.
    static void copy_large(std::byte* to, const std::byte* from, std::size_t n) noexcept {
#if defined(__x86_64__)
        static const auto intel = __builtin_cpu_is("intel") != 0;
        if (intel) return RepMovsbCopier::copy(to, from, n);
#endif
        NonTemporalCopier::copy(to, from, n);
    }

    /// The large targets that a thread copied to last, as long as what was copied since fits beside them in a second cache.
    class Recent {
      public:
        /// Whether `to` was one of them; it is one now.
        bool again(const std::byte* to, std::size_t n) noexcept {
            copied_ += n;
            auto oldest = std::size_t{0};
            for (std::size_t i = 0; i < places; ++i) {
                if (to_[i] == to) {
                    const auto since = copied_ - at_[i];
                    at_[i] = copied_;
                    return since <= near;
                }
                if (at_[i] < at_[oldest]) oldest = i;
            }
            to_[oldest] = to, at_[oldest] = copied_;
            return false;
        }

      private:
        static constexpr std::size_t places = 4;
        static constexpr std::uint64_t near = 2 * MiB;

        const std::byte* to_[places] = {};
        std::uint64_t at_[places] = {}; ///< how much had been copied
        std::uint64_t copied_ = 0;
    };
    static Recent& recent() noexcept {
        static thread_local auto recent = Recent();
        return recent;
    }
};

/// Copies and returns the XXH3-64 of what was copied: of the bytes that arrived at `to`, so that a source which changes
/// meanwhile cannot fool it. As `AutoCopier`, past the caches where that pays; below, in blocks that stay in the first
/// cache between copy and hash.
[[nodiscard]] inline std::uint64_t copy_and_hash(std::byte* to, const std::byte* from, std::size_t n) noexcept {
    constexpr std::size_t block = 16 * KiB;
    if (n <= block) {
        MemcpyCopier::copy(to, from, n);
        return hash_bytes({to, n});
    }
    if (n >= AutoCopier::non_temporal_from) return NonTemporalCopier::copy_and_hash(to, from, n);
    auto hasher = core::detail::PieceHasher();
    for (std::size_t at = 0; at < n; at += block) {
        const auto length = std::min(block, n - at);
        std::memcpy(to + at, from + at, length);
        hasher.add({to + at, length});
    }
    return hasher.hash();
}

static_assert(Copier<MemcpyCopier>);
static_assert(Copier<NonTemporalCopier>);
static_assert(Copier<AutoCopier>);

} // namespace mooncake
