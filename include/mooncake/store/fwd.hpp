#pragma once

#include <mooncake/engine/fwd.hpp>

namespace mooncake {

struct PlainTcp;
struct DefaultMasterTraits;
struct ClusterStoreTraits;
template <class Traits = DefaultMasterTraits>
struct EmbeddedStoreTraits;

template <class Traits>
class Store;

/// Choose this when: one process is the whole cluster.
template <class Traits = DefaultMasterTraits>
using EmbeddedStore = Store<EmbeddedStoreTraits<Traits>>;

/// Choose this when: a master and nodes run elsewhere.
using ClusterStore = Store<ClusterStoreTraits>;

template <class Traits = DefaultMasterTraits, class P = PlainTcp>
class MasterServer;
template <class Traits = DefaultEngineTraits, class P = PlainTcp>
class StoreNode;

class View;

} // namespace mooncake
