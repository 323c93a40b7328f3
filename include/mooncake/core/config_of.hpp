#pragma once

namespace mooncake {

/// The configuration of a part of an engine or a store: `T::Config`, unless it is said apart, so that who configures a part
/// need not see its insides.
template <class T>
struct ConfigOf {
    using Type = typename T::Config;
};
template <class T>
using config_of = typename ConfigOf<T>::Type;

} // namespace mooncake
