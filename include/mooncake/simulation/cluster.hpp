#pragma once

#include <mooncake/core/with_deadline.hpp>
#include <mooncake/simulation/faults.hpp>
#include <mooncake/simulation/load.hpp>
#include <mooncake/simulation/members.hpp>
#include <mooncake/simulation/oracle.hpp>
#include <mooncake/simulation/stranger.hpp>
#include <mooncake/simulation/tenants.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::simulation {

/// A cluster of real masters, nodes and clients in a simulated world, under load and faults, and the promises that are
/// checked meanwhile. One object is one run.
///
/// `Traits`: the master's, with policies of your own if you like. Thread: one.
template <MasterTraitsLike Traits = DefaultMasterTraits>
class ClusterSimulation {
  public:
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
        config_.tenants |= seed % 4 == 0; // and not drawn: the other runs are what they are without
    }

    ClusterSimulation(const ClusterSimulation&) = delete;
    ClusterSimulation& operator=(const ClusterSimulation&) = delete;

    [[nodiscard]] World& world() noexcept { return world_; }
    [[nodiscard]] std::uint64_t operations() const noexcept { return operations_; }
    [[nodiscard]] std::uint64_t successes() const noexcept { return load_.successes(); }

    /// The whole run: start, load under faults, then peace, in which everything must work again and nothing be left over.
    /// The world has the fault, if there was one.
    void run() {
        members_.start();
        if (world_.fault().empty() && config_.faults) schedule_faults();
        if (world_.fault().empty() && config_.stranger && world_.chance(0.5)) let_stranger_in();
        audit_again();
        go_on(config_.length);
        make_peace();
        go_on(settling);
        check_liveness();
        stop();
    }

  private:
    using Member = simulation::Member<Traits>;
    using Client = typename Member::Client;
    using Node = typename Member::Node;
    using Engine = TransferEngine<SimulatedEngineTraits>;

    static constexpr auto loops = Member::loops;
    static constexpr Duration settling = std::chrono::seconds{20};

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

    // The stranger

    void let_stranger_in() {
        stranger_.emplace(world_, network_, "10.0.0.250", 1'000'000, [this] {
            auto targets = std::vector<typename Stranger<Engine>::Target>();
            const auto& master = members_.master();
            if (!master.process->dead()) targets.push_back({.endpoint = master.server->endpoint()});
            for (const auto& member : members_.nodes()) {
                if (!member->ready || member->process->dead() || member->node->memory().empty()) continue;
                const auto& engine = member->node->engine();
                targets.push_back({.locator = engine.locator(),
                                   .generation = engine.generation(),
                                   .offset = member->node->offset(),
                                   .bytes = member->node->memory().size()});
            }
            return targets;
        });
    }

    // Audits

    void audit_again() {
        world_.call_after(std::chrono::milliseconds{500}, [this] {
            audit();
            if (!finished_) audit_again();
        });
    }

    /// Looks at the memory of the nodes: every replica that the master offers holds what its writer wrote.
    void audit() {
        for (const auto& member : members_.clients())
            for (const auto due : member->due)
                if (due != TimePoint() && due + overdue < world_.now() && !member->process->paused())
                    world_.report_fault("an operation of " + member->address + " does not end");
        auto& master = members_.master();
        if (master.process->dead() || !world_.fault().empty()) return;
        const auto inside = Environment::Scope(master.process.get());
        check_tenants(world_, master.server->master());
        auto segments = std::map<std::uint32_t, Node*>();
        for (const auto& info : master.server->master().handle(store::Segments{}).value().segments)
            for (const auto& member : members_.nodes())
                if (member->node && !member->process->dead() && !member->node->memory().empty() &&
                    member->node->engine().generation() == info.generation)
                    segments[info.segment] = member->node.get();
        master.server->master().audit([&](std::string_view key, const store::ObjectDescriptor& object) {
            for (const auto& replica : object.replicas) {
                const auto found = segments.find(replica.segment);
                if (found == segments.end()) continue;
                const auto at = replica.offset - found->second->offset();
                const auto bytes = found->second->memory().subspan(at, object.size);
                if (chunk_checksums(bytes) != object.checksums)
                    return world_.report_fault("the bytes of " + std::string(key) + " changed in the memory of " +
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

    template <class Group>
    Member& draw(Group& group) {
        return *group[world_.below(group.size())];
    }

    void happen(Fault fault) {
        world_.note(to_string(fault), {});
        switch (fault) {
        case Fault::pause_node: return members_.pause(draw(members_.nodes()));
        case Fault::pause_client: return members_.pause(draw(members_.clients()));
        case Fault::pause_master: return members_.pause(draw(members_.masters()));
        case Fault::kill_node: return members_.kill(draw(members_.nodes()));
        case Fault::kill_client: return members_.kill(draw(members_.clients()));
        case Fault::kill_master: return members_.kill(draw(members_.masters()));
        case Fault::partition_one_way: {
            // One after the other: compilers differ in the order of arguments.
            const auto length = draw_outage(world_);
            const auto &to = members_.draw_anybody().address, &from = members_.draw_anybody().address;
            return cut(from, to, length);
        }
        case Fault::partition: {
            const auto &one = members_.draw_anybody().address, &other = members_.draw_anybody().address;
            const auto length = draw_outage(world_);
            cut(one, other, length);
            return cut(other, one, length);
        }
        case Fault::isolate: {
            const auto& one = members_.draw_anybody().address;
            const auto length = draw_outage(world_);
            for (const auto& other : members_.addresses()) cut(one, other, length), cut(other, one, length);
            return;
        }
        case Fault::swizzle: {
            auto one = members_.draw_anybody().address;
            for (const auto& other : members_.addresses()) {
                const auto begin = world_.between(Duration::zero(), std::chrono::seconds{2});
                const auto length = world_.between(std::chrono::milliseconds{1}, std::chrono::seconds{4});
                world_.call_after(begin, [this, one, other, length] {
                    if (!peace_) cut(one, other, length);
                });
            }
            return;
        }
        case Fault::clock: {
            auto& member = members_.draw_anybody();
            const auto ahead = world_.between(Duration::zero(), std::chrono::seconds{6});
            const auto rate = 0.95 + 0.1 * static_cast<double>(world_.below(1'000)) / 1'000;
            ++member.stopped; // what it measured meanwhile means nothing
            if (!member.process->dead()) member.process->set_clock(world_.chance(0.5) ? ahead : Duration::zero(), rate);
            return;
        }
        case Fault::restart_client: return members_.restart(draw(members_.clients()));
        case Fault::restart_node: return members_.restart(draw(members_.nodes()));
        case Fault::restart_master: return members_.restart(draw(members_.masters()));
        case Fault::refuse_memory: return members_.refuse_memory(draw(members_.nodes()));
        case Fault::mute_connection: return network_.mute_any();
        case Fault::slow_network:
            network_.config().slowness = 100;
            world_.call_after(draw_outage(world_), [this] { network_.config().slowness = 1; });
            return;
        }
    }

    void cut(const std::string& from, const std::string& to, Duration length) {
        if (from == to) return;
        network_.block(from, to);
        world_.call_after(length, [this, from, to] { network_.heal(from, to); });
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
        members_.for_each([this](Member& member) {
            ++member.stopped;
            member.process->resume();
            members_.have_memory(member, true);
            members_.start_again(member);
        });
    }

    /// Every client can put and get at once, and when nobody does anything any more, nothing is left over.
    void check_liveness() {
        if (!world_.fault().empty()) return;
        working_ = false;
        end_drains();
        if (stranger_ && !stranger_->leave()) return world_.report_fault("the stranger was not let go");
        for (auto& member : members_.clients()) {
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
        if (const auto fault = load_.history().fault(); !fault.empty())
            world_.report_fault("clients saw that " + fault);
        const auto stats = members_.master().server->master().stats();
        const auto left = [&](std::string_view what, std::uint64_t number) {
            if (number != 0) world_.report_fault(std::to_string(number) + " " + std::string(what) + " are left over");
        };
        if (stats.segments != config_.nodes)
            world_.report_fault(std::to_string(stats.segments) + " segments are mounted after the faults");
        left("leases", stats.leases);
        left("bytes being written", stats.writing_bytes);
        left("bytes in quarantine", stats.quarantined_bytes);
        left("objects with too few replicas", count_hurt());
        left("keys that somebody waits for", members_.master().server->master().keys_waited_for());
        for (auto& member : members_.clients()) left("operations", member->working);
    }

    /// Whoever began a drain may have died before he ended it.
    void end_drains() {
        auto& master = members_.master().server->master();
        const auto inside = Environment::Scope(members_.master().process.get());
        for (const auto& info : master.handle(store::Segments{}).value().segments)
            (void)master.handle(
                store::Drain{.segment = info.segment, .generation = info.generation, .mode = store::DrainMode::end});
    }
    [[nodiscard]] std::uint64_t count_hurt() {
        auto hurt = std::uint64_t{0};
        auto survey = store::Survey();
        const auto inside = Environment::Scope(members_.master().process.get());
        do {
            const auto page = members_.master().server->master().handle(survey).value();
            hurt += page.objects.size();
            survey.from = page.next;
        } while (survey.from != 0);
        return hurt;
    }

    static Task<void> prove_alive(ClusterSimulation* self, Member* member) {
        const auto key = "alive-" + member->address;
        const auto value = self->oracle_.make_value(key, 1'000);
        if (member->tenant == "limited" || member->tenant == "vault") { // may have pinned all that they may have
            const auto time = Deadline(std::chrono::seconds{2});
            const auto removed = co_await member->client->remove_prefix("key-", store::RemoveMode::force, time);
            if (!removed) co_return removed.error();
        }
        auto put = PutOptions{.deadline = std::chrono::seconds{2}, .replicas = self->config_.replicas};
        if (member->tenant == "vault") put.pin = store::Pin::hard; // nothing of it is ever let go
        const auto done = co_await member->client->put(key, value, put);
        if (!done) co_return done.error();
        const auto get = GetOptions{.deadline = std::chrono::seconds{2}};
        const auto got = co_await member->client->get(key, get);
        if (!got) co_return got.error();
        self->oracle_.check_read(key, *got, member->address);
        co_return ok;
    }

    void stop() {
        if (!world_.fault().empty()) return;
        members_.close_all();
        if (!world_.fault().empty()) return;
        go_on(std::chrono::seconds{1});
        if (const auto sockets = network_.sockets(); sockets != 0)
            return world_.report_fault(std::to_string(sockets) + " sockets are left over");
        finished_ = true;
        members_.finished();
    }

    ClusterConfig config_;
    World world_;
    Network network_;
    Oracle oracle_;
    Load<Client> load_{world_, oracle_, config_};
    FaultMix mix_;
    std::uint64_t operations_ = 0;
    std::optional<Stranger<Engine>> stranger_;
    bool working_ = true, peace_ = false, finished_ = false;
    Members<Traits> members_{world_, network_, config_, [this](Member& member) {
                                 for (unsigned i = 0; i < loops; ++i) begin_work(member, i);
                             }};
};

} // namespace mooncake::simulation
