#pragma once

/// The insides of `Store`. The parts that it is made of are included by who chooses them; `store.hpp` has those of the
/// ready-made stores.

#include <mooncake/core/result.hpp>
#include <mooncake/core/runtime_interface.hpp>
#include <mooncake/store/client/master_calls.hpp>
#include <mooncake/store/master_link.hpp>
#include <mooncake/store/store_interface.hpp>

#include <memory>
#include <utility>

namespace mooncake {

namespace store::detail {

/// How a store reaches its master: through the master itself, or through what is the same of all of its kind.
template <class Master>
struct LinkOf {
    using Type = Master;
};
template <class Master>
    requires requires { typename Master::Link; }
struct LinkOf<Master> {
    using Type = typename Master::Link;
};

template <class Void>
BasicRuntime<Void>& where_it_may_wait(BasicRuntime<Void>& runtime) {
    if (runtime.on_own_thread())
        throw_error({Errc::invalid_argument,
                     "a Store was made on a thread of its own Runtime, where its constructor "
                     "cannot wait for the master: co_await Store::open(runtime, config) there"});
    return runtime;
}

} // namespace store::detail

template <class Traits>
Store<Traits>::Store(Runtime& runtime, Config config)
    : Store(Unattached(), store::detail::where_it_may_wait(runtime), std::move(config)) {
    const auto attached = sync_wait(runtime.executor(), this->begin(master_.attach(this->engine())));
    if (!attached) throw_error(attached.error());
}

template <class Traits>
Store<Traits>::Store(Runtime& runtime) : Store(runtime, Config()) {}

template <class Traits>
Store<Traits>::Store(Unattached, Runtime& runtime, Config config)
    : Store(runtime, std::move(config.engine), std::make_shared<Master>(runtime, std::move(config.master)),
            config.client) {}

template <class Traits>
Store<Traits>::Store(Runtime& runtime, EngineConfig<typename Traits::Engine> engine, std::shared_ptr<Master> master,
                     ClientConfig client)
    : Base(runtime, std::move(engine),
           store::detail::calls_through<typename store::detail::LinkOf<Master>::Type>(master), client),
      master_(*master) {
    static_assert(MasterLink<Master>);
}

template <class Traits>
auto Store<Traits>::master() noexcept -> Master& {
    return master_;
}

template <class Traits>
Task<std::unique_ptr<Store<Traits>>> Store<Traits>::open(Runtime& runtime) {
    return open(runtime, Config());
}

template <class Traits>
Task<std::unique_ptr<Store<Traits>>> Store<Traits>::open(Runtime& runtime, Config config) {
    return open_attached(std::unique_ptr<Store>(new Store(Unattached(), runtime, std::move(config))));
}

template <class Traits>
Task<std::unique_ptr<Store<Traits>>> Store<Traits>::open_attached(std::unique_ptr<Store> store) {
    const auto throws = co_await asio::this_coro::throw_if_cancelled(); // before it is closed it must not go
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto attached = co_await store->begin(store->master_.attach(store->engine()));
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (!attached) co_return attached.error();
    co_return store;
}

} // namespace mooncake
