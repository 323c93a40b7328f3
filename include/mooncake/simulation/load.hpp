#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/core/task.hpp>
#include <mooncake/simulation/history.hpp>
#include <mooncake/simulation/oracle.hpp>
#include <mooncake/simulation/tenants.hpp>
#include <mooncake/store/client/options.hpp>
#include <mooncake/store/client/replica_options.hpp>
#include <mooncake/store/client/view.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::simulation {

struct ClusterConfig {
    unsigned nodes = 4;
    unsigned clients = 6;
    unsigned networks = 1; ///< that nodes are in, at most 16: each is a path to them
    std::uint64_t node_bytes = 2 * MiB;
    std::size_t object_bytes = 16 * KiB; ///< most an object has; half of them have a tenth
    std::uint32_t keys = 1'000;          ///< that clients choose from
    std::uint32_t replicas = 2;
    double operations_per_second = 100; ///< of each client
    double short_deadlines = 0.1;       ///< share of operations that have next to no time
    double cancellations = 0.05;        ///< share of operations that are cancelled
    Duration length = std::chrono::seconds{60};
    bool faults = true;
    bool stranger = true; ///< whether somebody without a key may be in the network: in half of all runs
    bool vary = true;     ///< whether sizes and the number of keys are drawn as well, so that seeds differ in character
    bool tenants = false; ///< whether clients are those of several, and pin: see `TenantRoles`; `vary` says it too
    bool say = false;     ///< whether the programs' logs are printed with the trace
};

/// What clients do: every kind of operation, on keys of which some are wanted more often than others, with more or less time.
/// What they read goes by the oracle. `Client` is a `Store`.
template <class Client>
class Load {
  public:
    /// Lifetime: all of them outlive it.
    Load(World& world, Oracle& oracle, const ClusterConfig& config) : world_(world), oracle_(oracle), config_(config) {}

    Duration draw_deadline() {
        if (world_.chance(config_.short_deadlines))
            return world_.between(std::chrono::milliseconds{1}, std::chrono::milliseconds{300});
        return world_.between(std::chrono::milliseconds{200}, std::chrono::seconds{3});
    }

    /// Some keys are wanted more often than others.
    std::string draw_key(const Client& client) {
        const auto few = TenantRoles::keys_of(client.tenant());
        const auto most = 1 + world_.below(few != 0 ? few : config_.keys);
        return "key-" + std::to_string(world_.below(most));
    }
    std::size_t draw_size(const Client& client) {
        if (TenantRoles::keys_of(client.tenant()) != 0)
            return Oracle::least_bytes + world_.below(std::max<std::size_t>(config_.object_bytes / 10, 1));
        const auto most = world_.chance(0.5) ? config_.object_bytes : config_.object_bytes / 10;
        return Oracle::least_bytes + world_.below(most);
    }

    /// From now on nothing happens to the cluster that could make an operation fail which has time enough.
    void expect_success(bool yes) noexcept { calm_ = yes; }

    /// When an operation that has time enough is cancelled all the same; never, for most.
    Deadline draw_cancellation() {
        if (!world_.chance(config_.cancellations)) return {};
        return world_.between(Duration::zero(), std::chrono::milliseconds{50});
    }

    asio::awaitable<void> one_operation(Client& client, const std::string& address, Deadline deadline) {
        const auto patient = deadline.left(SteadyClock{}.now()) >= std::chrono::milliseconds{500};
        const auto dice = world_.below(100);
        world_.note("operation", {dice});
        auto outcome = Error();
        if (dice < 30) outcome = co_await get(client, address, deadline);
        else if (dice < 35) outcome = co_await get_range(client, address, deadline);
        else if (dice < 40) outcome = co_await compare_and_put(client, address, deadline);
        else if (dice < 70) outcome = co_await put(client, address, deadline);
        else if (dice < 76) outcome = co_await get_batch(client, address, deadline);
        else if (dice < 82) outcome = co_await put_batch(client, deadline);
        else if (dice < 90) outcome = co_await view(client, address, deadline);
        else if (dice < 94) outcome = co_await remove(client, deadline);
        else if (dice < 96) outcome = co_await exists(client, deadline);
        else if (dice < 98 && config_.tenants && world_.chance(0.5)) outcome = co_await pin(client, deadline);
        else if (dice < 98) outcome = co_await change_replicas(client, deadline);
        else outcome = co_await wait_for(client, deadline);
        judge(outcome, patient);
    }

