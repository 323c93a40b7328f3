// A prefix index over HTTP, for cache-aware routers: /register, /unregister, /query, /query_by_hash and /events, as
// <mooncake/serving/index/service_json.hpp> has them. `prefix_index_server --listen 127.0.0.1:7070` serves until it is interrupted;
// without arguments it serves itself for a moment: a publisher, a router, and somebody who means harm.
#include <mooncake/serving/index/service_json.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

constexpr auto use = asio::as_tuple(asio::use_awaitable);
constexpr auto over = [](std::exception_ptr) {}; // a connection that runs out of memory ends alone

/// One thread serves all: the index belongs to one at a time. What a connection may make it keep, and for how long, is bounded.
class Server {
  public:
    explicit Server(const tcp::endpoint& endpoint) : acceptor_(context_, endpoint) {}

    [[nodiscard]] tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }
    /// Serves until `stop`, which may be called from another thread, or until it is interrupted.
    void run() {
        auto signals = asio::signal_set(context_, SIGINT, SIGTERM);
        signals.async_wait([&](auto, int) { context_.stop(); });
        asio::co_spawn(context_, accept(), over);
        context_.run();
    }
    void stop() { context_.stop(); }

  private:
    static constexpr std::size_t most_connections = 256;
    static constexpr std::uint64_t most_body = 4 * 1'024 * 1'024;
    static constexpr auto idle = 10s;

    asio::awaitable<void> accept() {
        while (acceptor_.is_open()) {
            auto [error, socket] = co_await acceptor_.async_accept(use);
            if (error == asio::error::operation_aborted) co_return;
            if (error) { // as many files are open as may be: others will close theirs
                auto pause = asio::steady_timer(acceptor_.get_executor(), 100ms);
                co_await pause.async_wait(use);
                continue;
            }
            if (connections_ < most_connections) // beyond, it is closed as it comes
                asio::co_spawn(acceptor_.get_executor(), serve(beast::tcp_stream(std::move(socket))), over);
        }
    }

    asio::awaitable<void> serve(beast::tcp_stream stream) {
        struct Counted {
            explicit Counted(std::size_t& all) : count(all) { ++count; }
            Counted(const Counted&) = delete;
            Counted& operator=(const Counted&) = delete;
            ~Counted() { --count; }
            std::size_t& count;
        };
        const auto counted = Counted(connections_);
        auto buffer = beast::flat_buffer(most_body);
        for (auto keep = true; keep;) {
            auto parser = http::request_parser<http::string_body>();
            parser.header_limit(8 * 1'024);
            parser.body_limit(most_body);
            stream.expires_after(idle); // for all of it, however slowly it comes
            const auto [error, bytes] = co_await http::async_read(stream, buffer, parser, use);
            auto answer = mooncake::IndexAnswer{.status = 413, .body = R"({"error": "a body may have 4 MiB"})"};
            const auto too_large = error == http::error::body_limit || error == http::error::header_limit;
            if (error && !too_large) co_return;
            if (!too_large) {
                const auto& request = parser.get();
                const auto method = std::string(request.method_string()), path = std::string(request.target());
                answer = service_.answer(method, path, request.body());
            }
            keep = !too_large && parser.get().keep_alive();
            auto response = http::response<http::string_body>(static_cast<http::status>(answer.status), 11);
            response.set(http::field::content_type, "application/json");
            response.keep_alive(keep);
            response.body() = std::move(answer.body);
            response.prepare_payload();
            stream.expires_after(idle);
            const auto [failed, written] = co_await http::async_write(stream, response, use);
            if (failed) co_return;
        }
    }

    mooncake::IndexService service_;
    std::size_t connections_ = 0;
    asio::io_context context_{1}; // what is under way ends with it, and uses those above
    tcp::acceptor acceptor_;
};

