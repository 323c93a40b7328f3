#pragma once

#include <mooncake/core/with_deadline.hpp>
#include <mooncake/simulation/faults.hpp>
#include <mooncake/simulation/load.hpp>
#include <mooncake/simulation/oracle.hpp>
#include <mooncake/simulation/stream.hpp>
#include <mooncake/store/master/server.hpp>
#include <mooncake/store/node.hpp>
#include <mooncake/store/store.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
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

/// A cluster of real masters, nodes and clients in a simulated world, under load and faults, and the promises that are
/// checked meanwhile. One object is one run.
///
/// `Traits`: the master's, with policies of your own if you like. Thread: one.
template <MasterTraitsLike Traits = DefaultMasterTraits>
class ClusterSimulation {
  public:
    using Server = MasterServer<Traits, SimulatedNetwork>;
    using Node = StoreNode<SimulatedEngineTraits, SimulatedNetwork>;
    using Client = Store<SimulatedStoreTraits>;

    explicit ClusterSimulation(std::uint64_t seed, ClusterConfig config = {})
        : config_(config), world_(seed), network_(world_), oracle_(world_) {
        if (!config_.vary) return;
        config_.object_bytes = std::size_t{1} * KiB << world_.below(5);
        config_.keys = 50U << world_.below(6);
        // Between a tenth and a little more than all objects find room.
        const auto all = config_.keys * config_.object_bytes / 4 * config_.replicas;
        config_.node_bytes =
            std::max<std::uint64_t>(16 * config_.object_bytes, all * (10 + world_.below(110)) / 100 / config_.nodes);
        config_.short_deadlines = world_.chance(0.5) ? 0.5 : 0.1;
    }

    ClusterSimulation(const ClusterSimulation&) = delete;
    ClusterSimulation& operator=(const ClusterSimulation&) = delete;
    /// What was killed, or never came to an end, is leaked.
    ~ClusterSimulation() {
        for (auto* const members : {&masters_, &nodes_, &clients_})
            for (auto& member : *members) abandon(*member);
    }

    [[nodiscard]] World& world() noexcept { return world_; }
    [[nodiscard]] std::uint64_t operations() const noexcept { return operations_; }
    [[nodiscard]] std::uint64_t successes() const noexcept { return load_.successes(); }

    /// The whole run: start, load under faults, then peace, in which everything must work again and nothing be left over.
    /// The world has the fault, if there was one.
    void run() {
        start();
        if (world_.fault().empty() && config_.faults) schedule_faults();
        audit_again();
        go_on(config_.length);
        make_peace();
        go_on(settling);
        check_liveness();
        stop();
    }

  private:
    static constexpr unsigned loops = 4; ///< a client

    enum class Role : std::uint8_t { master, node, client };

    /// A process, what runs in it, and what is known of it.
    struct Member {
        Role role{};
        std::string address;
        std::uint64_t incarnation = 0;
        std::unique_ptr<Process> process;
        std::unique_ptr<Server> server;
        std::unique_ptr<Node> node;
        std::unique_ptr<Client> client;
        bool ready = false;
        bool starting_again = false;        ///< somebody will
        std::uint64_t stopped = 0;          ///< how often it was paused
        unsigned working = 0;               ///< loops that run on it
        unsigned in_operation = 0;          ///< of those
        std::array<TimePoint, loops> due{}; ///< when what a loop does is too late; the epoch where it does nothing
    };
    using Members = std::vector<std::unique_ptr<Member>>;

    static constexpr Duration settling = std::chrono::seconds{20};
    static constexpr std::uint16_t master_port = 7000;

    // Beginning

    void start() {
        masters_.push_back(make(Role::master, 0));
        for (unsigned i = 0; i < config_.nodes; ++i) nodes_.push_back(make(Role::node, i));
        for (unsigned i = 0; i < config_.clients; ++i) clients_.push_back(make(Role::client, i));
        for (auto* const members : {&masters_, &nodes_, &clients_})
            for (auto& member : *members) launch(*member);
        const auto all_ready = [this] {
            for (auto* const members : {&masters_, &nodes_, &clients_})
                for (auto& member : *members)
                    if (!member->ready) return false;
            return true;
        };
        world_.run(world_.now() + std::chrono::seconds{30}, [&] { return world_.fault().empty() && !all_ready(); });
        if (!all_ready()) world_.report_fault("the cluster did not start");
    }

