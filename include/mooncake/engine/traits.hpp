#pragma once

#include <mooncake/core/config_of.hpp>
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
};

namespace engine::detail {

template <class T>
inline constexpr bool is_transport_set = false;
template <Transport... Ts>
inline constexpr bool is_transport_set<TransportSet<Ts...>> = true;

} // namespace engine::detail

/// `T::Transports` is a `TransportSet`, `T::Metadata` a `MetadataBackend`.
template <class T>
concept EngineTraits =
    engine::detail::is_transport_set<typename T::Transports> && MetadataBackend<typename T::Metadata>;

} // namespace mooncake
