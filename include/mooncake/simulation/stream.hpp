#pragma once

#include <mooncake/core/later.hpp>
#include <mooncake/simulation/network.hpp>

#include <memory>
#include <span>
#include <string>
#include <utility>

namespace mooncake::simulation {

namespace detail {

/// The simulated process that `executor` belongs to. Requires: there is one, and it is on a network.
[[nodiscard]] inline Process& process_of(const Executor& executor) {
    return static_cast<Context&>(asio::query(executor, asio::execution::context)).process();
}

/// A connection in the simulated network, as its owner holds it.
class SimulatedStream {
  public:
    SimulatedStream() = default;
    explicit SimulatedStream(std::shared_ptr<Side> side) noexcept : side_(std::move(side)) {}
    SimulatedStream(SimulatedStream&&) noexcept = default;
    SimulatedStream& operator=(SimulatedStream&& other) noexcept {
        std::swap(side_, other.side_);
        return *this;
    }
    ~SimulatedStream() { close(); }

    template <class Token>
    auto async_read_some(std::span<asio::mutable_buffer> buffers, Token&& token) {
        auto start = [side = side_, buffers](auto handler) {
            side->read_into = buffers;
            begin(side, side->reading, side->read_slot, std::move(handler));
            if (side->closed) Network::complete(side->reading, side->read_slot, asio::error::operation_aborted, 0);
            else side->network.read(*side);
        };
        return asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(std::move(start), token);
    }
    template <class Token>
    auto async_write_some(std::span<asio::const_buffer> buffers, Token&& token) {
        auto start = [side = side_, buffers](auto handler) {
            side->write_from = buffers;
            begin(side, side->writing, side->write_slot, std::move(handler));
            if (side->closed) Network::complete(side->writing, side->write_slot, asio::error::operation_aborted, 0);
            else side->network.write(*side);
        };
        return asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(std::move(start), token);
    }

    void cancel() {
        if (side_) Network::cancel(*side_);
    }
    void cancel(boost::system::error_code&) { cancel(); }
    void close() {
        if (side_ && !side_->process.dead()) side_->network.close(*side_);
    }
    void close(boost::system::error_code&) { close(); }

  private:
    template <class Handler>
    static void begin(const std::shared_ptr<Side>& side, std::unique_ptr<Pending>& pending,
                      asio::cancellation_slot& kept, Handler handler) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        pending = std::make_unique<PendingOf<Handler>>(std::move(handler));
        kept = slot;
        if (!slot.is_connected()) return;
        slot.assign([&pending, weak = std::weak_ptr(side)](asio::cancellation_type) {
            // The slot dies with this handler, so it is not cleared from within.
            const auto alive = weak.lock();
            if (!alive || !pending) return;
            auto mine = std::move(pending);
            auto& operation = *mine;
            operation.complete(std::move(mine), asio::error::operation_aborted, 0);
        });
    }

    std::shared_ptr<Side> side_;
};

class SimulatedListener {
  public:
    SimulatedListener(Process& process, const ListenConfig& config) : door_(std::make_shared<Door>(process)) {
        auto& network = *process.network();
        const auto port = config.bind.port != 0 ? config.bind.port : network.free_port();
        const auto taken = network.door(process.address(), port);
        if (taken && !taken->closed)
            throw_error({Errc::address_in_use, process.address() + ":" + std::to_string(port) + " is taken"});
        endpoint_ = {.host = process.address(), .port = port};
        network.listen(endpoint_.host, port, door_);
        for (const auto& other : process.other_addresses()) network.listen(other, port, door_);
    }

    [[nodiscard]] Endpoint endpoint() const { return endpoint_; }

    Task<Connected<SimulatedStream>> accept(Executor) {
        while (door_->waiting.empty()) {
            if (door_->closed) co_return Errc::closed;
            const auto wake = co_await door_->knocked.wait();
            if (wake == Wake::cancelled) co_return Errc::cancelled;
        }
        auto accepted = Connected<SimulatedStream>();
        accepted.peer = door_->waiting.front()->peer_address + ":1";
        accepted.stream.emplace(std::move(door_->waiting.front()));
        door_->waiting.pop_front();
        co_return accepted;
    }

    void close() {
        door_->closed = true;
        for (const auto& side : std::exchange(door_->waiting, {})) side->network.close(*side);
    }

  private:
    std::shared_ptr<Door> door_;
    Endpoint endpoint_;
};

/// A connection that is being asked for: by a packet that is sent again as long as nothing comes back.
struct Dial : std::enable_shared_from_this<Dial> {
    Dial(Process& of, Endpoint to) : process(of), endpoint(std::move(to)) {}

    Process& process;
    Endpoint endpoint;
    std::shared_ptr<Side> side;
    bool refused = false, given_up = false;
    Event done;

    void send() {
        auto& network = *process.network();
        network.world().call_after(network.latency(), [self = shared_from_this()] { self->arrive(); });
    }
    void arrive() {
        auto& network = *process.network();
        if (given_up || process.dead()) return;
        if (network.is_blocked(process.address(), endpoint.host) ||
            network.is_blocked(endpoint.host, process.address())) {
            network.world().call_after(std::chrono::seconds{1}, [self = shared_from_this()] { self->send(); });
            return;
        }
        const auto door = network.door(endpoint.host, endpoint.port);
        refused = !door || door->closed;
        if (!refused) {
            auto [mine, theirs] = network.make_connection(process, door->process, endpoint.host);
            network.world().note("connect", {process.id(), door->process.id()});
            side = std::move(mine);
            door->waiting.push_back(std::move(theirs));
            door->knocked.set();
        }
        network.world().call_after(network.latency(), [self = shared_from_this()] {
            if (self->given_up && self->side) self->process.network()->close(*self->side);
            if (!self->given_up) self->done.set();
        });
    }
};

} // namespace detail

/// Choose this when: a simulated process connects or listens. The network is its process's.
struct SimulatedNetwork {
    using Stream = detail::SimulatedStream;
    using Incoming = detail::SimulatedStream;
    using Connected = mooncake::Connected<Stream>;
    using Listener = detail::SimulatedListener;

    [[nodiscard]] Listener listen(const Executor& executor, const ListenConfig& config) const {
        return Listener(detail::process_of(executor), config);
    }
    [[nodiscard]] Task<Connected> connect(Executor executor, Endpoint endpoint) const {
        return dial(std::move(executor), std::move(endpoint));
    }
    [[nodiscard]] Task<Connected> accept(Stream stream) const { return greet(std::move(stream)); }

  private:
    static Task<Connected> dial(Executor executor, Endpoint endpoint) {
        const auto dialing = std::make_shared<detail::Dial>(detail::process_of(executor), endpoint);
        dialing->send();
        const auto wake = co_await dialing->done.wait();
        if (wake == Wake::cancelled) {
            dialing->given_up = true;
            if (dialing->side) dialing->process.network()->close(*dialing->side);
            co_return Errc::cancelled;
        }
        if (dialing->refused)
            co_return Error(Errc::unreachable, to_string(endpoint) +
                                                   ": connection refused; is the process there running, "
                                                   "and is the address right?");
        auto connected = Connected();
        connected.stream.emplace(std::move(dialing->side));
        connected.peer = to_string(endpoint);
        co_return connected;
    }
    static Task<Connected> greet(Stream stream) {
        auto connected = Connected();
        connected.stream.emplace(std::move(stream));
        co_return connected;
    }
};

static_assert(StreamPolicy<SimulatedNetwork>);

} // namespace mooncake::simulation
