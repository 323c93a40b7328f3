// labels: io coroutine
// needs: tls
#include <mooncake/core/runtime.hpp>
#include <mooncake/net/any_tcp.hpp>
#include <mooncake/net/server.hpp>
#include <mooncake/net/tls_tcp.hpp>
#include <mooncake/rpc/client.hpp>
#include <mooncake/rpc/service.hpp>

#include "certificates.hpp"
#include "repeat_service.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

using namespace mooncake;
using namespace mooncake::test;
using namespace std::chrono_literals;

namespace {

using Either = AnyTcp<PlainTcp, TlsTcp>;
static_assert(ImmediateStreamPolicy<Either>);

Error ask(const Either& servers, const Either& clients, const std::string& text) {
    auto runtime = Runtime({.threads = 2});
    const auto service = make_repeat_service();
    auto server = Server<Either>(runtime, *service, {}, servers);
    server.start();
    auto client = RpcClient<Either>(runtime.next_executor(), {.server = server.endpoint()}, clients);
    auto question = Repeat{text};
    const auto reply = runtime.run(client.call(std::move(question), 10s));
    runtime.run(client.close());
    runtime.run(server.close());
    if (!reply) return reply.error();
    return reply->text == text ? Error() : Error(Errc::corrupt);
}

} // namespace

TEST_CASE("a kind of connection that is chosen at run time") {
    const auto files = ClusterFiles();
    const auto tls = Either(TlsTcp(files.member("a server"))), other = Either(TlsTcp(files.member("a client")));
    const auto large = std::string(3'000'000, 'x'); // more than leaves at once
    for (const auto& text : {std::string("hello"), large}) {
        CHECK(ask(Either(), Either(PlainTcp()), text) == Errc::ok);
        CHECK(ask(tls, other, text) == Errc::ok);
    }
    SUBCASE("of which both ends choose the same") {
        CHECK_FALSE(ask(tls, Either(), "hello") == Errc::ok);
        CHECK_FALSE(ask(Either(), tls, "hello") == Errc::ok);
    }
}
