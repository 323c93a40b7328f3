// A process shares memory; another one, its child, writes into it without its help: over shared memory, as both are on one
// host. Between hosts the same code uses tcp.
#include <mooncake/mooncake.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

mooncake::Task<void> write_greeting(mooncake::TransferEngine<>& engine, std::string locator) {
    const auto segment = co_await engine.open(locator, 5s);
    if (!segment) co_return segment.error();
    const auto written =
        co_await engine.write(mooncake::bytes_of("written by the child"), *segment, 0, {.deadline = 5s});
    if (!written) co_return written.error();
    std::cout << "child: " << written->bytes << " bytes over " << written->transport << std::endl;
    co_return mooncake::ok;
}

int child(int pipe) {
    auto locator = std::array<char, 256>();
    if (read(pipe, locator.data(), locator.size() - 1) <= 0) return EXIT_FAILURE;
    mooncake::Runtime runtime({.threads = 1});
    mooncake::TransferEngine<> engine{runtime};
    const auto done = runtime.run(write_greeting(engine, locator.data()));
    if (!done) std::cerr << "child: " << done.error() << '\n';
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main() {
    auto pipes = std::array<int, 2>();
    if (pipe(pipes.data()) != 0) return EXIT_FAILURE;
    const auto pid = fork(); // before there are threads
    if (pid == 0) return child(pipes[0]);

    mooncake::Runtime runtime({.threads = 1});
    mooncake::TransferEngine<> engine{runtime};
    auto arena = mooncake::Arena::create({.bytes = mooncake::MiB});
    if (!arena) return std::cerr << arena.error() << '\n', EXIT_FAILURE;
    const auto region = runtime.run(engine.register_arena(*arena, mooncake::Rights::read_write));
    if (!region) return std::cerr << region.error() << '\n', EXIT_FAILURE;

    const auto locator = engine.locator();
    auto status = EXIT_FAILURE;
    if (write(pipes[1], locator.data(), locator.size()) < 0 || waitpid(pid, &status, 0) != pid) return EXIT_FAILURE;
    const auto text = mooncake::text_of((*arena)->bytes().first(20));
    std::cout << "parent: my memory holds '" << text << "'\n";
    return status == 0 && text == "written by the child" ? EXIT_SUCCESS : EXIT_FAILURE;
}