    std::unique_ptr<Member> make(Role role, unsigned index) {
        auto member = std::make_unique<Member>();
        member->role = role;
        const auto host = (role == Role::master ? 1 : role == Role::node ? 10 : 100) + index;
        member->address = "10.0.0." + std::to_string(host);
        return member;
    }

    /// A new process, as at the beginning or after a crash.
    void launch(Member& member) {
        ++member.incarnation;
        member.ready = false;
        member.process = std::make_unique<Process>(world_, member.address, ++last_process_);
        network_.join(*member.process);
        const auto inside = Environment::Scope(member.process.get());
        auto* const self = &member;
        const auto incarnation = member.incarnation;
        auto ready = [self, incarnation](bool there) {
            if (self->incarnation == incarnation) self->ready = there;
        };
        if (member.role == Role::master) {
            auto config = typename Server::Config();
            config.listen.bind = {member.address, master_port};
            config.log = log_of(member);
            member.server = std::make_unique<Server>(member.process->runtime(), std::move(config));
            member.server->start();
            ready(true);
        } else if (member.role == Role::node) {
            auto config = typename Node::Config();
            config.engine.name = "node-" + member.address;
            config.master.rpc = rpc();
            config.memory = {.bytes = config_.node_bytes,
                             .pages = PageKind::plain,
                             .sharing = ArenaSharing::process,
                             .prefault_threads = 1};
            config.host = member.address;
            config.log = log_of(member);
            member.node = std::make_unique<Node>(member.process->runtime(), std::move(config));
            member.process->start(keep_starting(member.node.get()),
                                  [ready](const Result<void>& started) { ready(started.has_value()); });
        } else {
            open_store(member);
        }
    }

    void open_store(Member& member) {
        member.process->start(open_client(member.process.get(), client_config(member)),
                              [this, self = &member, incarnation = member.incarnation](auto opened) {
                                  if (!opened || self->incarnation != incarnation) return;
                                  self->client = std::move(*opened);
                                  self->ready = true;
                                  for (unsigned i = 0; i < loops; ++i) begin_work(*self, i);
                              });
    }

    /// A client that ends its store, and opens another, while operations of it run.
    void restart(Member& member) {
        if (member.process->dead() || member.process->paused() || !member.ready) return;
        ++member.stopped;
        member.ready = false;
        member.process->start(
            close(member.client.get()), [this, self = &member, incarnation = member.incarnation](const Result<void>&) {
                if (self->incarnation != incarnation) return;
                if (self->in_operation != 0)
                    world_.report_fault("operations of " + self->address + " went on after their store was closed");
                self->client.reset();
                open_store(*self);
            });
    }

    RpcClientConfig rpc() const { return {.server = {masters_.front()->address, master_port}}; }

    typename Client::Config client_config(const Member& member) {
        auto config = typename Client::Config();
        config.engine.name = "client-" + member.address;
        config.engine.log = log_of(member);
        config.master.rpc = rpc();
        return config;
    }

