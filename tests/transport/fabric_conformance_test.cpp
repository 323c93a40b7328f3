// labels: conformance io
#include <mooncake/testing/fabric_transport.hpp>
#include <mooncake/testing/transport_conformance.hpp>

using namespace mooncake;

TEST_CASE("fabric: is a transport in all it does") { testing::transport_conformance<testing::FabricTransport>(); }
