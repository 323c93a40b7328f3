#pragma once

#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/net/plain_tcp.hpp>
#include <mooncake/net/server.hpp>
#include <mooncake/rpc/service.hpp>
#include <mooncake/store/master/master.hpp>
#include <mooncake/store/master/server_interface.hpp>
#include <mooncake/store/master/slow_answers.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace mooncake {

template <class Traits, class P>
struct MasterServer<Traits, P>::Parts {
    static_assert(MasterTraitsLike<Traits> && StreamPolicy<P>);

    Parts(Runtime& runtime, Config config)
        : period(std::clamp<Duration>(config.master.segment_ttl / 4, std::chrono::milliseconds{10},
                                      std::chrono::seconds{1})),
          log(config.log), master(config.master, std::move(config.parts)), clock(runtime.next_executor()),
          server(runtime, service,
                 {.listen = config.listen, .most_message_bytes = config.most_message_bytes, .log = config.log},
                 config.stream) {
        store::ToPlainMessages<Answering>::with(master, service);
        service.template on<store::List>(
            [this](store::List message) { return store::detail::in_steps(master, std::move(message), Deadline()); });
        service.template on<store::RemoveMatching>([this](store::RemoveMatching message) {
            return store::detail::in_steps(master, std::move(message), Deadline());
        });
        service.template on<store::WaitFor>(
            [this](store::WaitFor message) { return store::detail::wait_for(master, std::move(message), Deadline()); });
        service.template on<store::Events>(
            [this](store::Events message) { return store::detail::events(master, std::move(message), Deadline()); });
    }

    template <class... Messages>
    struct Answering {
        static void with(store::detail::Handlers& master, RpcService& service) {
            (service.template on<Messages>([&master](Messages& message) { return master.handle(message); }), ...);
        }
    };

    void say(const store::SegmentChange& change) const {
        using What = store::SegmentChange::What;
        const auto name = "segment " + in_quotes(change.name, 256);
        if (change.what == What::joined)
            log(Severity::info, name + " joined with " + std::to_string(change.bytes) + " bytes, at " +
                                    in_quotes(change.endpoint, 256));
        else if (change.what == What::left) log(Severity::info, name + " left");
        else log(Severity::warning, name + " sent no heartbeat and was dropped");
    }

    static constexpr std::size_t most_said = 64; ///< segments in one turn: anybody may mount many

    Task<void> turn() {
        auto pause = Event();
        for (auto wake = Wake::timed_out; wake != Wake::cancelled;) {
            const auto expired = master.expire();
            const auto changes = master.take_changes();
            for (const auto& change : std::span(changes).first(std::min(changes.size(), most_said))) say(change);
            if (changes.size() > most_said)
                log(Severity::warning,
                    "at least " + std::to_string(changes.size() - most_said) + " more segments joined or went");
            if (expired.objects != 0)
                log(Severity::warning,
                    std::to_string(expired.objects) + " objects had their last replica in segments that were dropped");
            wake = co_await pause.wait(Deadline(period));
        }
        co_return ok;
    }

    const Duration period;
    const Log log;
    Master<Traits> master;
    TaskScope clock;
    RpcService service;
    Server<P> server;
};

template <class Traits, class P>
MasterServer<Traits, P>::MasterServer(Runtime& runtime, Config config)
    : parts_(std::make_unique<Parts>(runtime, std::move(config))) {}

template <class Traits, class P>
MasterServer<Traits, P>::~MasterServer() = default;

template <class Traits, class P>
void MasterServer<Traits, P>::start() {
    parts_->server.start();
    (void)parts_->clock.spawn(parts_->turn());
}

template <class Traits, class P>
const Endpoint& MasterServer<Traits, P>::endpoint() const noexcept {
    return parts_->server.endpoint();
}

template <class Traits, class P>
Master<Traits>& MasterServer<Traits, P>::master() noexcept {
    return parts_->master;
}

template <class Traits, class P>
asio::awaitable<void> MasterServer<Traits, P>::close() {
    co_await parts_->clock.close();
    co_await parts_->server.close();
}

} // namespace mooncake
