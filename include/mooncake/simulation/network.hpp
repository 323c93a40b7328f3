#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/net/stream.hpp>
#include <mooncake/simulation/process.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::simulation {

/// What a network does to those who use it. Probabilities are for each occasion.
struct NetworkConfig {
    Duration latency_least = std::chrono::microseconds{20}; ///< one way
    Duration latency_most = std::chrono::microseconds{200};
    double slowness = 1;           ///< every latency is that many times as long
    double bytes_per_second = 1e9; ///< of a connection, each way
    std::size_t buffer = 64 * KiB; ///< what the kernels on both ends hold of one direction together
    double partial_write = 0;      ///< fewer bytes are taken than there is room for
    double partial_read = 0;       ///< fewer bytes are given than are there
    double slow_delivery = 0;      ///< a segment, and all behind it, take `slow` longer
    Duration slow = std::chrono::milliseconds{50};
    double dying = 0;                            ///< a segment ends its connection instead of arriving
    Duration silence = std::chrono::seconds{12}; ///< undelivered bytes end a connection after this
};

namespace detail {

/// A read or a write that waits for the network.
struct Pending {
    virtual ~Pending() = default;
    virtual void complete(std::unique_ptr<Pending> self, boost::system::error_code error, std::size_t bytes) = 0;
};

template <class Handler>
struct PendingOf final : Pending {
    explicit PendingOf(Handler h) : handler(std::move(h)), executor(asio::get_associated_executor(handler)) {}
    void complete(std::unique_ptr<Pending> self, boost::system::error_code error, std::size_t bytes) override {
        auto resumed = std::move(handler);
        auto on = std::move(executor);
        self.reset();
        asio::post(on, [resumed = std::move(resumed), error, bytes]() mutable { resumed(error, bytes); });
    }
    Handler handler;
    asio::associated_executor_t<Handler> executor;
};

} // namespace detail

class Network;

namespace detail {

/// One end of a connection, as the kernel of its host has it.
struct Side : std::enable_shared_from_this<Side> {
    Side(Network& in, Process& of) : network(in), process(of) {}

    Network& network;
    Process& process;
    std::weak_ptr<Side> peer; ///< none: its owner has closed it and let go of it
    std::string own_address, peer_address;

    // what comes
    std::vector<std::byte> received;
    std::size_t taken = 0;                   ///< of `received`
    std::size_t on_the_way = 0;              ///< bytes to here that have yet to arrive
    TimePoint last_arrival{};                ///< nothing overtakes on one connection
    std::deque<std::vector<std::byte>> held; ///< arrived while the way was blocked; an empty one is the end
    TimePoint held_since{};
    bool ended = false; ///< the peer has said that nothing more comes
    boost::system::error_code broken;
    bool closed = false;
    bool muted = false; ///< nothing arrives any more, and nobody is told

    std::unique_ptr<Pending> reading, writing;
    std::span<asio::mutable_buffer> read_into;
    std::span<asio::const_buffer> write_from;
    asio::cancellation_slot read_slot, write_slot;

    [[nodiscard]] std::size_t waiting() const noexcept { return received.size() - taken; }
};

/// Where a process listens.
struct Door {
    explicit Door(Process& of) : process(of) {}
    Process& process;
    std::deque<std::shared_ptr<Side>> waiting; ///< connected, and yet to be accepted
    Event knocked;
    bool closed = false;
};

} // namespace detail

/// The network that the simulated processes share, its faults, and the table of who listens where.
class Network {
  public:
    explicit Network(World& world, NetworkConfig config = {}) : world_(world), config_(config) {}
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;

    [[nodiscard]] World& world() const noexcept { return world_; }
    [[nodiscard]] NetworkConfig& config() noexcept { return config_; }

    /// A process joins the network; its sockets find the way here by their executor.
    void join(Process& process) { process.join(this); }

    /// Nothing goes from one address to the other until `heal`. Bytes on their way wait, as in a kernel that repeats them.
    void block(const std::string& from, const std::string& to) {
        if (blocked_.emplace(from, to).second) world_.note("block", {hash_text(from), hash_text(to)});
    }
    void heal(const std::string& from, const std::string& to) {
        if (blocked_.erase({from, to}) == 0) return;
        world_.note("heal", {hash_text(from), hash_text(to)});
        for (const auto& weak : std::vector(sides_))
            if (const auto side = weak.lock()) {
                if (side->peer_address == from && side->own_address == to) release(*side);
            }
    }
    [[nodiscard]] bool is_blocked(const std::string& from, const std::string& to) const {
        return blocked_.contains({from, to});
    }
    [[nodiscard]] const std::set<std::pair<std::string, std::string>>& blocked() const noexcept { return blocked_; }

