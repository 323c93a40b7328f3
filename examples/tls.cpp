// Two engines that meet, and move bytes, over TLS 1.3 and nothing else. examples/certificates.sh makes what it needs.
#include <mooncake/mooncake.hpp>
#include <mooncake/net/tls_tcp.hpp> // component tls

#include <cstdlib>
#include <iostream>
#include <memory>
#include <vector>

using namespace std::chrono_literals;

// [readme
struct OverTls : mooncake::DefaultEngineTraits {
    using Transports = mooncake::TransportSet<mooncake::TcpTransport<mooncake::TlsTcp>>;
    using Metadata = mooncake::PeerMetadata<mooncake::TlsTcp>;
};
mooncake::EngineConfig<OverTls> over_tls(mooncake::Runtime& runtime, const mooncake::TlsTcp& tls) {
    auto config = mooncake::EngineConfig<OverTls>();
    config.metadata = std::make_shared<OverTls::Metadata>(runtime, mooncake::PeerMetadataConfig(), tls);
    config.transport<mooncake::TcpTransport<mooncake::TlsTcp>>().stream = tls;
    return config; // tls: TlsTcp({.authority = "authority.pem", .certificate = "member.pem", .key = "member-key.pem"})
}
// readme]

using Engine = mooncake::TransferEngine<OverTls>;

mooncake::Task<void> transfer(Engine& owner, Engine& peer) {
    auto arena = mooncake::Arena::create({.bytes = 4 * mooncake::MiB});
    if (!arena) co_return arena.error();
    const auto region = co_await owner.register_arena(*arena, mooncake::Rights::read_write);
    if (!region) co_return region.error();
    const auto segment = co_await peer.open(owner.locator(), 5s);
    if (!segment) co_return segment.error();

    const auto page = std::vector<std::byte>(64 * mooncake::KiB, std::byte{42});
    auto back = std::vector<std::byte>(page.size());
    const auto written = co_await peer.write(page, *segment, 0, {.deadline = 5s});
    if (!written) co_return written.error();
    const auto read = co_await peer.read(back, *segment, 0, {.deadline = 5s});
    if (!read) co_return read.error();
    std::cout << "a page went there and back, encrypted, " << (back == page ? "the same" : "different") << '\n';
    if (back != page) co_return mooncake::Errc::corrupt;
    co_return mooncake::ok;
}

int main(int argc, char** argv) try {
    if (argc != 2) return std::cerr << "Usage: tls FOLDER, as certificates.sh made it\n", EXIT_FAILURE;
    const auto folder = std::string(argv[1]);
    const auto tls = mooncake::TlsTcp({.authority = folder + "/authority.pem",
                                       .certificate = folder + "/member.pem",
                                       .key = folder + "/member-key.pem"});
    mooncake::Runtime runtime;
    const auto owners = over_tls(runtime, tls), peers = over_tls(runtime, tls);
    for (const auto& config : {owners, peers}) config.metadata->start();
    auto done = mooncake::Result<void>();
    {
        Engine owner{runtime, owners}, peer{runtime, peers};
        done = runtime.run(transfer(owner, peer));
    }
    for (const auto& config : {owners, peers}) runtime.run(config.metadata->close());
    if (!done) std::cerr << done.error() << '\n';
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
} catch (const std::exception& error) { // a certificate that is wrong: which, and what would be right
    return std::cerr << error.what() << '\n', EXIT_FAILURE;
}