    void judge(const Error& outcome, bool patient) {
        const auto troubled = outcome == Errc::connection_lost || outcome == Errc::unreachable || outcome == Errc::lost;
        if (outcome == Errc::ok) ++successes_;
        else if (calm_ && patient && troubled)
            world_.report_fault("in a world without faults a client was told: " + outcome.message());
        else if (outcome == Errc::corrupt || outcome == Errc::protocol_error)
            world_.report_fault("a client was told: " + outcome.message());
    }

    asio::awaitable<Error> get(Client& client, const std::string& address, Deadline deadline) {
        const auto key = draw_key(client);
        auto into = std::vector<std::byte>(Oracle::least_bytes + config_.object_bytes);
        const auto options = GetOptions{.deadline = deadline};
        const auto begun = world_.now();
        const auto got = co_await client.get_into(key, into, options);
        if (got) saw(whose(client, key), ConstBytes(into).first(*got), begun, address);
        else if (got.error() == Errc::not_found)
            history_.read(whose(client, key), History::nothing, begun, world_.now());
        oracle_.keep_buffer(std::move(into), address);
        co_return got.error();
    }

    asio::awaitable<Error> put(Client& client, const std::string& address, Deadline deadline) {
        const auto key = draw_key(client);
        auto value = oracle_.make_value(whose(client, key), draw_size(client));
        const auto options = draw_put(client, deadline);
        const auto number = Oracle::number_of(value);
        history_.begin_write(whose(client, key), number, world_.now());
        const auto middle = world_.below(value.size());
        const auto pieces = std::vector<ConstBytes>{ConstBytes(value).first(middle), ConstBytes(value).subspan(middle)};
        auto task = world_.chance(0.2) ? client.put_gathered(key, pieces, options) : client.put(key, value, options);
        const auto done = co_await std::move(task);
        if (done && done->stored()) history_.end_write(whose(client, key), number, world_.now());
        // The writer has its memory back, and may do with it what it likes.
        std::fill(value.begin(), value.end(), std::byte{0xee});
        oracle_.keep_buffer(std::move(value), address);
        co_return done.error();
    }

    /// Reads, and replaces what was read.
    asio::awaitable<Error> compare_and_put(Client& client, const std::string& address, Deadline deadline) {
        const auto key = draw_key(client);
        auto into = std::vector<std::byte>(Oracle::least_bytes + config_.object_bytes);
        const auto item = GetItem{.key = key, .into = into};
        const auto reading = GetBatchOptions{.deadline = deadline};
        const auto begun = world_.now();
        const auto got = co_await client.get_batch(std::span(&item, 1), reading);
        if (!got) co_return got.error();
        auto over = History::nothing;
        auto version = std::uint64_t{0};
        if (got->outcomes[0] == Errc::ok) {
            saw(whose(client, key), ConstBytes(into).first(got->sizes[0]), begun, address);
            over = Oracle::number_of(into);
            version = got->versions[0];
        } else if (got->outcomes[0] != Errc::not_found) {
            co_return Errc::ok;
        }
        auto value = oracle_.make_value(whose(client, key), draw_size(client));
        const auto number = Oracle::number_of(value);
        history_.begin_write(whose(client, key), number, world_.now(), over);
        auto writing = PutOptions{.deadline = deadline, .replicas = config_.replicas};
        if (client.tenant() == "vault") writing.pin = store::Pin::hard;
        const auto done = co_await client.compare_and_put(key, version, value, writing);
        if (done) history_.end_write(whose(client, key), number, world_.now());
        std::fill(value.begin(), value.end(), std::byte{0xee});
        oracle_.keep_buffer(std::move(value), address);
        co_return done.error();
    }

