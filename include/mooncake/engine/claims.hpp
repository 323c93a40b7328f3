#pragma once

#include <mooncake/transport/concept.hpp>

namespace mooncake::engine::detail {

/// Whether transports have what their capabilities say. Where one has not, the error names what is missing.
template <Transport... Ts>
consteval bool keep_their_claims() {
    static_assert(((!Ts::capabilities.maps || MappingTransport<Ts>) && ...),
                  "a transport claims `maps` and has no `map`");
    static_assert(((!Ts::capabilities.immediate || ImmediateTransport<Ts>) && ...),
                  "a transport claims `immediate` and has no `transfer_now`");
    static_assert(((!Ts::capabilities.several_paths || SeveralPathsTransport<Ts>) && ...),
                  "a transport claims `several_paths` and has no `describe_others`");
    static_assert(((!Ts::capabilities.notifies || NotifyingTransport<Ts>) && ...),
                  "a transport claims `notifies` and has no `notify`");
    static_assert(((!Ts::capabilities.registers || RegisteringTransport<Ts>) && ...),
                  "a transport claims `registers` and has no `attach` and `detach`");
    static_assert(((!Ts::capabilities.handshakes || HandshakingTransport<Ts>) && ...),
                  "a transport claims `handshakes` and has no `accept`");
    static_assert(((!Ts::capabilities.carries || CarryingTransport<Ts>) && ...),
                  "a transport claims `carries` and has no `ask`");
    static_assert(!(Ts::capabilities.handshakes || ...) ||
                      ((Ts::capabilities.carries && !Ts::capabilities.handshakes) || ...),
                  "a transport claims `handshakes`, and no other of the set claims `carries`: add TcpTransport");
    return true;
}

} // namespace mooncake::engine::detail
