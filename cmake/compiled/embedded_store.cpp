#include <mooncake/compiled_policies.hpp>

template class mooncake::store::detail::Client<mooncake::EmbeddedEngineTraits>;
template class mooncake::store::detail::EmbeddedLink<>;
template mooncake::Task<void>
mooncake::store::detail::EmbeddedLink<>::attach(mooncake::TransferEngine<mooncake::EmbeddedEngineTraits>&);
template std::unique_ptr<mooncake::store::detail::MasterCalls>
    mooncake::store::detail::calls_through(std::shared_ptr<mooncake::store::detail::EmbeddedLink<>>);
template class mooncake::BasicStore<mooncake::EmbeddedEngineTraits>;
template class mooncake::Store<mooncake::EmbeddedStoreTraits<>>;
