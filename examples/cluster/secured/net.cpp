// Of what `../security.hpp` says is compiled once for all programs: how they talk.
#include "../security.hpp"

template class mooncake::RpcClient<cluster::AnyTcp>;
template class mooncake::Server<cluster::AnyTcp>;
template class mooncake::PeerMetadata<cluster::AnyTcp>;
template class mooncake::RemoteMaster<cluster::AnyTcp>;
