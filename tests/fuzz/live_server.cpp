// Bytes of a stranger to servers that live: they end his connection, and a well-behaved one beside him goes on.
#include <mooncake/net/plain_tcp.hpp>
#include <mooncake/net/server.hpp>
#include <mooncake/rpc/service.hpp>
#include <mooncake/transport/tcp_service.hpp>

#include "../net/raw_peer.hpp"

#include <cstdlib>
#include <memory>
#include <string>

namespace {

using namespace mooncake;
using namespace mooncake::test;

struct Echo {
    static constexpr std::uint32_t method = 1;
    struct Reply {
        std::string text;
    };
    std::string text;
    std::vector<std::uint64_t> numbers;
};

void require(bool condition) {
    if (!condition) std::abort();
}

struct World {
    World() {
        calls.on<Echo>([](const Echo& echo) -> Result<Echo::Reply> { return Echo::Reply{echo.text}; });
        for (auto* server : {&rpc, &transfer}) server->start();
        friendly.emplace(rpc.endpoint());
        friendly->say(hello("rpc"));
        require(friendly->listen().has_value());
    }
    ~World() {
        runtime.run(rpc.close());
        runtime.run(transfer.close());
    }
    static std::shared_ptr<RegionTable> table(std::span<std::byte> memory) {
        auto made = std::make_shared<RegionTable>(5);
        auto region = Region{.bytes = memory, .rights = Rights::read_write, .keys = {.read = 1, .write = 2}};
        require(made->add(std::move(region)).has_value());
        return made;
    }

    std::vector<std::byte> memory = std::vector<std::byte>(4096);
    Runtime runtime{{.threads = 2}};
    RpcService calls;
    transport::detail::TcpService slices{table(memory)};
    Server<PlainTcp> rpc{runtime, calls, {}}, transfer{runtime, slices, {}};
    std::optional<RawPeer> friendly;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static auto world = World();
    if (size == 0) return 0;
    const auto bytes = std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto to_rpc = (data[0] & 1) != 0;
    auto stranger = RawPeer(to_rpc ? world.rpc.endpoint() : world.transfer.endpoint());
    if ((data[0] & 2) != 0) stranger.say(hello(to_rpc ? "rpc" : "transfer"));
    if ((data[0] & 4) != 0) { // in a proper frame
        auto header = FrameHeader();
        header.method = 1 + (data[0] >> 3 & 3U);
        const auto split = bytes.size() - std::min<std::size_t>(bytes.size(), data[0] >> 5);
        stranger.say(frame(header, bytes.substr(0, split), bytes.substr(split)));
    } else {
        stranger.say(bytes);
    }
    ::shutdown(stranger.fd(), SHUT_WR);
    require(stranger.is_cut_off());

    static auto id = std::uint64_t{0};
    auto header = FrameHeader();
    header.method = 1;
    header.id = ++id;
    world.friendly->say(frame(header, encode(Echo{.text = "still here", .numbers = {}})));
    const auto reply = world.friendly->listen();
    require(reply && reply->id == id && reply->status == 0);
    require(decode<Echo::Reply>(world.friendly->text).value().text == "still here");
    return 0;
}
