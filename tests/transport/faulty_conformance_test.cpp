// labels: conformance io
#include <mooncake/testing/transport_conformance.hpp>
#include <mooncake/transport/faulty.hpp>
#include <mooncake/transport/tcp.hpp>

using namespace mooncake;

TEST_CASE("faulty: without faults it is the transport inside") {
    testing::transport_conformance<FaultyTransport<TcpTransport<>>>();
}