    Log log_of(const Member& member) {
        if (!config_.say) return {};
        return Log([this, address = member.address](Severity, std::string_view sentence) {
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

    // Load

    void begin_work(Member& member, unsigned index) {
        ++member.working;
        member.process->start(
            work(this, &member, index),
            [self = &member, incarnation = member.incarnation](const Result<void>&) {
                if (self->incarnation == incarnation) --self->working;
            },
            index);
    }

    static Task<void> work(ClusterSimulation* self, Member* member, unsigned index) {
        const auto mean = std::chrono::duration_cast<Duration>(
            std::chrono::duration<double>(static_cast<double>(loops) / self->config_.operations_per_second));
        auto pause = Event();
        while (self->working_ && member->ready) {
            co_await pause.wait(Deadline(self->world_.between(Duration::zero(), 2 * mean)));
            if (!self->working_ || !member->ready) break;
            ++self->operations_;
            const auto deadline = self->load_.draw_deadline();
            const auto stopped = member->stopped;
            const auto begun = self->world_.now();
            member->due[index] = begun + deadline + patience;
            const auto cancel_at = self->load_.draw_cancellation();
            auto operation = operate(self, member, Deadline(deadline));
            if (cancel_at.is_never()) (void)co_await std::move(operation);
            else (void)co_await with_deadline(std::move(operation), cancel_at);
            member->due[index] = {};
            const auto took = self->world_.now() - begun;
            if (took > deadline + patience && member->stopped == stopped)
                self->world_.report_fault("an operation of " + member->address + " with " +
                                          std::to_string(deadline.count() / 1'000'000) + " ms to go took " +
                                          std::to_string(took.count() / 1'000'000) + " ms");
        }
        co_return ok;
    }
    static Task<void> operate(ClusterSimulation* self, Member* member, Deadline deadline) {
        ++member->in_operation;
        co_await self->load_.one_operation(*member->client, member->address, deadline);
        --member->in_operation;
        co_return ok;
    }
    static constexpr Duration patience = std::chrono::seconds{3};
    static constexpr Duration overdue = std::chrono::seconds{20}; ///< longer than any outage

    // Audits

    void audit_again() {
        world_.call_after(std::chrono::milliseconds{500}, [this] {
            audit();
            if (!finished_) audit_again();
        });
    }

    /// Looks at the memory of the nodes: every replica that the master offers holds what its writer wrote.
    void audit() {
        for (const auto& member : clients_)
            for (const auto due : member->due)
                if (due != TimePoint() && due + overdue < world_.now() && !member->process->paused())
                    world_.report_fault("an operation of " + member->address + " does not end");
        auto& master = *masters_.front();
        if (master.process->dead() || !world_.fault().empty()) return;
        const auto inside = Environment::Scope(master.process.get());
        auto segments = std::map<std::uint32_t, Node*>();
        for (const auto& info : master.server->master().segments({}).segments)
            for (const auto& member : nodes_)
                if (member->node && !member->process->dead() && !member->node->memory().empty() &&
                    member->node->engine().generation() == info.generation)
                    segments[info.segment] = member->node.get();
        master.server->master().audit([&](const std::string& key, const store::ObjectDescriptor& object) {
            for (const auto& replica : object.replicas) {
                const auto found = segments.find(replica.segment);
                if (found == segments.end()) continue;
                const auto at = replica.offset - found->second->offset();
                const auto bytes = found->second->memory().subspan(at, object.size);
                if (chunk_checksums(bytes) != object.checksums)
                    return world_.report_fault("the bytes of " + key + " changed in the memory of " +
                                               found->second->engine().name() + " after they were committed");
            }
        });
    }

    // Faults

    void schedule_faults() {
        mix_ = FaultMix::draw(world_);
        auto& network = network_.config();
        if (world_.chance(0.5)) network.partial_read = 0.3;
        if (world_.chance(0.5)) network.partial_write = 0.3;
        if (world_.chance(0.3)) network.slow_delivery = 0.002;
        if (world_.chance(0.3)) network.dying = 0.0005;
        if (world_.chance(0.2)) network.latency_most = std::chrono::milliseconds{5};
        // So that frames are half sent.
        if (world_.chance(0.4)) network.buffer = 4 * KiB;
        if (world_.chance(0.4)) network.bytes_per_second = 1e6 * static_cast<double>(1 + world_.below(20));
        if (!mix_.kinds.empty()) return next_fault();
        // A world in which nothing goes wrong, so that whatever fails is our own doing.
        network.slow_delivery = network.dying = 0;
        load_.expect_success(true);
    }
    void next_fault() {
        world_.call_after(world_.between(Duration::zero(), 2 * mix_.pause), [this] {
            if (peace_) return;
            happen(mix_.kinds[world_.below(mix_.kinds.size())]);
            next_fault();
        });
    }

    Member& draw_member(Members& members) { return *members[world_.below(members.size())]; }
    Member& draw_anybody() {
        const auto at = world_.below(masters_.size() + nodes_.size() + clients_.size());
        if (at < masters_.size()) return *masters_[at];
        if (at < masters_.size() + nodes_.size()) return *nodes_[at - masters_.size()];
        return *clients_[at - masters_.size() - nodes_.size()];
    }
    /// Mostly short, sometimes longer than any time to live.
    Duration draw_outage() {
        if (world_.chance(0.6)) return world_.between(std::chrono::milliseconds{1}, std::chrono::milliseconds{1'500});
        return world_.between(std::chrono::milliseconds{500}, std::chrono::seconds{9});
    }

    void happen(Fault fault) {
        world_.note(to_string(fault), {});
        switch (fault) {
        case Fault::pause_node: return pause(draw_member(nodes_));
        case Fault::pause_client: return pause(draw_member(clients_));
        case Fault::pause_master: return pause(draw_member(masters_));
        case Fault::kill_node: return kill(draw_member(nodes_));
        case Fault::kill_client: return kill(draw_member(clients_));
        case Fault::kill_master: return kill(draw_member(masters_));
        case Fault::partition_one_way: return cut(draw_anybody().address, draw_anybody().address, draw_outage());
        case Fault::partition: {
            const auto &one = draw_anybody().address, &other = draw_anybody().address;
            const auto length = draw_outage();
            cut(one, other, length);
            return cut(other, one, length);
        }
        case Fault::isolate: {
            const auto& one = draw_anybody().address;
            const auto length = draw_outage();
            for (const auto& other : addresses()) cut(one, other, length), cut(other, one, length);
            return;
        }
        case Fault::swizzle: {
            auto one = draw_anybody().address;
            for (const auto& other : addresses()) {
                const auto begin = world_.between(Duration::zero(), std::chrono::seconds{2});
                const auto length = world_.between(std::chrono::milliseconds{1}, std::chrono::seconds{4});
                world_.call_after(begin, [this, one, other, length] {
                    if (!peace_) cut(one, other, length);
                });
            }
            return;
        }
        case Fault::clock: {
            auto& member = draw_anybody();
            const auto ahead = world_.between(Duration::zero(), std::chrono::seconds{6});
            const auto rate = 0.95 + 0.1 * static_cast<double>(world_.below(1'000)) / 1'000;
            ++member.stopped; // what it measured meanwhile means nothing
            if (!member.process->dead()) member.process->set_clock(world_.chance(0.5) ? ahead : Duration::zero(), rate);
            return;
        }
        case Fault::restart_client: return restart(draw_member(clients_));
        case Fault::mute_connection: return network_.mute_any();
        case Fault::slow_network:
            network_.config().slowness = 100;
            world_.call_after(draw_outage(), [this] { network_.config().slowness = 1; });
            return;
        }
    }

    std::vector<std::string> addresses() const {
        auto all = std::vector<std::string>();
        for (const auto* const members : {&masters_, &nodes_, &clients_})
            for (const auto& member : *members) all.push_back(member->address);
        return all;
    }

    void pause(Member& member) {
        if (member.process->dead() || member.process->paused()) return;
        ++member.stopped;
        member.process->pause();
        world_.call_after(draw_outage(), [self = &member, incarnation = member.incarnation] {
            if (self->incarnation != incarnation) return;
            ++self->stopped;
            self->process->resume();
        });
    }

    void kill(Member& member) {
        if (member.process->dead()) return;
        ++member.stopped;
        member.process->kill();
        network_.drop(*member.process);
        // Whoever watches over it may be quick: then clients come back with what they began before.
        const auto outage = world_.chance(0.3) ? world_.between({}, std::chrono::milliseconds{20}) : draw_outage();
        world_.call_after(outage, [this, self = &member] { start_again(*self); });
    }
    void start_again(Member& member) {
        if (!member.process->dead()) return;
        abandon(member);
        launch(member);
    }

    void cut(const std::string& from, const std::string& to, Duration length) {
        if (from == to) return;
        network_.block(from, to);
        world_.call_after(length, [this, from, to] { network_.heal(from, to); });
    }

    /// What was in the memory of a process that was killed is leaked.
    void abandon(Member& member) {
        const auto inside = Environment::Scope(member.process.get());
        if (!finished_) member.process->kill();
        if (member.process->dead()) {
            (void)member.server.release();
            (void)member.node.release();
            (void)member.client.release();
        }
        member.server.reset();
        member.node.reset();
        member.client.reset();
        member.working = member.in_operation = 0;
        member.due.fill({});
        // What is due in the world may still name it.
        graveyard_.push_back(std::move(member.process));
    }

    // The end

    void go_on(Duration length) {
        world_.run(world_.now() + length, [this] { return world_.fault().empty(); });
    }

    void make_peace() {
        if (!world_.fault().empty()) return;
        world_.note("peace", {});
        peace_ = true;
        for (const auto& [from, to] : std::set(network_.blocked())) network_.heal(from, to);
        network_.config() = NetworkConfig();
        for (auto* const members : {&masters_, &nodes_, &clients_})
            for (auto& member : *members) {
                ++member->stopped;
                member->process->resume();
                start_again(*member);
            }
    }

    /// Every client can put and get at once, and when nobody does anything any more, nothing is left over.
    void check_liveness() {
        if (!world_.fault().empty()) return;
        working_ = false;
        for (auto& member : clients_) {
            if (!member->ready) return world_.report_fault(member->address + " could not be started again");
            auto lives = Result<void>(Errc::timed_out);
            // A connection that went silent while nobody used it is found out by the first who does.
            for (auto tries = 0; tries < 3 && !lives; ++tries)
                lives = member->process->run(prove_alive(this, member.get()), std::chrono::seconds{5});
            if (!lives)
                return world_.report_fault(member->address +
                                           " does not work after the faults: " + lives.error().message());
        }
        go_on(std::chrono::seconds{15});
        oracle_.check_buffers();
        const auto stats = masters_.front()->server->master().stats();
        const auto left = [&](std::string_view what, std::uint64_t number) {
            if (number != 0) world_.report_fault(std::to_string(number) + " " + std::string(what) + " are left over");
        };
        if (stats.segments != config_.nodes)
            world_.report_fault(std::to_string(stats.segments) + " segments are mounted after the faults");
        left("leases", stats.leases);
        left("bytes being written", stats.writing_bytes);
        left("bytes in quarantine", stats.quarantined_bytes);
        left("keys that somebody waits for", masters_.front()->server->master().keys_waited_for());
        for (auto& member : clients_) left("operations", member->working);
    }

    static Task<void> prove_alive(ClusterSimulation* self, Member* member) {
        const auto key = "alive-" + member->address;
        const auto value = self->oracle_.make_value(key, 1'000);
        const auto put = PutOptions{.deadline = std::chrono::seconds{2}, .replicas = self->config_.replicas};
        const auto done = co_await member->client->put(key, value, put);
        if (!done) co_return done.error();
        const auto get = GetOptions{.deadline = std::chrono::seconds{2}};
        const auto got = co_await member->client->get(key, get);
        if (!got) co_return got.error();
        self->oracle_.check_read(key, *got, member->address);
        co_return ok;
    }

    template <class T>
    static Task<void> close(T* what) {
        co_await what->close();
        co_return ok;
    }

    void stop() {
        if (!world_.fault().empty()) return;
        for (auto* const members : {&clients_, &nodes_, &masters_})
            for (auto& member : *members) {
                auto closed = Result<void>(Errc::closed);
                const auto within = std::chrono::seconds{20};
                if (member->client) closed = member->process->run(close(member->client.get()), within);
                if (member->node) closed = member->process->run(close(member->node.get()), within);
                if (member->server) closed = member->process->run(close(member->server.get()), within);
                if (!closed) return world_.report_fault(member->address + " could not be closed");
            }
        go_on(std::chrono::seconds{1});
        if (const auto sockets = network_.sockets(); sockets != 0)
            return world_.report_fault(std::to_string(sockets) + " sockets are left over");
        finished_ = true;
    }

    ClusterConfig config_;
    World world_;
    Network network_;
    Oracle oracle_;
    Load<Client> load_{world_, oracle_, config_};
    std::vector<std::unique_ptr<Process>> graveyard_;
    Members masters_, nodes_, clients_;
    FaultMix mix_;
    std::uint64_t last_process_ = 0;
    std::uint64_t operations_ = 0;
    bool working_ = true, peace_ = false, finished_ = false;
};

} // namespace mooncake::simulation
