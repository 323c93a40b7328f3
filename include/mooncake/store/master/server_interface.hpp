#pragma once

/// What `MasterServer` is to those who start one; `server.hpp` has the insides.

#include <mooncake/core/log.hpp>
#include <mooncake/core/runtime_fwd.hpp>
#include <mooncake/core/task.hpp>
#include <mooncake/net/plain_tcp_interface.hpp>
#include <mooncake/net/server_config.hpp>
#include <mooncake/store/fwd.hpp>
#include <mooncake/store/master/traits.hpp>

#include <cstdint>
#include <memory>

namespace mooncake {

template <class Traits, class P = PlainTcp>
struct MasterServerConfig {
    ListenConfig listen = {};
    MasterConfig master = {};
    MasterParts<Traits> parts = {};
    std::uint64_t most_message_bytes =
        ServerConfig().most_message_bytes; ///< see there; a long `wait_for` holds its keys
    Log log = {};
    P stream = {}; ///< the network, and its security
};

/// A master that serves a cluster: its handlers behind a port, and a hand that turns its clock.
/// The constructor binds, and throws `address_in_use` when it cannot. Close it before it dies.
template <class Traits, class P>
class MasterServer {
  public:
    using Config = MasterServerConfig<Traits, P>;

    MasterServer(Runtime& runtime, Config config);
    MasterServer(const MasterServer&) = delete;
    MasterServer& operator=(const MasterServer&) = delete;
    ~MasterServer();

    void start();

    [[nodiscard]] const Endpoint& endpoint() const noexcept;
    [[nodiscard]] Master<Traits>& master() noexcept;

    /// Stops serving. Idempotent.
    asio::awaitable<void> close();

  private:
    struct Parts;

    const std::unique_ptr<Parts> parts_;
};

} // namespace mooncake
