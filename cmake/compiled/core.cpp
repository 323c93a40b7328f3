#include <mooncake/compiled_policies.hpp>

template void mooncake::core::detail::block_on<void>(const mooncake::Executor&, mooncake::Task<void>);
template mooncake::Executor mooncake::core::detail::serial<void>(mooncake::Executor);
template class mooncake::BasicRuntime<void>;
