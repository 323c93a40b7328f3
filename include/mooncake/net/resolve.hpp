#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/net/endpoint.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <string>
#include <vector>

namespace mooncake::net::detail {

/// The addresses that `endpoint`'s host has: itself, if it is an address already.
///
/// A name is looked up by the C library, on a thread of Asio's, and that cannot be interrupted: a look-up that nobody
/// waits for any more goes on until the name server answers or is given up, and its result is dropped.
/// Errors: `unreachable` (the name is not known), `cancelled`. Cancellation: terminal.
template <class Resolver = asio::ip::tcp::resolver>
Task<std::vector<asio::ip::tcp::endpoint>> resolve(Endpoint endpoint) {
    auto targets = std::vector<asio::ip::tcp::endpoint>();
    auto not_an_address = boost::system::error_code();
    const auto address = asio::ip::make_address(endpoint.host, not_an_address);
    if (!not_an_address) {
        targets.emplace_back(address, endpoint.port);
        co_return targets;
    }
    struct LookUp {
        explicit LookUp(const Executor& executor) : resolver(executor) {}
        Resolver resolver;
        boost::system::error_code error;
        typename Resolver::results_type found;
        Event done;
    };
    const auto executor = co_await asio::this_coro::executor;
    const auto look_up = std::make_shared<LookUp>(executor);
    look_up->resolver.async_resolve(endpoint.host, std::to_string(endpoint.port),
                                    [look_up](const boost::system::error_code& error, auto found) {
                                        look_up->error = error;
                                        look_up->found = std::move(found);
                                        look_up->done.set();
                                    });
    const auto wake = co_await look_up->done.wait();
    if (wake != Wake::set) co_return to_errc(wake);
    if (look_up->error)
        co_return Error(Errc::unreachable,
                        "the name in " + to_string(endpoint) + " is not known: " + look_up->error.message());
    for (const auto& entry : look_up->found) targets.push_back(entry.endpoint());
    co_return targets;
}

} // namespace mooncake::net::detail