    /// One direction of some connection carries nothing any more, as behind a middlebox that forgot it.
    void mute_any() {
        std::erase_if(sides_, [](const auto& side) { return side.expired(); });
        if (sides_.empty()) return;
        const auto side = sides_[world_.below(sides_.size())].lock();
        if (side->closed || side->broken || side->process.dead()) return;
        side->muted = true;
        world_.note("mute", {side->process.id(), hash_text(side->peer_address)});
    }

    /// Ends all of a process's sockets, as its kernel does when it is gone.
    void drop(const Process& process) {
        for (const auto& [where, weak] : doors_)
            if (const auto door = weak.lock(); door && &door->process == &process) {
                door->closed = true;
                for (const auto& side : std::exchange(door->waiting, {})) close(*side);
            }
        for (const auto& weak : std::vector(sides_))
            if (const auto side = weak.lock(); side && &side->process == &process) close(*side);
    }

    /// How many ends of connections there are.
    [[nodiscard]] std::size_t sockets() {
        std::erase_if(sides_, [](const auto& side) { return side.expired(); });
        return static_cast<std::size_t>(std::count_if(sides_.begin(), sides_.end(), [](const auto& weak) {
            const auto side = weak.lock();
            return side && !side->closed && !side->broken && !side->process.dead();
        }));
    }

    // For streams and listeners.

    using Side = detail::Side;
    using SidePtr = std::shared_ptr<Side>;

    void listen(const std::string& host, std::uint16_t port, const std::shared_ptr<detail::Door>& door) {
        doors_[{host, port}] = door;
    }
    [[nodiscard]] std::shared_ptr<detail::Door> door(const std::string& host, std::uint16_t port) const {
        const auto found = doors_.find({host, port});
        return found == doors_.end() ? nullptr : found->second.lock();
    }
    [[nodiscard]] std::uint16_t free_port() noexcept { return next_port_++; }

    [[nodiscard]] Duration latency() {
        const auto usual = world_.between(config_.latency_least, config_.latency_most);
        return Duration{static_cast<Duration::rep>(static_cast<double>(usual.count()) * config_.slowness)};
    }

    /// From `a` to `b`, where that has the address `to`.
    [[nodiscard]] std::pair<SidePtr, SidePtr> make_connection(Process& a, Process& b, const std::string& to) {
        auto one = std::make_shared<Side>(*this, a), other = std::make_shared<Side>(*this, b);
        one->peer = other, one->own_address = a.address(), one->peer_address = to;
        other->peer = one, other->own_address = to, other->peer_address = a.address();
        if (sides_.size() > 64 && sides_.size() > 2 * tidied_) {
            std::erase_if(sides_, [](const auto& side) { return side.expired(); });
            tidied_ = sides_.size();
        }
        sides_.push_back(one);
        sides_.push_back(other);
        return {one, other};
    }

    void read(Side& side) {
        if (!side.reading) return;
        if (side.waiting() != 0) return finish_read(side);
        if (side.broken) return complete(side.reading, side.read_slot, side.broken, 0);
        if (side.ended) complete(side.reading, side.read_slot, asio::error::eof, 0);
    }
    void write(Side& side) {
        if (!side.writing) return;
        if (side.broken) return complete(side.writing, side.write_slot, side.broken, 0);
        const auto to = side.peer.lock();
        if (!to || to->closed) return complete(side.writing, side.write_slot, asio::error::broken_pipe, 0);
        const auto used = to->on_the_way + to->waiting();
        if (used >= config_.buffer) return;
        finish_write(side, *to, config_.buffer - used);
    }
    /// Ends what waits, and leaves the connection as it is.
    static void cancel(Side& side) {
        complete(side.reading, side.read_slot, asio::error::operation_aborted, 0);
        complete(side.writing, side.write_slot, asio::error::operation_aborted, 0);
    }
    void close(Side& side) {
        if (std::exchange(side.closed, true)) return;
        cancel(side);
        if (const auto peer = side.peer.lock()) {
            // Bytes that nobody has read make a kernel reset the connection.
            if (peer->muted) break_after(*peer, asio::error::timed_out, config_.silence); // its keepalive finds nobody
            else if (side.waiting() != 0 || side.on_the_way != 0) break_after(*peer, asio::error::connection_reset);
            else deliver(*peer, {});
        }
    }
    /// The connection is gone at both ends, at once.
    void sever(Side& side, boost::system::error_code why) {
        break_now(side, why);
        if (const auto peer = side.peer.lock()) break_now(*peer, why);
    }

    template <class Slot>
    static void complete(std::unique_ptr<detail::Pending>& pending, Slot& slot, boost::system::error_code error,
                         std::size_t bytes) {
        if (!pending) return;
        if (slot.is_connected()) std::exchange(slot, Slot()).clear();
        auto mine = std::move(pending);
        auto& operation = *mine;
        operation.complete(std::move(mine), error, bytes);
    }

