// labels: conformance io
#include <mooncake/testing/transport_conformance.hpp>
#include <mooncake/transport/shm.hpp>

using namespace mooncake;

TEST_CASE("shm: is a transport in all it does") { testing::transport_conformance<ShmTransport>(); }