    asio::awaitable<Error> get_batch(Client& client, const std::string& address, Deadline deadline) {
        auto keys = std::vector<std::string>();
        auto memory = std::vector<std::vector<std::byte>>();
        auto items = std::vector<GetItem>();
        const auto number = 1 + world_.below(16);
        for (std::size_t i = 0; i < number; ++i) keys.push_back(draw_key(client));
        for (std::size_t i = 0; i < number; ++i) memory.emplace_back(Oracle::least_bytes + config_.object_bytes);
        for (std::size_t i = 0; i < number; ++i) items.push_back({keys[i], memory[i]});
        const auto options = GetBatchOptions{.deadline = deadline};
        const auto begun = world_.now();
        const auto report = co_await client.get_batch(items, options);
        for (std::size_t i = 0; i < number; ++i) {
            if (report && report->outcomes[i] == Errc::ok)
                saw(whose(client, keys[i]), ConstBytes(memory[i]).first(report->sizes[i]), begun, address);
            oracle_.keep_buffer(std::move(memory[i]), address);
        }
        co_return report.error();
    }

    asio::awaitable<Error> put_batch(Client& client, Deadline deadline) {
        auto keys = std::vector<std::string>();
        auto values = std::vector<std::vector<std::byte>>();
        auto items = std::vector<PutItem>();
        const auto number = 1 + world_.below(16);
        for (std::size_t i = 0; i < number; ++i) keys.push_back(draw_key(client));
        for (std::size_t i = 0; i < number; ++i)
            values.push_back(oracle_.make_value(whose(client, keys[i]), draw_size(client)));
        for (std::size_t i = 0; i < number; ++i) items.push_back({keys[i], values[i]});
        const auto options = draw_put(client, deadline);
        for (std::size_t i = 0; i < number; ++i)
            history_.begin_write(whose(client, keys[i]), Oracle::number_of(values[i]), world_.now());
        const auto report = co_await client.put_batch(items, options);
        for (std::size_t i = 0; i < number && report; ++i)
            if (report->outcomes[i] == Errc::ok)
                history_.end_write(whose(client, keys[i]), Oracle::number_of(values[i]), world_.now());
        for (auto& value : values) std::fill(value.begin(), value.end(), std::byte{0xee});
        co_return report.error();
    }

    asio::awaitable<Error> view(Client& client, const std::string& address, Deadline deadline) {
        const auto key = draw_key(client);
        const auto options = ViewOptions{.deadline = deadline};
        const auto begun = world_.now();
        const auto view = co_await client.view(key, options);
        if (view && view->valid()) saw(whose(client, key), view->bytes(), begun, address);
        co_return view.error();
    }

    /// A part of an object, with its beginning: the number there says which value it is of.
    asio::awaitable<Error> get_range(Client& client, const std::string& address, Deadline deadline) {
        const auto key = draw_key(client);
        auto into = std::vector<std::byte>(Oracle::least_bytes);
        const auto options = RangeOptions{.deadline = deadline};
        const auto begun = world_.now();
        const auto got = co_await client.get_range(key, 0, into, options);
        if (got && oracle_.check_beginning(whose(client, key), into, address))
            history_.read(whose(client, key), Oracle::number_of(into), begun, world_.now());
        oracle_.keep_buffer(std::move(into), address);
        co_return got.error();
    }

    asio::awaitable<Error> remove(Client& client, Deadline deadline) {
        const auto key = draw_key(client);
        const auto mode = world_.chance(0.5) ? store::RemoveMode::force : store::RemoveMode::unless_in_use;
        const auto begun = world_.now();
        const auto done = co_await client.remove(key, mode, deadline);
        if (done || done.error() == Errc::not_found)
            history_.read(whose(client, key), History::nothing, begun, world_.now());
        co_return done.error();
    }

    asio::awaitable<Error> exists(Client& client, Deadline deadline) {
        const auto key = draw_key(client);
        const auto begun = world_.now();
        const auto found = co_await client.exists(key, deadline);
        if (found.error() == Errc::not_found) history_.read(whose(client, key), History::nothing, begun, world_.now());
        co_return found.error();
    }

