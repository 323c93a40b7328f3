// A store without coroutines: from plain threads, with a callback, and on an io_context of one's own.
#include <mooncake/mooncake.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/use_future.hpp>

#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;

int main() {
    mooncake::Runtime runtime;
    mooncake::EmbeddedStore<> store{runtime};

    // Threads that may block: `run` waits for the task. The bytes stay until then; the key is the task's own.
    auto threads = std::vector<std::jthread>();
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&, i] {
            const auto value = "written by thread " + std::to_string(i);
            const auto put = runtime.run(store.put("key-" + std::to_string(i), mooncake::bytes_of(value)));
            if (!put) std::cerr << put.error() << '\n';
        });
    threads.clear(); // joins them

    // [readme
    // Several at once, from one thread: futures. Nobody waits for one on a thread of the runtime, as in a callback.
    auto first = mooncake::spawn(runtime.next_executor(), store.get("key-0", {.deadline = 1s}), asio::use_future);
    auto second = mooncake::spawn(runtime.next_executor(), store.get("key-1", {.deadline = 1s}), asio::use_future);
    for (auto* future : {&first, &second}) {
        const auto got = future->get(); // a Result, not an exception
        if (!got) return std::cerr << got.error() << '\n', EXIT_FAILURE;
        std::cout << "future: " << mooncake::text_of(*got) << '\n';
    }
    // readme]

    // A program that has a loop of its own: the callback runs there. Any number of threads may turn it.
    auto loop = asio::io_context();
    auto seen = false;
    const auto executor = loop.get_executor();
    auto callback = [&](mooncake::Result<std::vector<std::byte>> got) {
        seen = got.has_value();
        if (!got) std::cerr << got.error() << '\n';
        else std::cout << "callback: " << mooncake::text_of(*got) << '\n';
    };
    mooncake::spawn(executor, store.get("key-2"), asio::bind_executor(executor, callback));
    loop.run(); // returns: nothing is left to do
    return seen ? EXIT_SUCCESS : EXIT_FAILURE;
}
