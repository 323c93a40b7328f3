// The task of a batch that is gone when it begins would read memory that is somebody else's: it is refused.
// expect: deleted
#include <mooncake/engine/transfer_engine.hpp>

mooncake::Task<mooncake::BatchReport> move(mooncake::TransferEngine<>& engine) { return engine.batch().submit(); }