    /// What changes where objects are, and never what they are.
    asio::awaitable<Error> change_replicas(Client& client, Deadline deadline) {
        const auto key = draw_key(client);
        const auto options = ReplicaOptions{.deadline = deadline};
        const auto replicas = static_cast<std::uint32_t>(1 + world_.below(3));
        switch (world_.below(8)) {
        case 0:
        case 1: {
            const auto changed = co_await client.change_replicas(key, replicas, options);
            co_return changed.error();
        }
        case 2: {
            const auto copied = co_await client.copy(key, options);
            co_return copied.error();
        }
        case 3: {
            const auto repaired = co_await client.repair(deadline);
            co_return repaired.error();
        }
        case 4: {
            auto keys = std::vector<std::string>();
            for (auto i = 0; i < 32; ++i) keys.push_back(draw_key(client));
            const auto views = std::vector<std::string_view>(keys.begin(), keys.end());
            const auto changed = co_await client.change_replicas_batch(views, replicas, options);
            co_return changed.error();
        }
        default: break;
        }
        const auto segments = co_await client.segments(deadline);
        if (!segments || segments->empty()) co_return segments.error();
        const auto& segment = (*segments)[world_.below(segments->size())];
        if (world_.chance(0.8)) {
            const auto moved = co_await client.move(key, segment.segment, options);
            co_return moved.error();
        }
        const auto drained = co_await client.drain(segment.name, deadline);
        const auto ended = co_await client.end_drain(segment.name, deadline);
        co_return drained ? ended.error() : drained.error();
    }

    asio::awaitable<Error> pin(Client& client, Deadline deadline) {
        auto keys = std::vector<std::string>();
        for (auto i = 0; i < 4; ++i) keys.push_back(draw_key(client));
        const auto views = std::vector<std::string_view>(keys.begin(), keys.end());
        const auto options = PinOptions{.deadline = deadline,
                                        .pin = draw_pin(client),
                                        .time = world_.between(std::chrono::milliseconds{1}, std::chrono::seconds{5})};
        const auto pinned = co_await client.pin_batch(views, options);
        co_return pinned.error();
    }

    asio::awaitable<Error> wait_for(Client& client, Deadline deadline) {
        const auto key = draw_key(client);
        const auto name = std::string_view(key);
        const auto come = co_await client.wait_for(std::span(&name, 1), deadline);
        co_return come.error();
    }

    [[nodiscard]] std::uint64_t successes() const noexcept { return successes_; }
    [[nodiscard]] History& history() noexcept { return history_; }

  private:
    /// As the oracle and the history know it: tenants have keys of their own.
    static std::string whose(const Client& client, const std::string& key) {
        return client.tenant().empty() ? key : std::string(client.tenant()) + "'s " + key;
    }
    /// What is in the vault is never let go.
    store::Pin draw_pin(const Client& client) {
        if (client.tenant() == "vault") return store::Pin::hard;
        const auto dice = world_.below(10);
        return dice < 4 ? store::Pin::none : dice < 8 ? store::Pin::soft : store::Pin::hard;
    }
    PutOptions draw_put(const Client& client, Deadline deadline) {
        auto options = PutOptions{.deadline = deadline, .replicas = config_.replicas};
        if (client.tenant() == "vault") options.pin = store::Pin::hard;
        else if (config_.tenants && world_.chance(0.1)) options.pin = draw_pin(client);
        if (config_.tenants) options.pin_time = world_.between(std::chrono::milliseconds{1}, std::chrono::seconds{5});
        if (world_.chance(0.4)) options.mode = WriteMode::upsert;
        if (world_.chance(0.1))
            options.time_to_live = world_.between(std::chrono::milliseconds{10}, std::chrono::seconds{5});
        return options;
    }
    void saw(const std::string& key, ConstBytes bytes, TimePoint begun, const std::string& address) {
        if (oracle_.check_read(key, bytes, address)) history_.read(key, Oracle::number_of(bytes), begun, world_.now());
    }

    World& world_;
    Oracle& oracle_;
    const ClusterConfig& config_;
    History history_;
    std::uint64_t successes_ = 0;
    bool calm_ = false;
};

} // namespace mooncake::simulation
