// Traits that name no transports are no traits of an engine.
// expect: EngineTraits
// expect: Transports
#include <mooncake/engine/transfer_engine.hpp>

struct Bare {
    using Metadata = mooncake::PeerMetadata<>;
};

void use(mooncake::TransferEngine<Bare>& engine) { (void)engine.name(); }
