#pragma once

/// The umbrella for those who link `mooncake::compiled`: the ready-made stores and the default engine were compiled there,
/// and are not compiled again in every unit that uses them. What has a policy of one's own in it is compiled where it is
/// used, as with the umbrella. Units with and without this header go together: both mean the same classes.

#include <mooncake/mooncake.hpp>

namespace mooncake {

extern template class TransferEngine<DefaultEngineTraits>;
extern template class TransferEngine<EmbeddedEngineTraits>;
extern template class Store<EmbeddedStoreTraits<>>;
extern template class Store<ClusterStoreTraits>;

} // namespace mooncake
