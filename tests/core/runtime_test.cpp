// labels: coroutine
#include <mooncake/core/runtime.hpp>

#include "support/dying_words.hpp"

#include <boost/asio/post.hpp>

#include <doctest/doctest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <ctime>
#include <stdexcept>
#include <string>
#include <thread>

using namespace mooncake;
using namespace std::chrono_literals;

namespace {

/// What a process whose user may have no more threads says when it makes a runtime.
std::string without_threads() {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const auto child = fork();
    if (child == 0) {
        auto said = std::string("none was refused");
        const auto none = rlimit{1, 1};
        if (setrlimit(RLIMIT_NPROC, &none) != 0 || setresuid(65'534, 65'534, 65'534) != 0) said = "cannot try";
        else {
            try {
                auto runtime = Runtime({.threads = 4});
            } catch (const boost::system::system_error& refused) {
                said = refused.what();
            }
        }
        [[maybe_unused]] const auto written = write(ends[1], said.data(), said.size());
        _exit(0);
    }
    close(ends[1]);
    auto said = std::string(1000, '\0');
    const auto got = read(ends[0], said.data(), said.size());
    close(ends[0]);
    waitpid(child, nullptr, 0);
    said.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return said;
}

/// What the runtime's one thread has used of its core.
Duration cpu_of(Runtime& runtime) {
    auto ask = []() -> Task<Duration> {
        auto used = timespec();
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
        co_return std::chrono::seconds{used.tv_sec} + std::chrono::nanoseconds{used.tv_nsec};
    };
    return runtime.run(ask()).value();
}

/// What it uses of half a second in which there is nothing to do.
Duration cpu_of_idling(Duration spin) {
    auto runtime = Runtime({.threads = 1, .spin = spin});
    const auto before = cpu_of(runtime);
    std::this_thread::sleep_for(500ms);
    return cpu_of(runtime) - before;
}

} // namespace

TEST_CASE("runtime: threads that the system refuses are an error with a sentence") {
    const auto said = without_threads();
    if (said == "cannot try" || said == "none was refused") return; // other rights than a test of root's has
    CHECK(said.find("thread 1 of the 4 of a Runtime") != std::string::npos);
    CHECK(said.find("ulimit -u") != std::string::npos);
}

TEST_CASE("runtime: its threads take no signals, but their own faults") {
    auto runtime = Runtime({.threads = 1});
    auto mask = sigset_t();
    auto ask = [](sigset_t* into) -> Task<void> {
        pthread_sigmask(SIG_SETMASK, nullptr, into);
        co_return ok;
    };
    REQUIRE(runtime.run(ask(&mask)).has_value());
    for (const auto taken : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, SIGPIPE}) CHECK(sigismember(&mask, taken) == 1);
    for (const auto own : {SIGSEGV, SIGBUS, SIGABRT, SIGPROF}) CHECK(sigismember(&mask, own) == 0);
}

TEST_CASE("runtime: work is spread over the executors that are not one's own, in turn") {
    auto runtime = Runtime({.threads = 3});
    for (std::size_t own = 0; own < 3; ++own)
        for (std::size_t i = 0; i < 6; ++i) {
            const auto other = runtime.other_executor(runtime.executor(own), i);
            CHECK(other != runtime.executor(own));
            CHECK(other != runtime.other_executor(runtime.executor(own), i + 1));
        }
}

TEST_CASE("runtime: waiting for itself is refused with a sentence") {
    auto runtime = Runtime({.threads = 1});
    auto said = std::string();
    auto nested = [](Runtime* of, std::string* into) -> Task<void> {
        auto nothing = []() -> Task<void> { co_return ok; };
        try {
            (void)of->run(nothing());
        } catch (const boost::system::system_error& refused) {
            *into = refused.what();
        }
        co_return ok;
    };
    REQUIRE(runtime.run(nested(&runtime, &said)).has_value());
    CHECK(said.find("co_await the task instead") != std::string::npos);
}

TEST_CASE("sync_wait: on a thread that may have to run the task it is refused with a sentence; elsewhere it waits") {
    auto runtime = Runtime({.threads = 2});
    auto number = []() -> Task<int> { co_return 7; };
    auto wait_here = [&](std::size_t thread) -> Task<int> {
        const auto got = sync_wait(runtime.executor(thread), number());
        co_return got;
    };
    for (const auto thread : {std::size_t{0}, std::size_t{1}})
        CHECK_THROWS_WITH_AS((void)sync_wait(runtime.executor(), wait_here(thread)),
                             doctest::Contains("would wait for itself"), boost::system::system_error);
    auto other = Runtime({.threads = 1});
    auto wait_there = [&]() -> Task<int> {
        const auto got = sync_wait(other.executor(), number());
        co_return got;
    };
    CHECK(sync_wait(runtime.executor(), wait_there()).value() == 7);
}

TEST_CASE("runtime: a thread that is to spin looks for work for so long, and then sleeps") {
    CHECK(cpu_of_idling(0ns) < 5ms);
    const auto used = cpu_of_idling(60ms);
    CHECK(used > 6ms); // others may have had most of the core
    CHECK(used < 200ms);
}

TEST_CASE("runtime: one that spins takes work and deadlines, awake and asleep, and knows its thread") {
    for (const auto spin : {Duration{1s}, Duration{1ms}}) {
        auto runtime = Runtime({.threads = 2, .spin = spin});
        auto where = [](Runtime* of) -> Task<int> { co_return of->on_own_thread() ? 1 : 0; };
        auto wait = []() -> Task<void> {
            auto never = Event();
            const auto wake = co_await never.wait(Deadline(5ms));
            co_return to_errc(wake);
        };
        auto nested = [](Runtime* of) -> Task<void> {
            auto nothing = []() -> Task<void> { co_return ok; };
            co_return sync_wait(of->executor(), nothing());
        };
        for (auto i = 0; i < 3; ++i, std::this_thread::sleep_for(10ms)) {
            CHECK(runtime.run(where(&runtime)).value() == 1);
            CHECK(sync_wait(runtime.executor(1), where(&runtime)).value() == 1);
            CHECK(runtime.run(wait()).error() == Errc::timed_out);
        }
        CHECK_THROWS_WITH_AS((void)runtime.run(nested(&runtime)), doctest::Contains("would wait for itself"),
                             boost::system::system_error);
    }
}

TEST_CASE("runtime: one that spins ends at once") {
    for (const auto before : {0ms, 20ms})
        for (const auto spin : {Duration{1s}, Duration{1ms}}) {
            auto start = TimePoint();
            {
                auto runtime = Runtime({.threads = 3, .spin = spin});
                std::this_thread::sleep_for(before);
                start = SteadyClock{}.now();
            }
            CHECK(SteadyClock{}.now() - start < 500ms);
        }
}

TEST_CASE("runtime: a spin that is below 0 or above 1 s is refused with a sentence") {
    for (const auto wrong : {Duration{-1ns}, Duration{1s} + 1ns})
        CHECK_THROWS_WITH_AS(Runtime({.threads = 1, .spin = wrong}), doctest::Contains("RuntimeConfig::spin is"),
                             boost::system::system_error);
    CHECK(Runtime({.threads = 1, .spin = 1s}).size() == 1);
}

TEST_CASE("runtime: what a callback throws ends the program, spinning or not") {
    for (const auto spin : {Duration{0ns}, Duration{1s}}) {
        const auto words = test::dying_words([spin] {
            auto runtime = Runtime({.threads = 1, .spin = spin});
            asio::post(runtime.executor(), [] { throw std::runtime_error("as it was told"); });
            std::this_thread::sleep_for(5s);
        });
        CHECK(words.find("as it was told") != std::string::npos);
    }
}

TEST_CASE("scope: a task that throws ends alone, and what guards it hears why") {
    auto runtime = Runtime({.threads = 1});
    auto scope = TaskScope(runtime.executor());
    auto said = std::string();
    auto throwing = []() -> Task<void> {
        throw std::runtime_error("as it was told");
        co_return ok;
    };
    auto over = Event();
    REQUIRE(scope.spawn(throwing()).has_value());
    REQUIRE(
        scope.spawn(core::detail::guarded(throwing(), [&](std::string what) { said = std::move(what); })).has_value());
    runtime.run(scope.join());
    CHECK(said == "as it was told");
}
