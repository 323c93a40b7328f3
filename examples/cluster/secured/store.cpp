// Of what `../security.hpp` says is compiled once for all programs: how they move bytes.
#include "../security.hpp"

template class mooncake::BasicShmTransport<mooncake::AutoCopier>;
template class mooncake::TcpTransport<cluster::AnyTcp>;
template class mooncake::BasicSegment<cluster::Secured::Transports>;
template class mooncake::TransferEngine<cluster::Secured>;
template class mooncake::store::detail::Client<cluster::Secured>;
template class mooncake::BasicStore<cluster::Secured>;