  private:
    void finish_read(Side& side) {
        auto most = side.waiting();
        if (most > 1 && world_.chance(config_.partial_read)) most = 1 + world_.below(most);
        auto done = std::size_t{0};
        for (const auto& buffer : side.read_into) {
            const auto bytes = std::min(buffer.size(), most - done);
            if (bytes != 0) std::memcpy(buffer.data(), side.received.data() + side.taken + done, bytes);
            done += bytes;
        }
        side.taken += done;
        if (side.taken == side.received.size()) side.received.clear(), side.taken = 0;
        complete(side.reading, side.read_slot, {}, done);
        if (const auto peer = side.peer.lock()) write(*peer);
    }

    void finish_write(Side& side, Side& to, std::size_t room) {
        auto total = std::size_t{0};
        for (const auto& buffer : side.write_from) total += buffer.size();
        auto most = std::min(room, total);
        if (most > 1 && world_.chance(config_.partial_write)) most = 1 + world_.below(most);
        auto segment = std::vector<std::byte>();
        segment.reserve(most);
        for (const auto& buffer : side.write_from) {
            const auto bytes = std::min(buffer.size(), most - segment.size());
            const auto* const first = static_cast<const std::byte*>(buffer.data());
            segment.insert(segment.end(), first, first + bytes);
        }
        if (!segment.empty()) deliver(to, std::move(segment));
        complete(side.writing, side.write_slot, {}, most);
    }

    /// An empty segment is the end.
    void deliver(Side& to, std::vector<std::byte> segment) {
        to.on_the_way += segment.size();
        auto arrival = world_.now() + latency();
        if (config_.slow_delivery > 0 && world_.chance(config_.slow_delivery)) arrival += config_.slow;
        arrival =
            std::max(arrival, to.last_arrival) +
            Duration{static_cast<Duration::rep>(1e9 * static_cast<double>(segment.size()) / config_.bytes_per_second)};
        to.last_arrival = arrival;
        world_.call_at(arrival, [this, side = to.shared_from_this(), segment = std::move(segment)]() mutable {
            arrive(*side, std::move(segment));
        });
    }

    void arrive(Side& side, std::vector<std::byte> segment) {
        if (side.broken || side.muted) return;
        if (is_blocked(side.peer_address, side.own_address) || !side.held.empty())
            return hold(side, std::move(segment));
        if (config_.dying > 0 && world_.chance(config_.dying)) return sever(side, asio::error::connection_reset);
        accept(side, std::move(segment));
    }

    void hold(Side& side, std::vector<std::byte> segment) {
        if (side.held.empty()) {
            side.held_since = world_.now();
            world_.call_after(config_.silence, [this, weak = side.weak_from_this(), since = side.held_since] {
                const auto held = weak.lock();
                if (held && !held->held.empty() && held->held_since == since) sever(*held, asio::error::timed_out);
            });
        }
        side.held.push_back(std::move(segment));
    }
    void release(Side& side) {
        if (side.held.empty()) return;
        world_.call_after(latency(), [this, side = side.shared_from_this()] {
            if (is_blocked(side->peer_address, side->own_address)) return;
            for (auto& segment : std::exchange(side->held, {})) accept(*side, std::move(segment));
        });
    }

    void accept(Side& side, std::vector<std::byte> segment) {
        if (side.broken) return;
        world_.note("arrive", {side.process.id(), segment.size(), hash_bytes(segment)});
        side.on_the_way -= segment.size();
        if (segment.empty()) {
            side.ended = true;
        } else if (side.closed || side.process.dead()) {
            if (const auto peer = side.peer.lock()) break_after(*peer, asio::error::connection_reset);
            return;
        }
        side.received.insert(side.received.end(), segment.begin(), segment.end());
        read(side);
    }

    void break_now(Side& side, boost::system::error_code why) {
        if (side.broken) return;
        side.broken = why;
        side.held.clear();
        side.received.clear();
        side.taken = 0;
        read(side);
        write(side);
    }
    void break_after(Side& side, boost::system::error_code why, Duration later = {}) {
        world_.call_after(latency() + later, [this, weak = side.weak_from_this(), why] {
            if (const auto broken = weak.lock()) break_now(*broken, why);
        });
    }

    World& world_;
    NetworkConfig config_;
    std::map<std::pair<std::string, std::uint16_t>, std::weak_ptr<detail::Door>> doors_;
    std::set<std::pair<std::string, std::string>> blocked_;
    std::vector<std::weak_ptr<Side>> sides_;
    std::size_t tidied_ = 0;
    std::uint16_t next_port_ = 30'000;
};

} // namespace mooncake::simulation
