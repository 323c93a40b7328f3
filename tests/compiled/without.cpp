#include "compiled/without.hpp"

using namespace mooncake;

Result<void> put_without(Runtime& runtime, EmbeddedStore<>& store) {
    const auto put = runtime.run(store.put("from without", bytes_of("a unit of the umbrella")));
    if (!put) return put.error();
    return ok;
}

std::unique_ptr<EmbeddedStore<>> make_without(Runtime& runtime) { return std::make_unique<EmbeddedStore<>>(runtime); }

std::unique_ptr<TransferEngine<>> make_engine_without(Runtime& runtime) {
    return std::make_unique<TransferEngine<>>(runtime);
}
