#pragma once

#include <mooncake/core/clock.hpp>

#include <cstdint>

namespace mooncake {

struct PlainTcp;

template <class P = PlainTcp>
class PeerMetadata;

template <Clock C = SteadyClock>
class BasicMemoryMetadata;
using MemoryMetadata = BasicMemoryMetadata<>;

/// Which HTTP server is talked to.
enum class HttpDialect : std::uint8_t {
    plain, ///< GET, PUT and DELETE of `<path>?key=…` and no more: the metadata server that serving systems bring along
    versioned, ///< an `HttpMetadataServer`
};
template <HttpDialect Dialect, class P = PlainTcp>
class BasicHttpMetadata;
using HttpMetadata = BasicHttpMetadata<HttpDialect::versioned>;
using PlainHttpMetadata = BasicHttpMetadata<HttpDialect::plain>;
template <class P = PlainTcp>
class HttpMetadataServer;

template <class P = PlainTcp>
class EtcdMetadata;
template <class P = PlainTcp>
class RedisMetadata;

} // namespace mooncake
