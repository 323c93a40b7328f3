#pragma once

#include <mooncake/core/later.hpp>
#include <mooncake/core/launch_interface.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

#include <utility>

namespace mooncake::core::detail {

template <class Void>
void launch(const Executor& executor, asio::awaitable<void, Executor> thread, const asio::cancellation_slot& slot,
            Over over) {
    asio::co_spawn(known_later<Void>(executor), std::move(thread), asio::bind_cancellation_slot(slot, std::move(over)));
}

} // namespace mooncake::core::detail
