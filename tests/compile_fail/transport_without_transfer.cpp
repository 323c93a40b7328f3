// An engine whose transport cannot transfer: the message names what is missing.
// expect: Transport
#include <mooncake/engine/traits.hpp>

struct Idle {
    static constexpr std::string_view name = "idle";
    static constexpr unsigned cost = 1;
    static constexpr auto capabilities = mooncake::TransportCapabilities{};
    struct Config {};
    using Link = int;
    Idle(mooncake::TransportContext, Config) {}
    void start() {}
    std::string describe() const { return {}; }
    bool reaches(std::string_view) const { return false; }
    mooncake::Task<Link> connect(mooncake::PeerDescription, mooncake::Deadline);
    boost::asio::awaitable<void> close();
};

using Transports = mooncake::TransportSet<Idle>;
