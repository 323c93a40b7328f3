// An engine whose transport cannot transfer: the message names what is missing.
// expect: Transport
#include <mooncake/engine/transfer_engine.hpp>

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

struct Traits : mooncake::DefaultEngineTraits {
    using Transports = mooncake::TransportSet<Idle>;
};

void use(mooncake::Runtime& runtime) { mooncake::TransferEngine<Traits> engine{runtime}; }
