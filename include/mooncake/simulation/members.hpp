#pragma once

#include <mooncake/simulation/faults.hpp>
#include <mooncake/simulation/load.hpp>
#include <mooncake/simulation/stream.hpp>
#include <mooncake/simulation/tenants.hpp>
#include <mooncake/store/master/server.hpp>
#include <mooncake/store/node.hpp>
#include <mooncake/store/store.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::simulation {

/// The engine of simulated processes: tcp over the simulated network. Loopback and shm know nothing of simulated processes
/// and would cut through them.
struct SimulatedEngineTraits {
    using Transports = TransportSet<TcpTransport<SimulatedNetwork>>;
    using Metadata = PeerMetadata<SimulatedNetwork>;
};
struct SimulatedStoreTraits {
    using Engine = SimulatedEngineTraits;
    using Master = RemoteMaster<SimulatedNetwork>;
};

enum class Role : std::uint8_t { master, node, client };

/// A process of a simulated cluster, what runs in it, and what is known of it.
template <MasterTraitsLike Traits>
struct Member {
    using Server = MasterServer<Traits, SimulatedNetwork>;
    using Node = StoreNode<SimulatedEngineTraits, SimulatedNetwork>;
    using Client = Store<SimulatedStoreTraits>;
    static constexpr unsigned loops = 4; ///< that do operations, on a client

    Role role{};
    std::string address;
    std::string tenant; ///< of a client
    std::uint64_t incarnation = 0;
    std::unique_ptr<Process> process;
    std::unique_ptr<Server> server;
    std::unique_ptr<Node> node;
    std::unique_ptr<Client> client;
    bool ready = false;
    bool ending = false;                ///< in good order
    bool has_memory = true;             ///< whether its host has some for arenas
    std::uint64_t stopped = 0;          ///< how often it was paused
    unsigned working = 0;               ///< loops that run on it
    unsigned in_operation = 0;          ///< of those
    std::array<TimePoint, loops> due{}; ///< when what a loop does is too late; the epoch where it does nothing
};

/// Everybody in a simulated cluster: how they begin, stand still, die, come back and end. Thread: the world's.
template <MasterTraitsLike Traits>
class Members {
  public:
    using One = Member<Traits>;
    using Group = std::vector<std::unique_ptr<One>>;

    /// `opened(client)` is called whenever a client has a store. Lifetime: all of them outlive it.
    Members(World& world, Network& network, const ClusterConfig& config, std::function<void(One&)> opened)
        : world_(world), network_(network), config_(config), opened_(std::move(opened)) {}

    Members(const Members&) = delete;
    Members& operator=(const Members&) = delete;
    /// What was killed, or never came to an end, is leaked.
    ~Members() {
        for_each([this](One& one) { abandon(one); });
    }

    [[nodiscard]] One& master() noexcept { return *masters_.front(); }
    [[nodiscard]] Group& masters() noexcept { return masters_; }
    [[nodiscard]] Group& nodes() noexcept { return nodes_; }
    [[nodiscard]] Group& clients() noexcept { return clients_; }

    /// Masters, nodes, clients.
    template <class Visit>
    void for_each(const Visit& visit) const {
        for (const auto* const group : {&masters_, &nodes_, &clients_})
            for (const auto& one : *group) visit(*one);
    }
    [[nodiscard]] One& draw_anybody() {
        auto at = world_.below(masters_.size() + nodes_.size() + clients_.size());
        for (auto* const group : {&masters_, &nodes_})
            if (at < group->size()) return *(*group)[at];
            else at -= group->size();
        return *clients_[at];
    }
    [[nodiscard]] std::vector<std::string> addresses() const {
        auto all = std::vector<std::string>();
        for_each([&](const One& one) {
            all.push_back(one.address);
            all.insert(all.end(), one.process->other_addresses().begin(), one.process->other_addresses().end());
        });
        return all;
    }

    /// The whole cluster begins; the world runs until everybody is ready.
    void start() {
        masters_.push_back(make(Role::master, 0));
        for (unsigned i = 0; i < config_.nodes; ++i) nodes_.push_back(make(Role::node, i));
        for (unsigned i = 0; i < config_.clients; ++i) clients_.push_back(make(Role::client, i));
        for (unsigned i = 0; config_.tenants && i < config_.clients; ++i)
            clients_[i]->tenant = TenantRoles::of_client(i);
        for_each([this](One& one) { launch(one); });
        const auto all_ready = [this] {
            auto ready = true;
            for_each([&](const One& one) { ready &= one.ready; });
            return ready;
        };
        world_.run(world_.now() + std::chrono::seconds{30}, [&] { return world_.fault().empty() && !all_ready(); });
        if (!all_ready()) world_.report_fault("the cluster did not start");
    }

