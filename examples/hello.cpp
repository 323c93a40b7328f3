#include <mooncake/mooncake.hpp>

#include <cstdlib>
#include <iostream>

mooncake::Task<void> hello(mooncake::EmbeddedStore<>& store) {
    auto stored = co_await store.put("greeting", mooncake::bytes_of("hello, bytes"));
    if (!stored) co_return stored.error();
    auto view = co_await store.view("greeting"); // zero copies: a leased window
    if (!view) co_return view.error();
    std::cout << view->text() << '\n';
    co_return mooncake::ok;
}

int main() {
    mooncake::Runtime runtime;
    mooncake::EmbeddedStore<> store{runtime};
    return runtime.run(hello(store)) ? EXIT_SUCCESS : EXIT_FAILURE;
}
