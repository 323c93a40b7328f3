// The forms that style and compiler agree on. if (co_await f()) in a comment is nobody's business.

Task<void> statements() {
    co_await f();
    (void)co_await f();
    const auto r = co_await f();
    auto [a, b] = co_await f(1, g(2));
    const Result<std::vector<std::uint64_t>> list = co_await f();
    r = co_await f();
    object.member_[i]->field += co_await f();
    co_await std::move(task);
    co_await g(c ? 1 : 2);
    co_await (c + d).wait();
    if (r) co_await f();
    else co_await g();
    for (int i = 0; i < 3; ++i) co_await f(i);
    for (;;) {
        co_await f();
    }
    if (r == 1) {
        co_await f();
    }
    switch (n) {
    case 1: co_await f(); break;
    case Kind::two: r = co_await f(); break;
    default: co_await g();
    }
    const char* text = "if (co_await f())";
    const auto big = 1'000'000; co_await f();
    const auto equal = a == b; co_await f();
    co_return co_await f();
}

Task<void> options() {
    co_await op({.deadline = 5ms});
    co_await op(key, {.deadline = 5ms, .retries = 2});
    auto r = co_await batch.submit({.deadline = 5ms});
    if (auto s = co_await op({.deadline = 5ms}); !s) co_return s.error();
    if (const auto s = co_await f(); !s) {
        co_return s.error();
    }
    auto request = PutStart{.key = k};
    auto reply = co_await call(std::move(request));
    auto task = op({.name = s});
    co_await std::move(task);
    co_return ok;
}

Task<int> conditional(bool c) {
    int x = 0;
    if (c) x = co_await f();
    else x = co_await g();
    co_return c ? x : 0;
}

Task<void> named_lambda() {
    auto child = [p]() -> Task<void> {
        co_await p->run();
        const auto r = co_await p->stop();
        co_return r;
    };
    co_await scope.spawn(child());
    co_await finish([](const Result<int>& r) { return r.has_error(); });
    co_await scope.spawn([]() -> Task<void> { co_return; }());
    co_return ok;
}

template <typename T>
Task<T> generic(T value) {
    co_await f<T>(value);
    const auto r = co_await g.template get<int>();
    co_return r;
}

auto operator co_await(Thing);

Task<int> ends_everywhere(bool c) {
    auto l = [] { return 1; };
    if (c) {
        co_return co_await f();
    } else if (c2) {
        co_return 1;
    } else {
        co_return 2;
    }
}
Task<int> loops() {
    for (;;) {
        co_await f();
    }
}
Task<int> counts() {
    for (auto i = 0;; i = next(i)) {
        if (i == 7) co_return i;
        co_await f();
    }
}
Task<int> loops_too() {
    while (true) co_await f();
    co_return 1;
}
Task<void> catches() {
    try {
        co_return co_await f();
    } catch (...) {
        throw;
    }
}
Task<void> is_no_coroutine() { return f(); }
asio::awaitable<void> has_no_result() { co_await f(); }
Task<int> chooses(E e) {
    co_await f();
    switch (e) {
    case E::a: co_return 1;
    }
}
template <class T>
Result<void> begins(T task) {
    auto l = [](T t) -> Task<void> {
        co_await std::move(t);
        co_return ok;
    };
    return l(task);
}