    void pause(One& one) {
        if (one.process->dead() || one.process->paused()) return;
        ++one.stopped;
        one.process->pause();
        world_.call_after(draw_outage(world_), [self = &one, incarnation = one.incarnation] {
            if (self->incarnation != incarnation) return;
            ++self->stopped;
            self->process->resume();
        });
    }

    void kill(One& one) {
        if (one.process->dead()) return;
        ++one.stopped;
        one.process->kill();
        network_.drop(*one.process);
        // Whoever watches over it may be quick: then clients come back with what they began before.
        const auto quick = world_.chance(0.3);
        const auto outage = quick ? world_.between({}, std::chrono::milliseconds{20}) : draw_outage(world_);
        world_.call_after(outage, [this, self = &one] { start_again(*self); });
    }
    /// A node whose host has no memory to lend for a while, and which is killed in half of all cases.
    void refuse_memory(One& one) {
        have_memory(one, false);
        world_.call_after(draw_outage(world_), [this, self = &one] { have_memory(*self, true); });
        if (world_.chance(0.5)) kill(one);
    }
    void have_memory(One& one, bool yes) {
        one.has_memory = yes;
        one.process->have_memory(yes);
    }
    void start_again(One& one) {
        if (!one.process->dead()) return;
        abandon(one);
        launch(one);
    }

    /// A program that ends in good order while others use it, and whose own operations run, and begins again.
    void restart(One& one) {
        if (one.process->dead() || one.process->paused() || !one.ready) return;
        const auto stopped = ++one.stopped;
        one.ready = false;
        one.ending = true;
        auto ended = [this, self = &one, incarnation = one.incarnation](const Result<void>&) {
            if (self->incarnation != incarnation) return;
            if (self->in_operation != 0)
                world_.report_fault("operations of " + self->address + " went on after their store was closed");
            destroy(*self);
            begin(*self);
        };
        const auto drains = world_.chance(0.5) ? world_.between({}, std::chrono::seconds{3}) : Duration::zero();
        one.process->start(close(&one, drains), std::move(ended));
        world_.call_after(longest_end, [this, self = &one, stopped] {
            if (self->stopped == stopped && self->ending) world_.report_fault(self->address + " does not end");
        });
    }

    /// Everybody is closed, one after the other; `report_fault` where that does not end.
    void close_all() {
        for (auto* const group : {&clients_, &nodes_, &masters_})
            for (auto& one : *group) {
                const auto closed = one->process->run(close(one.get()), longest_end);
                if (!closed) return world_.report_fault(one->address + " could not be closed");
            }
    }
    /// They are closed, and nothing is due any more that names them: they are destroyed like anything else.
    void finished() noexcept { finished_ = true; }

  private:
    using Server = typename One::Server;
    using Node = typename One::Node;
    using Client = typename One::Client;

    static constexpr std::uint16_t master_port = 7000;
    static constexpr Duration longest_end = std::chrono::seconds{20};

    static std::unique_ptr<One> make(Role role, unsigned index) {
        auto one = std::make_unique<One>();
        one->role = role;
        const auto host = (role == Role::master ? 1 : role == Role::node ? 10 : 100) + index;
        one->address = "10.0.0." + std::to_string(host);
        return one;
    }

    /// A new process, as at the beginning or after a crash.
    void launch(One& one) {
        ++one.incarnation;
        one.ready = false;
        one.process = std::make_unique<Process>(world_, one.address, ++last_process_);
        if (one.role == Role::node)
            for (unsigned i = 1; i < config_.networks; ++i)
                one.process->add_address("10." + std::to_string(i) + one.address.substr(4));
        network_.join(*one.process);
        one.process->have_memory(one.has_memory);
        begin(one);
    }

    void begin(One& one) {
        one.ending = false;
        const auto inside = Environment::Scope(one.process.get());
        switch (one.role) {
        case Role::master: return start_master(one);
        case Role::node: return start_node(one);
        case Role::client: return open_store(one);
        }
    }

