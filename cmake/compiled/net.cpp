#include <mooncake/compiled_policies.hpp>

template class mooncake::RpcClient<mooncake::PlainTcp>;
template class mooncake::Server<mooncake::PlainTcp>;
template class mooncake::PeerMetadata<mooncake::PlainTcp>;
template class mooncake::RemoteMaster<mooncake::PlainTcp>;
