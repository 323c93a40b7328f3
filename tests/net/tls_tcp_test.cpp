// labels: io
// needs: tls
#include <mooncake/engine/transfer_engine.hpp>
#include <mooncake/metadata/peer.hpp>
#include <mooncake/net/tls_tcp.hpp>
#include <mooncake/rpc/client.hpp>
#include <mooncake/rpc/service.hpp>
#include <mooncake/testing/transport_pair.hpp>
#include <mooncake/transport/tcp.hpp>

#include "certificates.hpp"
#include "echo.hpp"
#include "repeat_service.hpp"

#include <doctest/doctest.h>

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace mooncake;
using namespace mooncake::test;
using namespace std::chrono_literals;

namespace {

/// A server that repeats what it is told, over TLS.
struct Parrot {
    explicit Parrot(TlsConfig config, ConnectionConfig connection = {})
        : server(runtime, *service, {.connection = connection, .log = book.log()}, TlsTcp(std::move(config))) {
        server.start();
    }
    ~Parrot() { runtime.run(server.close()); }

    /// What a client of these credentials gets, and `Errc::ok` if it is `text`.
    Error ask(const TlsConfig& config, const std::string& text = "hello", std::string host = "127.0.0.1") {
        auto client = RpcClient<TlsTcp>(runtime.next_executor(), {.server = {std::move(host), server.endpoint().port}},
                                        TlsTcp(config));
        const auto reply = runtime.run(client.call(Repeat{text}, 10s));
        runtime.run(client.close());
        if (!reply) return reply.error();
        return reply->text == text ? Error() : Error(Errc::corrupt);
    }

    LogBook book;
    Runtime runtime{{.threads = 2}};
    std::unique_ptr<RpcService> service = make_repeat_service();
    Server<TlsTcp> server;
};

bool says(const Error& error, std::string_view words) {
    const auto found = error.context().find(words) != std::string_view::npos;
    CHECK_MESSAGE(found, error.message());
    return found;
}
bool says(const LogBook& book, std::string_view words) {
    const auto lines = book.lines();
    return std::any_of(lines.begin(), lines.end(),
                       [words](const std::string& line) { return line.find(words) != std::string::npos; });
}
bool comes_to_say(const LogBook& book, std::string_view words) {
    for (const auto until = Deadline(10s); !until.passed(); std::this_thread::sleep_for(1ms))
        if (says(book, words)) return true;
    for (const auto& line : book.lines()) MESSAGE(line);
    return false;
}

/// A client of OpenSSL's own, which does what `TlsTcp` would not, and blocks.
class Stranger {
  public:
    Stranger(const Endpoint& server, const Identity* identity, int version = TLS1_3_VERSION)
        : context_(SSL_CTX_new(TLS_client_method())), socket_(socket_of_) {
        SSL_CTX_set_max_proto_version(context_.get(), version);
        if (identity != nullptr) {
            SSL_CTX_use_certificate(context_.get(), read<X509>(identity->certificate, PEM_read_bio_X509).get());
            SSL_CTX_use_PrivateKey(context_.get(), read<EVP_PKEY>(identity->key, PEM_read_bio_PrivateKey).get());
        }
        socket_.connect({asio::ip::make_address(server.host), server.port});
        ssl_.reset(SSL_new(context_.get()));
        SSL_set_fd(ssl_.get(), socket_.native_handle());
        shaken_ = SSL_connect(ssl_.get()) == 1;
        const auto greeting = hello("rpc");
        if (shaken_) (void)SSL_write(ssl_.get(), greeting.data(), static_cast<int>(greeting.size()));
    }