/// What a client is told; a status of 0: it was hung up on.
mooncake::IndexAnswer ask(const tcp::endpoint& server, std::string_view path, std::string body) {
    auto context = asio::io_context();
    auto stream = beast::tcp_stream(context);
    auto error = beast::error_code();
    stream.connect(server, error);
    auto request = http::request<http::string_body>(http::verb::post, path, 11);
    request.body() = std::move(body);
    request.prepare_payload();
    if (!error) http::write(stream, request, error); // it may answer, and close, before all has gone
    auto buffer = beast::flat_buffer();
    auto response = http::response<http::string_body>();
    http::read(stream, buffer, response, error);
    if (error) return {.status = 0};
    return {.status = response.result_int(), .body = response.body()};
}

bool show_itself(const tcp::endpoint& server) {
    auto right = true;
    const auto say = [&](std::string_view path, std::string body, unsigned status, std::string_view expected) {
        const auto shown = body.substr(0, 100);
        const auto answer = ask(server, path, std::move(body));
        std::cout << path << ' ' << shown << "\n  " << answer.status << ' ' << answer.body.substr(0, 200) << '\n';
        right &= answer.status == status && answer.body.find(expected) != std::string::npos;
    };
    say("/register", R"({"modelname": "m", "instance_id": "node-1", "block_size": 2, "dp_rank": 0})", 200,
        "registered");
    say("/events",
        R"({"event_id": 1, "event_type": "stored", "model_name": "m", "backend_id": "node-1", "block_size": 2, "dp_rank": 0,
            "medium": "gpu", "seq_hashes": [11, 12, 13]})",
        200, R"("applied":1)");
    say("/query_by_hash", R"({"model": "m", "block_size": 2, "seq_hashes": [11, 12, 99]})", 200,
        R"("longest_matched":4)");
    say("/query", R"({"model": "m", "block_size": 2, "token_ids": "all of them"})", 400, "token_ids");
    say("/secrets", "{}", 404, "/register");
    say("/query", std::string(100'000, '['), 400, "JSON");
    const auto large = ask(server, "/query", std::string(5'000'000, ' ')).status; // refused, or hung up on
    right &= large == 413 || large == 0;
    auto context = asio::io_context();
    auto nonsense = tcp::socket(context);
    nonsense.connect(server);
    asio::write(nonsense, asio::buffer(std::string_view("\x16\x03\x01 this is no HTTP\r\n\r\n")));
    say("/unregister", R"({"instance_id": "node-1"})", 200, "node-1|default|0");
    return right;
}

} // namespace

int main(int argc, char** argv) {
    auto endpoint = tcp::endpoint(asio::ip::address_v4::loopback(), 0);
    const auto address = argc == 3 ? std::string_view(argv[2]) : std::string_view();
    if (argc != 1) {
        const auto colon = address.rfind(':');
        auto port = std::uint16_t{0};
        auto error = boost::system::error_code();
        const auto host =
            asio::ip::make_address(std::string(address.substr(0, std::min(colon, address.size()))), error);
        const auto digits = colon == std::string_view::npos ? std::string_view() : address.substr(colon + 1);
        const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), port);
        if (std::string_view(argv[1]) != "--listen" || error || digits.empty() || parsed.ec != std::errc() ||
            parsed.ptr != digits.data() + digits.size()) {
            std::cerr << "usage: prefix_index_server [--listen ADDRESS:PORT], as 127.0.0.1:7070\n";
            return 2;
        }
        endpoint = {host, port};
    }
    try {
        auto server = Server(endpoint);
        if (argc == 1) {
            const auto bound = server.endpoint();
            auto thread = std::thread([&] { server.run(); });
            const auto right = show_itself(bound);
            server.stop();
            thread.join();
            return right ? EXIT_SUCCESS : EXIT_FAILURE;
        }
        std::cout << "prefix index on " << server.endpoint() << '\n' << std::flush;
        server.run();
    } catch (const std::exception& error) {
        std::cerr << "prefix_index_server: " << error.what() << '\n';
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
