// labels: toolchain coroutine
//
// The forms of co_await that every supported compiler gets right. g++ 12.2 miscompiles their neighbours (a co_await in
// a condition or a conditional expression, braced temporaries and capturing lambdas in its operand), so
// cmake/lint/coroutines.py allows no others. Built at -O0 and at -O2.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::awaitable;

/// Counts itself, so that a copy destroyed twice or never is seen.
struct Counted {
    static inline int alive = 0;
    Counted() { ++alive; }
    Counted(const Counted&) { ++alive; }
    Counted(Counted&&) noexcept { ++alive; }
    Counted& operator=(const Counted&) = default;
    Counted& operator=(Counted&&) noexcept = default;
    ~Counted() { --alive; }
};

struct Message {
    std::string key;
    std::vector<int> values;
    Counted counted;
};

struct Options {
    std::chrono::milliseconds deadline{0};
    int retries = 0;
};
static_assert(std::is_trivially_destructible_v<Options>);

const std::string long_text(64, 'x'); // too long for the small-string buffer: a second destruction is a double free

awaitable<bool> is_small(int n) {
    co_await asio::post(asio::use_awaitable);
    co_return n < 3;
}

awaitable<std::optional<std::string>> text(bool present) {
    co_await asio::post(asio::use_awaitable);
    co_return present ? std::optional{long_text} : std::nullopt;
}

awaitable<std::size_t> call(Message message) {
    co_await asio::post(asio::use_awaitable);
    co_return message.key.size() + message.values.size();
}

awaitable<int> with_options(Options options) {
    co_await asio::post(asio::use_awaitable);
    co_return static_cast<int>(options.deadline.count()) + options.retries;
}

awaitable<int> condition_on_a_named_result(int n) {
    const bool small = co_await is_small(n);
    if (small) co_return 1;
    co_return 2;
}

awaitable<int> declaration_in_the_condition(bool present) {
    if (auto r = co_await text(present); !r) co_return 0;
    if (auto r = co_await text(present); r) co_return static_cast<int>(r->size());
    co_return -1;
}

awaitable<int> loop_over_a_named_result() {
    int n = 0;
    for (;;) {
        const bool small = co_await is_small(n);
        if (!small) break;
        ++n;
    }
    co_return n;
}

awaitable<std::size_t> named_message_moved_in() {
    auto message = Message{.key = long_text, .values = {1, 2}, .counted = {}};
    const auto size = co_await call(std::move(message));
    co_return size;
}

awaitable<std::size_t> task_made_first() {
    auto task = call({.key = long_text, .values = {1, 2, 3}, .counted = {}});
    co_return co_await std::move(task);
}

awaitable<int> trivially_destructible_options_in_place() {
    const int n = co_await with_options({.deadline = 5ms, .retries = 2});
    co_return n;
}

awaitable<std::string> one_await_per_branch(bool first) {
    std::optional<std::string> chosen;
    if (first) chosen = co_await text(true);
    else chosen = co_await text(false);
    co_return chosen.value_or("none");
}

awaitable<int> named_lambda() {
    auto shared = std::make_shared<Counted>();
    auto child = [shared]() -> awaitable<int> {
        co_await asio::post(asio::use_awaitable);
        co_return static_cast<int>(shared.use_count() > 0);
    };
    const auto executor = co_await asio::this_coro::executor;
    const int n = co_await asio::co_spawn(executor, child, asio::use_awaitable);
    co_return n;
}

template <typename T>
T run(awaitable<T> task) {
    asio::io_context context;
    std::optional<T> result;
    asio::co_spawn(context, std::move(task), [&](std::exception_ptr error, T value) {
        if (error) std::rethrow_exception(error);
        result = std::move(value);
    });
    context.run();
    return *result;
}

} // namespace

TEST_CASE("toolchain: a condition on a named result") {
    CHECK(run(condition_on_a_named_result(1)) == 1);
    CHECK(run(condition_on_a_named_result(9)) == 2);
    CHECK(run(loop_over_a_named_result()) == 3);
}

TEST_CASE("toolchain: a declaration in the condition") {
    CHECK(run(declaration_in_the_condition(false)) == 0);
    CHECK(run(declaration_in_the_condition(true)) == 64);
}

TEST_CASE("toolchain: a message is destroyed once") {
    CHECK(run(named_message_moved_in()) == 66);
    CHECK(run(task_made_first()) == 67);
    CHECK(Counted::alive == 0);
}

TEST_CASE("toolchain: options in place, when trivially destructible") {
    CHECK(run(trivially_destructible_options_in_place()) == 7);
}

TEST_CASE("toolchain: one await per branch") {
    CHECK(run(one_await_per_branch(true)) == long_text);
    CHECK(run(one_await_per_branch(false)) == "none");
}

TEST_CASE("toolchain: a named lambda keeps its captures") {
    CHECK(run(named_lambda()) == 1);
    CHECK(Counted::alive == 0);
}