    void start_master(One& one) {
        auto config = typename Server::Config();
        config.listen.bind = {one.address, master_port};
        if (config_.tenants) config.master.tenants = TenantRoles::quotas(config_.object_bytes);
        config.log = log_of(one);
        one.server = std::make_unique<Server>(one.process->runtime(), std::move(config));
        one.server->start();
        one.ready = true;
    }

    void start_node(One& one) {
        auto config = typename Node::Config();
        config.engine.name = "node-" + one.address;
        config.engine.template transport<TcpTransport<SimulatedNetwork>>().other_hosts = one.process->other_addresses();
        config.master.rpc = rpc();
        config.memory = {.bytes = config_.node_bytes,
                         .pages = PageKind::plain,
                         .sharing = ArenaSharing::process,
                         .prefault_threads = 1};
        config.host = one.address;
        config.repair_period = std::chrono::seconds(3);
        config.log = log_of(one);
        one.node = std::make_unique<Node>(one.process->runtime(), std::move(config));
        auto started = [self = &one, incarnation = one.incarnation](const Result<void>& done) {
            if (self->incarnation == incarnation) self->ready = done.has_value();
        };
        one.process->start(keep_starting(one.node.get()), std::move(started));
    }

    void open_store(One& one) {
        auto config = typename Client::Config();
        config.engine.name = "client-" + one.address;
        config.client.tenant = one.tenant;
        config.engine.log = log_of(one);
        if (config_.networks > 1) config.engine.spread.least_chunk = 1 * KiB; // so that little is spread, too
        config.master.rpc = rpc();
        one.process->start(open_client(one.process.get(), std::move(config)),
                           [this, self = &one, incarnation = one.incarnation](auto opened) {
                               if (!opened || self->incarnation != incarnation) return;
                               self->client = std::move(*opened);
                               self->ready = true;
                               opened_(*self);
                           });
    }

    RpcClientConfig rpc() const { return {.server = {masters_.front()->address, master_port}}; }

    Log log_of(const One& one) {
        if (!config_.say) return {};
        return Log([this, address = one.address](Severity, std::string_view sentence) {
            world_.note(address + ": " + std::string(sentence), {});
        });
    }

    /// A program that is restarted by whoever watches it goes on trying.
    static Task<void> keep_starting(Node* node) {
        for (;;) {
            const auto started = co_await node->start();
            if (started) co_return ok;
            auto pause = Event();
            const auto wake = co_await pause.wait(Deadline(std::chrono::milliseconds(500)));
            if (wake == Wake::cancelled) co_return Errc::cancelled;
        }
    }
    static Task<std::unique_ptr<Client>> open_client(Process* process, typename Client::Config config) {
        for (;;) {
            auto opened = co_await Client::open(process->runtime(), config);
            if (opened) co_return std::move(*opened);
            auto pause = Event();
            const auto wake = co_await pause.wait(Deadline(std::chrono::milliseconds(500)));
            if (wake == Wake::cancelled) co_return Errc::cancelled;
        }
    }

    /// A node that `drains` gives away what it has first, as long as that.
    static Task<void> close(One* one, Duration drains = Duration::zero()) {
        if (one->node && drains != Duration::zero()) (void)co_await one->node->drain(Deadline(drains));
        if (one->client) co_await one->client->close();
        if (one->node) co_await one->node->close();
        if (one->server) co_await one->server->close();
        co_return ok;
    }
    static void destroy(One& one) {
        one.client.reset();
        one.node.reset();
        one.server.reset();
    }

    /// What was in the memory of a process that was killed is leaked.
    void abandon(One& one) {
        const auto inside = Environment::Scope(one.process.get());
        if (!finished_) one.process->kill();
        if (one.process->dead()) {
            (void)one.server.release();
            (void)one.node.release();
            (void)one.client.release();
        }
        destroy(one);
        one.working = one.in_operation = 0;
        one.due.fill({});
        // What is due in the world may still name it.
        graveyard_.push_back(std::move(one.process));
    }

    World& world_;
    Network& network_;
    const ClusterConfig& config_;
    std::function<void(One&)> opened_;
    std::vector<std::unique_ptr<Process>> graveyard_;
    Group masters_, nodes_, clients_;
    std::uint64_t last_process_ = 0;
    bool finished_ = false;
};

} // namespace mooncake::simulation
