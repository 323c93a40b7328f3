// labels: conformance io
#include <mooncake/testing/transport_conformance.hpp>
#include <mooncake/transport/tcp.hpp>

using namespace mooncake;

TEST_CASE("tcp: is a transport in all it does") { testing::transport_conformance<TcpTransport<>>(); }
