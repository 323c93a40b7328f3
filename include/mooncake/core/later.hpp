#pragma once

namespace mooncake {

namespace core::detail {

template <class T, class...>
struct Later {
    using Type = T;
};

/// `T`, but known to the compiler only when `On` is: what a template does with it is compiled for those who use the template,
/// and not for all who include its header.
template <class T, class... On>
using later = typename Later<T, On...>::Type;

/// `object`, of such a type: in a member template, what is done with it is compiled for those who call that member.
template <class On, class T>
[[nodiscard]] constexpr T& known_later(T& object) noexcept {
    return object;
}

} // namespace core::detail

} // namespace mooncake