    /// How many bytes the server says to it before it hangs up.
    std::size_t hears() {
        auto bytes = std::array<char, 4096>();
        auto total = std::size_t{0};
        for (auto got = 1; shaken_ && got > 0; total += static_cast<std::size_t>(std::max(got, 0)))
            got = SSL_read(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
        return total;
    }

  private:
    template <class T, class Read>
    static net::detail::OpenSslPtr<T> read(const std::string& pem, Read from) {
        const auto bio = net::detail::OpenSslPtr<BIO>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
        return net::detail::OpenSslPtr<T>(from(bio.get(), nullptr, nullptr, nullptr));
    }

    asio::io_context socket_of_;
    net::detail::OpenSslPtr<SSL_CTX> context_;
    asio::ip::tcp::socket socket_;
    net::detail::OpenSslPtr<SSL> ssl_;
    bool shaken_ = false;
};

/// Sits between one client and a server, and passes on what they say, until it does something else.
class Eavesdropper {
  public:
    enum class Then : std::uint8_t { listen, change, cut };

    /// `then` happens to the first bytes that the server says after `begin_then`.
    Eavesdropper(const Endpoint& server, Then then) : then_(then), thread_([this, server] { pass_on(server); }) {}
    ~Eavesdropper() { thread_.join(); }

    [[nodiscard]] Endpoint endpoint() const { return listener_.endpoint(); }
    void begin_then() { now_ = true; }
    /// After both have gone.
    std::string heard() {
        while (!over_) std::this_thread::yield();
        return heard_;
    }

