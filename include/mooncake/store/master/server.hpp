#pragma once

#include <mooncake/core/runtime.hpp>
#include <mooncake/net/plain_tcp.hpp>
#include <mooncake/net/server.hpp>
#include <mooncake/rpc/service.hpp>
#include <mooncake/store/master/answer.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace mooncake {

template <MasterTraitsLike Traits, StreamPolicy P = PlainTcp>
struct MasterServerConfig {
    ListenConfig listen = {};
    MasterConfig master = {};
    MasterParts<Traits> parts = {};
    std::uint64_t most_message_bytes =
        ServerConfig().most_message_bytes; ///< see there; a long `wait_for` holds its keys
    Log log = {};
    P stream = {}; ///< the network, and its security
};

/// A master that serves a cluster: its handlers behind a port, and a hand that turns its clock.
/// The constructor binds, and throws `address_in_use` when it cannot. Close it before it dies.
template <MasterTraitsLike Traits = DefaultMasterTraits, StreamPolicy P = PlainTcp>
class MasterServer {
  public:
    using Config = MasterServerConfig<Traits, P>;

    MasterServer(Runtime& runtime, Config config)
        : period_(std::clamp<Duration>(config.master.segment_ttl / 4, std::chrono::milliseconds{10},
                                       std::chrono::seconds{1})),
          log_(config.log), master_(config.master, std::move(config.parts)), clock_(runtime.next_executor()),
          server_(runtime, service_,
                  {.listen = config.listen, .most_message_bytes = config.most_message_bytes, .log = config.log},
                  config.stream) {
        answer<store::SegmentMount, store::Heartbeat, store::Unmount, store::Segments, store::PutStart, store::PutEnd,
               store::PutAbort, store::Get, store::Query, store::Release, store::Renew, store::RenewMany,
               store::ReportBad, store::Remove, store::Stats, store::Describe>();
        service_.template on<store::List>(
            [this](store::List message) { return store::detail::list(master_, std::move(message), Deadline()); });
        service_.template on<store::WaitFor>([this](store::WaitFor message) {
            return store::detail::wait_for(master_, std::move(message), Deadline());
        });
    }

    void start() {
        server_.start();
        (void)clock_.spawn(turn());
    }

    [[nodiscard]] const Endpoint& endpoint() const noexcept { return server_.endpoint(); }
    [[nodiscard]] Master<Traits>& master() noexcept { return master_; }

    /// Stops serving. Idempotent.
    asio::awaitable<void> close() {
        co_await clock_.close();
        co_await server_.close();
    }

  private:
    template <class... Messages>
    void answer() {
        (service_.template on<Messages>([this](Messages& message) { return store::detail::answer(master_, message); }),
         ...);
    }

    Task<void> turn() {
        auto pause = Event();
        for (auto wake = Wake::timed_out; wake != Wake::cancelled;) {
            const auto expired = master_.expire();
            if (expired.segments != 0)
                log_(Severity::warning, std::to_string(expired.segments) +
                                            " segments sent no heartbeat and were dropped, and with them " +
                                            std::to_string(expired.objects) + " objects");
            wake = co_await pause.wait(Deadline(period_));
        }
        co_return ok;
    }

    const Duration period_;
    const Log log_;
    Master<Traits> master_;
    TaskScope clock_;
    RpcService service_;
    Server<P> server_;
};

} // namespace mooncake
