#include <mooncake/mooncake.hpp>

#include <cstdlib>

mooncake::Task<void> hello() {
    if (!mooncake::within(0, 8, 8)) co_return mooncake::Error(mooncake::Errc::invalid_argument, "8 bytes are not in 8");
    co_return mooncake::ok;
}

int main() {
    mooncake::Runtime runtime;
    return runtime.run(hello()) ? EXIT_SUCCESS : EXIT_FAILURE;
}
