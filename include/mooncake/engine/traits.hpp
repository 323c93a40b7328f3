#pragma once

#include <mooncake/core/config_of.hpp>
#include <mooncake/engine/path_policy/measured.hpp>
#include <mooncake/engine/window/delay_window.hpp>
#include <mooncake/metadata/concept.hpp>
#include <mooncake/metadata/fwd.hpp>
#include <mooncake/transport/concept.hpp>
#include <mooncake/transport/loopback_config.hpp>
#include <mooncake/transport/shm_config.hpp>
#include <mooncake/transport/tcp_config.hpp>

#include <tuple>
#include <type_traits>

namespace mooncake {

/// The transports of an engine. Their order does not matter: the cheapest that reaches a segment is used.
template <class... Ts>
struct TransportSet {
    static_assert(sizeof...(Ts) > 0, "an engine needs at least one transport");
    static constexpr std::size_t size = sizeof...(Ts);
    using Configs = std::tuple<config_of<Ts>...>;
    template <template <class...> class To>
    using Apply = To<Ts...>;
    template <class T>
    static constexpr bool has = (std::is_same_v<T, Ts> || ...);
};

/// What an engine is made of; change one line at a time by inheriting.
struct DefaultEngineTraits {
    using Transports = TransportSet<LoopbackTransport, ShmTransport, TcpTransport<>>;
    using Metadata = PeerMetadata<>;
    using Paths = MeasuredPaths; ///< which of several paths the next bytes take
    using Window = DelayWindow;  ///< how many bytes may be on their way over one
};

namespace engine::detail {

/// `T::Paths` and `T::Window`, or the default's where there are none.
template <class T>
struct PathsOf {
    using Type = MeasuredPaths;
};
template <class T>
    requires requires { typename T::Paths; }
struct PathsOf<T> {
    using Type = typename T::Paths;
};
template <class T>
struct WindowOf {
    using Type = DelayWindow;
};
template <class T>
    requires requires { typename T::Window; }
struct WindowOf<T> {
    using Type = typename T::Window;
};

template <class T>
inline constexpr bool is_transport_set = false;
template <Transport... Ts>
inline constexpr bool is_transport_set<TransportSet<Ts...>> = true;

} // namespace engine::detail

/// `T::Transports` is a `TransportSet`, `T::Metadata` a `MetadataBackend`; `T::Paths` is a `PathPolicy` and `T::Window` a
/// `WindowPolicy`, where they are named.
template <class T>
concept EngineTraits =
    engine::detail::is_transport_set<typename T::Transports> && MetadataBackend<typename T::Metadata> &&
    PathPolicy<typename engine::detail::PathsOf<T>::Type> && WindowPolicy<typename engine::detail::WindowOf<T>::Type>;

} // namespace mooncake
