#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <thread>
#include <vector>

namespace mooncake::test {

/// An io_context of the application's own, which so many threads turn.
struct Application {
    explicit Application(int count) {
        for (int i = 0; i < count; ++i) threads.emplace_back([this] { context.run(); });
    }
    ~Application() {
        work.reset();
        for (auto& thread : threads) thread.join();
    }
    boost::asio::io_context context;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{context.get_executor()};
    std::vector<std::thread> threads;
};

} // namespace mooncake::test
