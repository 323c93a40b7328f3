#pragma once

namespace mooncake::test {

/// Whether a sanitizer makes everything slow and large.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr auto sanitized = true;
#elif defined(__has_feature)
inline constexpr auto sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr auto sanitized = false;
#endif

} // namespace mooncake::test
