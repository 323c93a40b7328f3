// labels: conformance io
#include <mooncake/testing/minimal_transport.hpp>
#include <mooncake/testing/transport_conformance.hpp>

using namespace mooncake;

TEST_CASE("minimal: is a transport in all it does") { testing::transport_conformance<testing::MinimalTransport>(); }
