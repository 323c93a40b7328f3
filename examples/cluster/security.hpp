#pragma once

#include <mooncake/engine/transfer_engine.hpp>
#include <mooncake/metadata/peer.hpp>
#include <mooncake/net/any_tcp.hpp>
#include <mooncake/net/plain_tcp.hpp>
#include <mooncake/store/basic_store.hpp>
#include <mooncake/store/remote_master.hpp>
#if CLUSTER_WITH_TLS // where OpenSSL's headers are: see examples/CMakeLists.txt
#include <mooncake/net/tls_tcp.hpp>
#endif
#include <mooncake/transport/tcp.hpp>

#include "flags.hpp"

#include <string>

/// How the programs of a cluster secure what they say to each other: all in the same way.
namespace cluster {

#if CLUSTER_WITH_TLS
using AnyTcp = mooncake::AnyTcp<mooncake::PlainTcp, mooncake::TlsTcp>;
#else
using AnyTcp = mooncake::AnyTcp<mooncake::PlainTcp>;
#endif

struct Security {
    std::string authority, certificate, key;

    void add_to(Flags& flags) {
        flags.text("tls-authority", authority,
                   "file of certificates, PEM: connections are TLS 1.3, and both ends show one that these have signed");
        flags.text("tls-certificate", certificate, "file of this process's certificate, PEM");
        flags.text("tls-key", key, "file of its key, PEM");
    }

    /// Errors: `invalid_argument`; throws what `TlsTcp` does.
    [[nodiscard]] mooncake::Result<AnyTcp> policy() const {
        using mooncake::Errc, mooncake::Error;
        if (authority.empty() && certificate.empty() && key.empty()) return AnyTcp(mooncake::PlainTcp());
        if (authority.empty() || certificate.empty() || key.empty())
            return Error(Errc::invalid_argument,
                         "--tls-authority, --tls-certificate and --tls-key are given all three, or none");
#if CLUSTER_WITH_TLS
        return AnyTcp(mooncake::TlsTcp({.authority = authority, .certificate = certificate, .key = key}));
#else
        return Error(Errc::invalid_argument, "this program was built without TLS; with Debian's libssl-dev it has it");
#endif
    }
};

/// An engine over connections of that kind; memory of this host is shared as ever.
struct Secured : mooncake::DefaultEngineTraits {
    using Transports =
        mooncake::TransportSet<mooncake::LoopbackTransport, mooncake::ShmTransport, mooncake::TcpTransport<AnyTcp>>;
    using Metadata = mooncake::PeerMetadata<AnyTcp>;
};

} // namespace cluster

// What several of the programs are made of is compiled once for them, in secured/*.cpp.
namespace mooncake {

extern template class RpcClient<cluster::AnyTcp>;
extern template class Server<cluster::AnyTcp>;
extern template class PeerMetadata<cluster::AnyTcp>;
extern template class RemoteMaster<cluster::AnyTcp>;
extern template class BasicShmTransport<AutoCopier>;
extern template class TcpTransport<cluster::AnyTcp>;
extern template class BasicSegment<cluster::Secured::Transports>;
extern template class TransferEngine<cluster::Secured>;
extern template class store::detail::Client<cluster::Secured>;
extern template class BasicStore<cluster::Secured>;

} // namespace mooncake