  private:
    void pass_on(const Endpoint& server) {
        {
            auto client = RawPeer(listener_.acceptor);
            auto peer = RawPeer(server);
            while (pass_some(client, peer)) continue;
        }
        over_ = true;
    }
    bool pass_some(RawPeer& client, RawPeer& server) {
        auto either = std::array{pollfd{.fd = client.fd(), .events = POLLIN, .revents = 0},
                                 pollfd{.fd = server.fd(), .events = POLLIN, .revents = 0}};
        if (::poll(either.data(), either.size(), 10'000) <= 0) return false;
        auto bytes = std::array<char, 4096>();
        const auto of_server = either[0].revents == 0;
        const auto got = recv(of_server ? server.fd() : client.fd(), bytes.data(), bytes.size(), 0);
        if (got <= 0) return false;
        if (of_server && now_ && then_ == Then::cut) return false;
        if (of_server && now_ && then_ == Then::change) bytes[static_cast<std::size_t>(got) / 2] ^= 1;
        const auto said = std::string_view(bytes.data(), static_cast<std::size_t>(got));
        heard_.append(said);
        (of_server ? client : server).say(said);
        return true;
    }

    const Then then_;
    SilentServer listener_;
    std::atomic<bool> now_ = false, over_ = false;
    std::string heard_;
    std::thread thread_;
};

} // namespace

TEST_CASE("tls: who sits in between reads nothing, and a changed or cut stream is a lost connection") {
    using Then = Eavesdropper::Then;
    const auto files = ClusterFiles();
    auto parrot = Parrot(files.member("server"));
    const auto tls = TlsTcp(files.member("client"));
    const auto secret = std::string("nobody but the server may read this, and it is long enough to be found");
    for (const auto then : {Then::listen, Then::change, Then::cut}) {
        auto between = Eavesdropper(parrot.server.endpoint(), then);
        auto rpc = RpcClient<TlsTcp>(parrot.runtime.executor(1), {.server = between.endpoint()}, tls);
        const auto first = parrot.runtime.run(rpc.call(Repeat{secret}, 10s));
        REQUIRE_MESSAGE(first.has_value(), (first ? "" : first.error().message()));
        between.begin_then();
        const auto second = parrot.runtime.run(rpc.call(Repeat{secret}, 10s));
        CHECK(second.has_value() == (then == Then::listen));
        if (!second) CHECK(second.error() == Errc::connection_lost);
        if (then == Then::change) CHECK(says(second.error(), "bad record mac"));
        if (then == Then::cut) CHECK(says(second.error(), "stream truncated"));
        parrot.runtime.run(rpc.close());
        CHECK(between.heard().size() > 2 * secret.size());
        CHECK(between.heard().find(secret.substr(0, 12)) == std::string::npos);
    }
}

TEST_CASE("tls: calls of every size are answered, also with many keys one after another") {
    const auto files = ClusterFiles();
    auto server = files.member("server"), client = files.member("client");
    SUBCASE("one key") {}
    SUBCASE("a key for every two records") { server.records_a_key = client.records_a_key = 2; }
    auto parrot = Parrot(server);
    const auto tls = TlsTcp(client);
    auto rpc = RpcClient<TlsTcp>(parrot.runtime.executor(1), {.server = parrot.server.endpoint()}, tls);
    for (const std::size_t bytes : {0UL, 1UL, 2'000UL, 16'384UL, 16'385UL, 200'000UL}) {
        auto text = std::string(bytes, '.');
        testing::fill({reinterpret_cast<std::byte*>(text.data()), text.size()}, bytes);
        const auto reply = parrot.runtime.run(rpc.call(Repeat{text}, 10s));
        REQUIRE_MESSAGE(reply.has_value(), (reply ? "" : reply.error().message()));
        CHECK(reply->text == text);
    }
    parrot.runtime.run(rpc.close());
    CHECK(parrot.book.lines().empty());
}

TEST_CASE("tls: several MiB both ways, and every byte is right") {
    auto pair = testing::TransportPair<TcpTransport<TestTls>>();
    const auto region = pair.add(9 * MiB, Rights::read_write, std::byte{1});
    for (const std::uint64_t bytes : {5 * MiB + 7, 9 * MiB}) {
        auto out = std::vector<std::byte>(bytes), in = out;
        testing::fill(out, bytes);
        CHECK(pair.move_one(Direction::write, out, region->offset, region->keys.write) == Errc::ok);
        CHECK(testing::same(region->bytes.first(bytes), out));
        CHECK(pair.move_one(Direction::read, in, region->offset, region->keys.read) == Errc::ok);
        CHECK(in == out);
    }
}

TEST_CASE("tls: an engine whose records and bytes go over it") {
    struct Traits : DefaultEngineTraits {
        using Transports = TransportSet<TcpTransport<TlsTcp>>;
        using Metadata = PeerMetadata<TlsTcp>;
    };
    const auto files = ClusterFiles();
    auto runtime = Runtime({.threads = 2});
    const auto tls = TlsTcp(files.member("a member"));
    const auto config = [&] {
        auto made = EngineConfig<Traits>();
        made.metadata = std::make_shared<PeerMetadata<TlsTcp>>(runtime, PeerMetadataConfig(), tls);
        made.metadata->start();
        made.transport<TcpTransport<TlsTcp>>().stream = tls;
        return made;
    };
    const auto owners = config(), users = config();
    {
        auto owner = TransferEngine<Traits>(runtime, owners), user = TransferEngine<Traits>(runtime, users);
        auto arena = Arena::create({.bytes = 4 * MiB, .pages = PageKind::plain, .prefault_threads = 1});
        REQUIRE(arena.has_value());
        REQUIRE(runtime.run(owner.register_arena(*arena, Rights::read_write)).has_value());
        const auto segment = runtime.run(user.open(owner.locator(), 10s));
        REQUIRE_MESSAGE(segment.has_value(), (segment ? "" : segment.error().message()));
        auto out = std::vector<std::byte>(3 * MiB), in = out;
        testing::fill(out, 3);
        CHECK(runtime.run(user.write(out, *segment, 5, {.deadline = 10s})).has_value());
        CHECK(runtime.run(user.read(in, *segment, 5, {.deadline = 10s})).has_value());
        CHECK(in == out);
        runtime.run(user.close());
        runtime.run(owner.close());
    }
    for (const auto& each : {owners.metadata, users.metadata}) runtime.run(each->close());
}

TEST_CASE("tls: without certificates nothing listens and nothing connects") {
    auto runtime = Runtime({.threads = 1});
    auto service = EchoService();
    CHECK_THROWS_AS(Server<TlsTcp>(runtime, service, {}), boost::system::system_error);
    auto client = RpcClient<TlsTcp>(runtime.executor(), {.server = {"127.0.0.1", 1}});
    const auto reply = runtime.run(client.call(Repeat{"x"}, 10s));
    runtime.run(client.close());
    REQUIRE_FALSE(reply.has_value());
    CHECK(reply.error() == Errc::invalid_argument);
    CHECK(says(reply.error(), "TlsConfig"));
}

TEST_CASE("tls: who is no member gets nothing, harms nobody, and is told of in the log") {
    const auto files = ClusterFiles();
    auto parrot = Parrot(files.member("server"));
    const auto client = files.member("client");
    const auto endpoint = parrot.server.endpoint();
    const auto others = Authority("somebody else's authority");
    auto words = std::string();
    SUBCASE("no certificate") {
        CHECK(Stranger(endpoint, nullptr).hears() == 0);
        words = "did not return a certificate";
    }
    SUBCASE("a certificate of another authority") {
        const auto identity = others.issue("client");
        CHECK(Stranger(endpoint, &identity).hears() == 0);
        words = "its certificate is not believed: unable to get local issuer certificate";
    }
    SUBCASE("a certificate of another authority that has the name of ours") {
        const auto identity = Authority("the cluster's authority").issue("client");
        CHECK(Stranger(endpoint, &identity).hears() == 0);
        words = "its certificate is not believed: certificate signature failure";
    }
    SUBCASE("a certificate that has expired") {
        const auto identity = files.authority.issue("client", {.from = -7200, .to = -3600});
        CHECK(Stranger(endpoint, &identity).hears() == 0);
        words = "its certificate is not believed: certificate has expired";
    }
    SUBCASE("TLS 1.2, with a good certificate") {
        const auto identity = files.authority.issue("client");
        CHECK(Stranger(endpoint, &identity, TLS1_2_VERSION).hears() == 0);
        words = "unsupported protocol";
    }
    SUBCASE("plain TCP") {
        auto plain = RawPeer(endpoint);
        plain.say(hello("rpc"));
        CHECK(plain.is_cut_off());
        words = "the TLS handshake failed";
    }
    SUBCASE("garbage") {
        auto plain = RawPeer(endpoint);
        plain.say(std::string(100'000, 'G'));
        CHECK(plain.is_cut_off());
        words = "the TLS handshake failed";
    }
    CHECK(comes_to_say(parrot.book, words));
    CHECK(says(parrot.book, "127.0.0.1:"));
    CHECK(parrot.ask(client) == Errc::ok);
}

TEST_CASE("tls: those who stay silent are gone in time, and delay nobody meanwhile") {
    const auto files = ClusterFiles();
    auto parrot = Parrot(files.member("server"), {.hello_within = 700ms});
    const auto client = files.member("client");
    auto silent = std::vector<std::unique_ptr<RawPeer>>();
    for (int i = 0; i < 20; ++i) silent.push_back(std::make_unique<RawPeer>(parrot.server.endpoint()));
    silent.front()->say(std::string_view("\x16\x03\x01\x40\x00\x01", 6)); // a hello begins, and does not go on
    const auto began = SteadyClock{}.now();
    CHECK(parrot.ask(client) == Errc::ok);
    CHECK(SteadyClock{}.now() - began < 600ms);
    for (const auto& each : silent) CHECK(each->is_cut_off());
    CHECK(SteadyClock{}.now() - began > 500ms);
    CHECK(parrot.ask(client) == Errc::ok);
}

TEST_CASE("tls: a client that meets no member says why") {
    const auto files = ClusterFiles();
    const auto client = files.member("client");
    const auto others = Authority("somebody else's authority");
    SUBCASE("a server of another authority") {
        auto parrot = Parrot(files.put("other", others.issue("server"), others.certificate()));
        const auto error = parrot.ask(client);
        CHECK(error == Errc::unreachable);
        CHECK(says(error, "its certificate is not believed: unable to get local issuer certificate"));
    }
    SUBCASE("a server that refuses the client's") {
        auto parrot = Parrot(files.member("server"));
        auto foreign = files.put("foreign", others.issue("client"), files.authority.certificate());
        const auto error = parrot.ask(foreign);
        CHECK(error == Errc::unreachable);
        CHECK(says(error, "refused the certificate in"));
        CHECK(says(error, "foreign.pem"));
        CHECK(says(error, "unknown ca"));
    }
    SUBCASE("a server that is not asked for its name, but is no member") {
        auto parrot = Parrot(files.put("other", others.issue("server"), others.certificate()));
        auto easy = client;
        easy.check = TlsServerCheck::none;
        CHECK(parrot.ask(easy) == Errc::unreachable);
    }
    SUBCASE("a server without TLS") {
        auto echo = EchoServer();
        auto rpc = RpcClient<TlsTcp>(echo.runtime.executor(1), {.server = echo.server.endpoint()}, TlsTcp(client));
        const auto reply = echo.runtime.run(rpc.call(Repeat{"x"}, 10s));
        echo.runtime.run(rpc.close());
        REQUIRE_FALSE(reply.has_value());
        CHECK(reply.error() == Errc::unreachable);
        CHECK(says(reply.error(), "does it speak TLS 1.3?"));
    }
    SUBCASE("a server that says nothing") {
        auto silent = SilentServer();
        auto runtime = Runtime({.threads = 1});
        auto rpc = RpcClient<TlsTcp>(runtime.executor(), {.server = silent.endpoint(), .connect_within = 200ms},
                                     TlsTcp(client));
        const auto reply = runtime.run(rpc.call(Repeat{"x"}, 10s));
        runtime.run(rpc.close());
        REQUIRE_FALSE(reply.has_value());
        CHECK(reply.error() == Errc::unreachable);
        CHECK(says(reply.error(), "did not answer within 200 ms"));
    }
}

TEST_CASE("tls: a server has to be called what the client calls it, where that is asked for") {
    const auto files = ClusterFiles();
    auto parrot = Parrot(files.member("server", {.alternative_names = "DNS:localhost,DNS:store.example"}));
    auto client = files.member("client");
    CHECK(parrot.ask(client, "hello", "localhost") == Errc::ok);
    const auto address = parrot.ask(client);
    CHECK(address == Errc::unreachable);
    CHECK(says(address, "none of its alternative names is '127.0.0.1'"));
    client.check = TlsServerCheck::name;
    client.server_name = "store.example";
    CHECK(parrot.ask(client) == Errc::ok);
    client.server_name = "other.example";
    const auto name = parrot.ask(client);
    CHECK(name == Errc::unreachable);
    CHECK(says(name, "'other.example'"));
    client.check = TlsServerCheck::none;
    client.server_name.clear();
    CHECK(parrot.ask(client) == Errc::ok);
}

TEST_CASE("tls: an expired certificate of a server is refused, and the sentence says so") {
    const auto files = ClusterFiles();
    auto parrot = Parrot(files.member("server", {.to = 1}));
    const auto client = files.member("client");
    auto error = parrot.ask(client);
    for (const auto until = Deadline(10s); error == Errc::ok && !until.passed(); error = parrot.ask(client))
        std::this_thread::sleep_for(100ms);
    CHECK(error == Errc::unreachable);
    CHECK(says(error, "certificate has expired"));
}

TEST_CASE("tls: new files are used without a restart, and broken ones are not") {
    auto files = ClusterFiles();
    auto server = files.member("server");
    auto book = LogBook();
    server.log = book.log();
    auto parrot = Parrot(server);
    const auto client = files.member("client");
    const auto others = Authority("the next authority");
    const auto both = files.authority.certificate() + others.certificate();
    const auto next = files.put("next-client", others.issue("client"), both);
    CHECK(parrot.ask(client) == Errc::ok);
    CHECK(parrot.ask(next) == Errc::unreachable);

    // An open connection stays what it is.
    auto open = RpcClient<TlsTcp>(parrot.runtime.executor(1), {.server = parrot.server.endpoint()}, TlsTcp(client));
    CHECK(parrot.runtime.run(open.call(Repeat{"before"}, 10s)).has_value());

    (void)files.put("server", files.authority.issue("server"), both);
    CHECK(parrot.ask(next) == Errc::ok);
    CHECK(parrot.ask(client) == Errc::ok);
    CHECK(book.lines().size() == 1);
    CHECK(says(book, "new certificates are in use"));

    files.folder.write("server.pem", "-----BEGIN CERTIFICATE-----\nnonsense\n");
    CHECK(parrot.ask(client) == Errc::ok);
    CHECK(parrot.ask(client) == Errc::ok);
    CHECK(book.lines().size() == 2);
    CHECK(says(book, "server.pem' has no certificate that can be read"));

    const auto newer = others.issue("server");
    files.folder.write("server.pem", newer.certificate); // and its key comes later
    CHECK(parrot.ask(client) == Errc::ok);
    CHECK(says(book, "is not the key of the certificate"));
    files.folder.write("server-key.pem", newer.key);
    CHECK(parrot.ask(next) == Errc::ok);
    CHECK(parrot.ask(client) == Errc::unreachable); // it does not know the next authority
    CHECK(parrot.runtime.run(open.call(Repeat{"after"}, 10s)).has_value());
    parrot.runtime.run(open.close());

    std::filesystem::remove(files.folder.path / "server.pem");
    CHECK(parrot.ask(next) == Errc::ok);
    CHECK(says(book, "cannot be opened"));
}

TEST_CASE("tls: a configuration that is wrong is refused with the file that is, and what would be right") {
    const auto files = ClusterFiles();
    const auto good = files.member("good");
    CHECK(validate(good).has_value());
    const auto refused = [&](auto change, std::string_view words) {
        auto config = good;
        change(config);
        const auto verdict = validate(config);
        REQUIRE_FALSE(verdict.has_value());
        CHECK(verdict.error() == Errc::invalid_argument);
        CHECK(says(verdict.error(), words));
        CHECK_THROWS_AS(TlsTcp{config}, boost::system::system_error);
    };
    const auto other = files.member("other");
    const auto old = files.authority.issue("old", {.from = -7200, .to = -3600});
    const auto early = files.authority.issue("early", {.from = 3600, .to = 7200});
    const auto secret = files.folder.write("secret-key.pem", files.authority.protected_key());
    refused([](TlsConfig& config) { config.authority.clear(); }, "TlsConfig::authority: '' is no file");
    refused([](TlsConfig& config) { config.certificate = "/nowhere/at-all.pem"; }, "'/nowhere/at-all.pem' cannot be");
    refused([](TlsConfig& config) { config.certificate = "/"; }, "is no regular file");
    refused([](TlsConfig& config) { config.authority = config.key; }, "TlsConfig::authority: ");
    refused([](TlsConfig& config) { config.key = config.certificate; }, "-----BEGIN PRIVATE KEY-----");
    refused([&](TlsConfig& config) { config.key = other.key; }, "is not the key of the certificate in");
    refused([&](TlsConfig& config) { config.key = secret; }, "is protected with a passphrase");
    refused([&](TlsConfig& config) { config.certificate = files.put("old", old).certificate; }, "has expired on");
    refused([&](TlsConfig& config) { config.certificate = files.put("early", early).certificate; }, "is valid from");
    refused([](TlsConfig& config) { config.check = TlsServerCheck::name; }, "server_name is empty");
    refused([](TlsConfig& config) { config.server_name = "x"; }, "nobody looks at it");
    refused([](TlsConfig& config) { config.records_a_key = 0; }, "records_a_key is 0");
}
