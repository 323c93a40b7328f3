// Every line marked so is one that g++ 12.2 miscompiles or refuses, or comes too close to one.

asio::awaitable<void> conditions() {
    if (co_await f()) { // bad
        co_return;
    }
    if (!co_await f()) co_return; // bad
    while (co_await f()) { // bad
    }
    while (auto r = co_await f()) { // bad
    }
    switch (co_await f()) { // bad
    default: break;
    }
    if (const auto r = co_await f()) { // bad
    }
    for (auto x : co_await f()) { // bad
    }
    do {
    } while (co_await f()); // bad
    const bool ok = a && co_await f(); // bad
}

Task<int> conditional(bool c) {
    x = c ? co_await f() : co_await g(); // bad
    const auto y = c ? co_await f() : co_await g(); // bad
    co_await (c ? f() : g()); // bad
    auto r = co_await (c ? f() : g()); // bad
    auto s = co_await f() ? 1 : 2; // bad
    co_return co_await f() ? 1 : 2; // bad
}

asio::awaitable<void> braces() {
    co_await op(Opt{}); // bad
    co_await op({1, 2}); // bad
    co_await op(std::vector<int>{1, 2}); // bad
    auto reply = co_await call(PutStart{.key = k}); // bad
    std::vector<int> v{co_await f()}; // bad
    std::vector<int> w{1, co_await f()}; // bad
    T t(co_await f()); // bad
    co_await op({.deadline = 5ms}, Opt{.name = s}); // bad
}

asio::awaitable<void> lambdas() {
    co_await co_spawn(ex, [p]() -> awaitable<void> { co_return; }, use_awaitable); // bad
    co_await post([&] { ++n; }); // bad
    co_await first([] { return 1; }, [p] { return p; }); // bad
    co_await first([] { return 1; }, Opt{}); // bad
    co_await first([](int n) { return n; }, [](Opt o = {}) { return 1; }); // bad
    co_await scope.spawn([] { co_await (c ? f() : g()); }); // bad
    auto r = co_await run([x = std::move(x)]() mutable { return x; }); // bad
}

asio::awaitable<void> expressions() {
    g(co_await f()); // bad
    co_await g(co_await f()); // bad
    auto n = (co_await f()).value(); // bad
    auto m = co_await f() + co_await g(); // bad
    x[co_await f()] = 1; // bad
    co_return g(co_await f()); // bad
    auto y = std::tie(a, b) == co_await f(); // bad
}

void spawn() {
    asio::co_spawn(ex, f(), asio::detached); // bad
}

Task<void> runs_off() {
    co_await f();
} // bad
Task<int> runs_off_sometimes(bool c) {
    if (c) co_return 1;
    co_await f();
} // bad
Task<int> C::runs_off_a_loop() const {
    while (c) {
        co_return 1;
    }
} // bad
Task<int> runs_off_a_branch(bool c) {
    if (c) {
        co_return 1;
    } else {
        co_await f();
    }
} // bad
Task<void> runs_off_a_catch() {
    try {
        co_return co_await f();
    } catch (...) {
        co_await g();
    }
} // bad
void lambda_runs_off() {
    auto l = [](int n) -> asio::awaitable<int> {
        co_await f(n);
    }; // bad
}
