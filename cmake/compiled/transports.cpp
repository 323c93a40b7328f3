#include <mooncake/compiled_policies.hpp>

template class mooncake::BasicMemoryMetadata<mooncake::SteadyClock>;
template class mooncake::BasicLoopbackTransport<mooncake::AutoCopier>;
template class mooncake::BasicShmTransport<mooncake::AutoCopier>;
template class mooncake::TcpTransport<mooncake::PlainTcp>;
