// labels: conformance io
// needs: tls
#include <mooncake/net/tls_tcp.hpp>
#include <mooncake/testing/transport_conformance.hpp>
#include <mooncake/transport/tcp.hpp>

#include "net/certificates.hpp"

using namespace mooncake;

TEST_CASE("tls: tcp over it is a transport in all it does") {
    testing::transport_conformance<TcpTransport<test::TestTls>>();
}
