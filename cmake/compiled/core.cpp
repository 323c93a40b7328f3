#include <mooncake/compiled_policies.hpp>

template void mooncake::core::detail::block_on<void>(const mooncake::Executor&, mooncake::Task<void>);
template mooncake::Executor mooncake::core::detail::serial<void>(mooncake::Executor);
template class mooncake::BasicRuntime<void>;
template void mooncake::core::detail::launch<void>(const mooncake::Executor&,
                                                   mooncake::asio::awaitable<void, mooncake::Executor>,
                                                   const mooncake::asio::cancellation_slot&,
                                                   mooncake::core::detail::Over);
