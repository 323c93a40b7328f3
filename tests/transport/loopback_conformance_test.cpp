// labels: conformance io
#include <mooncake/testing/transport_conformance.hpp>
#include <mooncake/transport/loopback.hpp>

using namespace mooncake;

TEST_CASE("loopback: is a transport in all it does") { testing::transport_conformance<LoopbackTransport>(); }
