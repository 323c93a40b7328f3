// What our headers' cost is compared with: a unit that someone who uses plain Asio would write, with one coroutine that
// uses a timer, a TCP socket, a read and a write once each.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <chrono>
#include <utility>

namespace asio = boost::asio;
using asio::ip::tcp;

asio::awaitable<void> echo(tcp::socket socket) {
    std::array<char, 1024> bytes;
    asio::steady_timer timer(socket.get_executor(), std::chrono::seconds{1});
    co_await timer.async_wait(asio::use_awaitable);
    co_await asio::async_read(socket, asio::buffer(bytes), asio::use_awaitable);
    co_await asio::async_write(socket, asio::buffer(bytes), asio::use_awaitable);
}

int main() {
    asio::io_context context;
    asio::co_spawn(context, echo(tcp::socket(context)), asio::detached);
    context.run();
}
