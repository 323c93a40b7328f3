#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/core/signals.hpp>
#include <mooncake/net/endpoint.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <netdb.h>

#include <atomic>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace mooncake::net::detail {

/// A name that is being looked up by the C library, which cannot be interrupted: on a thread of its own, so that one silent
/// name server holds up nobody who asks for another name, nor the end of a runtime. Whoever gave up is not waited for.
struct LookUp {
    static constexpr int most = 64; ///< at once, in a process
    static inline std::atomic<int> running = 0;

    Endpoint wanted;
    int error = 0; ///< of `getaddrinfo`
    std::vector<asio::ip::tcp::endpoint> found;
    Event done;

    /// Gives 0, or why there is no thread for it.
    static int start(const std::shared_ptr<LookUp>& self) {
        if (running.fetch_add(1) >= most) {
            running.fetch_sub(1);
            return EAGAIN;
        }
        const auto quiet = core::detail::SignalsBlocked();
        try {
            std::thread([self] {
                self->run();
                running.fetch_sub(1);
                self->done.set();
            }).detach();
        } catch (const std::system_error& refused) {
            running.fetch_sub(1);
            return refused.code().value();
        }
        return 0;
    }

    void run() {
        auto hints = addrinfo{};
        hints.ai_socktype = SOCK_STREAM;
        hints.ai_flags = AI_ADDRCONFIG;
        auto* list = static_cast<addrinfo*>(nullptr);
        error = getaddrinfo(wanted.host.c_str(), nullptr, &hints, &list);
        if (error == EAI_NONAME || error == EAI_ADDRFAMILY || error == EAI_NODATA_) {
            hints.ai_flags = 0; // a host that has no other address than loopback's knows `localhost` all the same
            error = getaddrinfo(wanted.host.c_str(), nullptr, &hints, &list);
        }
        if (error != 0) return;
        for (const auto* at = list; at != nullptr; at = at->ai_next) {
            auto endpoint = asio::ip::tcp::endpoint();
            if (at->ai_addrlen > endpoint.capacity()) continue;
            std::memcpy(endpoint.data(), at->ai_addr, at->ai_addrlen);
            endpoint.resize(at->ai_addrlen);
            endpoint.port(wanted.port);
            found.push_back(endpoint);
        }
        freeaddrinfo(list);
    }

  private:
    static constexpr int EAI_NODATA_ = -5; // glibc's, which hides it behind a macro of extensions
};

/// The addresses that `endpoint`'s host has, in the order in which they are to be tried: itself, if it is an address
/// already. A look-up that nobody waits for any more goes on until the name server answers or is given up, and its result
/// is dropped.
/// Errors: `unreachable` (the name is not known), `system` (no thread to look it up), `cancelled`. Cancellation: terminal.
template <class = void>
Task<std::vector<asio::ip::tcp::endpoint>> resolve(Endpoint endpoint) {
    auto targets = std::vector<asio::ip::tcp::endpoint>();
    auto not_an_address = boost::system::error_code();
    const auto address = asio::ip::make_address(endpoint.host, not_an_address);
    if (!not_an_address) {
        targets.emplace_back(address, endpoint.port);
        co_return targets;
    }
    const auto look_up = std::make_shared<LookUp>();
    look_up->wanted = endpoint;
    if (const auto refused = LookUp::start(look_up); refused != 0)
        co_return errno_error("a thread to look up " + to_string(endpoint), refused);
    const auto wake = co_await look_up->done.wait();
    if (wake != Wake::set) co_return to_errc(wake);
    if (look_up->error != 0)
        co_return Error(Errc::unreachable,
                        "the name in " + to_string(endpoint) + " is not known: " + gai_strerror(look_up->error));
    co_return std::move(look_up->found);
}

} // namespace mooncake::net::detail
