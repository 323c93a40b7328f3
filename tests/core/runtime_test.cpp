// labels: coroutine
#include <mooncake/core/runtime.hpp>

#include <doctest/doctest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <string>

using namespace mooncake;

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
