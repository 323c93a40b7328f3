#pragma once

#include <mooncake/core/hash.hpp>
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/memory/region_table.hpp>
#include <mooncake/net/lane_slot.hpp>
#include <mooncake/net/plain_tcp.hpp>
#include <mooncake/net/server.hpp>
#include <mooncake/net/shared_links.hpp>
#include <mooncake/transport/concept.hpp>
#include <mooncake/transport/tcp_config.hpp>
#include <mooncake/transport/tcp_service.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace mooncake {

namespace transport::detail {

/// The lanes to one peer.
template <StreamPolicy P>
struct TcpPeer {
    TcpPeer(Runtime& runtime, const LaneConfig& config, unsigned lanes, const P& stream, net::detail::LanePool<>& pool)
        : generation(config.hello.generation) {
        for (unsigned i = 0; i < lanes; ++i)
            slots.emplace_back(runtime.next_executor(), config, BackoffConfig(), stream, &pool);
    }
    asio::awaitable<void> close() {
        for (auto& slot : slots) co_await slot.close();
    }
    const std::uint64_t generation;
    std::deque<LaneSlot<P>> slots;
};

/// The part of a group that one frame carries.
template <class Void = void> // so that only who uses tcp pays for compiling its codec
struct BasicTcpFrame {
    LaneOperation operation;
    std::span<Slice> slices;
    std::vector<ConstBytes> sources;
    Direction direction = Direction::read;

    /// Cuts `slices` off the front of `rest`, at most `bytes` bytes but at least one slice.
    void take(std::span<Slice>& rest, std::uint64_t bytes, Direction way, std::uint64_t generation) {
        auto request = TcpRequest{.generation = generation, .slices = {}};
        auto sum = std::uint64_t{0};
        auto count = std::size_t{0};
        while (count < rest.size() && count < TcpService::most_slices &&
               (count == 0 || sum + rest[count].length <= bytes))
            sum += rest[count++].length;
        slices = rest.first(count);
        rest = rest.subspan(count);
        direction = way;
        request.slices.reserve(count);
        if (way == Direction::write) sources.reserve(count);
        else operation.sinks.reserve(count);
        for (auto& slice : slices) {
            request.slices.push_back({slice.remote, slice.length, slice.key, slice.epoch});
            if (way == Direction::write) sources.emplace_back(slice.local, slice.length);
            else operation.sinks.emplace_back(slice.local, slice.length);
        }
        operation.method = static_cast<std::uint32_t>(way == Direction::write ? TcpMethod::write : TcpMethod::read);
        encode(request, operation.meta);
        operation.payload = sources;
        operation.prepare = &prepare;
        operation.owner = this;
    }

    /// The reply's outcomes come before its payload and say which slices are in it.
    static Errc prepare(LaneOperation& operation) {
        auto& frame = *static_cast<BasicTcpFrame*>(operation.owner);
        if (operation.status != 0) {
            set_outcome(frame.slices, errc_from_wire(operation.status));
            operation.sinks.clear();
            return Errc::ok;
        }
        const auto reply = decode<TcpReply>(operation.reply);
        if (!reply || (!reply->outcomes.empty() && reply->outcomes.size() != frame.slices.size()))
            return Errc::protocol_error;
        operation.sinks.clear();
        for (std::size_t i = 0; i < frame.slices.size(); ++i) {
            auto& slice = frame.slices[i];
            slice.outcome = reply->outcomes.empty() ? Errc::ok : errc_from_wire(reply->outcomes[i]);
            if (frame.direction == Direction::read && slice.outcome == Errc::ok)
                operation.sinks.emplace_back(slice.local, slice.length);
        }
        return Errc::ok;
    }
};

using TcpFrame = BasicTcpFrame<>;

} // namespace transport::detail

/// Choose this when: a network lies in between. Each peer has a few lanes, on which any number of frames are on their way
/// at once; a frame carries up to 1 MiB of slices, gathered from and scattered into registered memory without another copy.
template <class P>
class TcpTransport {
    static_assert(StreamPolicy<P>);

  public:
    static constexpr std::string_view name = "tcp";
    static constexpr unsigned cost = 10;
    static constexpr auto capabilities =
        TransportCapabilities{.notifies = true, .several_paths = true, .carries = true};

    using Config = BasicTcpTransportConfig<P>;
    using Link = std::shared_ptr<transport::detail::TcpPeer<P>>;

    explicit TcpTransport(TransportContext context, Config config = {})
        : context_(std::move(context)), config_(checked(std::move(config))),
          service_(context_.regions, context_.inbox, context_.handshakes),
          server_(context_.runtime, service_, server_config(), config_.stream), tidying_(context_.runtime.executor()),
          pool_(config_.most_lanes, config_.idle), links_(context_.runtime.next_executor(), 0) {}

    void start() {
        server_.start();
        (void)tidying_.spawn(tidy(this));
    }

    [[nodiscard]] std::string describe() const { return to_string(server_.endpoint()); }
    [[nodiscard]] std::vector<std::string> describe_others() const {
        auto all = std::vector<std::string>();
        for (const auto& host : config_.other_hosts) all.push_back(to_string(Endpoint{host, server_.endpoint().port}));
        return all;
    }
    [[nodiscard]] bool reaches(std::string_view description) const { return parse_endpoint(description).has_value(); }
    /// See `SeveralPathsTransport`.
    [[nodiscard]] std::vector<std::string> ways(const std::string& description) const {
        auto all = std::vector<std::string>();
        const auto v6 = description.starts_with('[');
        for (const auto& from : config_.from_hosts)
            if (v6 == (from.find(':') != std::string::npos)) all.push_back(description + std::string(way_from) + from);
        if (all.empty()) all.push_back(description);
        return all;
    }

    /// Connects lazily: the first transfer finds out whether somebody is there. Whoever uses the same peer shares its lanes.
    Task<Link> connect(PeerDescription peer, Deadline) {
        const auto from = std::min(peer.description.find(way_from), peer.description.size());
        auto endpoint = parse_endpoint(std::string_view(peer.description).substr(0, from));
        if (!endpoint) co_return endpoint.error();
        if (from != peer.description.size()) endpoint->from = peer.description.substr(from + way_from.size());
        auto config = LaneConfig{.peer = std::move(*endpoint),
                                 .hello = {.service = "transfer", .generation = peer.generation},
                                 .connect_within = config_.connect_within,
                                 .check_frames = config_.check_frames};
        auto link = links_.find_or_make({std::move(peer.description), peer.generation}, [&] {
            return std::make_shared<transport::detail::TcpPeer<P>>(context_.runtime, config, config_.lanes,
                                                                   config_.stream, pool_);
        });
        if (!link) co_return Errc::closed;
        co_return link;
    }

    Task<void> transfer(Link link, SliceGroup group) {
        using Lane = mooncake::Lane<P>;
        if (group.direction == Direction::write && group.digest == Digest::xxh3) digest(group);
        auto frames = std::deque<transport::detail::TcpFrame>();
        for (auto rest = group.slices; !rest.empty();)
            frames.emplace_back().take(rest, config_.frame_bytes, group.direction, link->generation);
        auto latch = net::detail::Latch(frames.size());
        auto tickets = std::vector<typename Lane::Ticket>();
        tickets.reserve(frames.size());
        for (auto& frame : frames) {
            frame.operation.latch = &latch;
            frame.operation.deadline = group.deadline;
            frame.operation.priority = group.priority;
            auto ticket = submit_to(idlest(*link), frame.operation, group.deadline);
            if (ticket) {
                tickets.push_back(std::move(*ticket));
            } else {
                frame.operation.error = ticket.error();
                latch.count_down();
            }
        }
        if (!frames.empty()) co_await Lane::wait_all(tickets, latch, group.deadline);
        auto failure = Error();
        const auto over = SteadyClock{}.now();
        for (auto& frame : frames) {
            auto& error = frame.operation.error;
            note_wait(frame, over);
            if (error == Errc::ok) continue;
            set_outcome(frame.slices, error.code());
            if (frame.operation.maybe_sent)
                for (auto& slice : frame.slices) slice.settled = false;
            if (!(error == Errc::cancelled) && !(error == Errc::timed_out)) failure = std::move(error);
        }
        if (group.direction == Direction::read && group.digest == Digest::xxh3) digest(group);
        if (!(failure == Errc::ok)) co_return failure;
        co_return ok;
    }

    /// See `NotifyingTransport`.
    Task<void> notify(Link link, Notification notification, std::uint64_t key, Deadline deadline) {
        const auto notice = transport::detail::TcpNotice{.generation = link->generation,
                                                         .offset = notification.offset,
                                                         .length = notification.length,
                                                         .key = key,
                                                         .from = std::move(notification.from),
                                                         .text = std::move(notification.text)};
        const auto said = co_await call<transport::detail::TcpReply>(link, Method::notify, encoded(notice), deadline);
        if (!said) co_return said.error();
        if (said->outcomes.size() != 1)
            co_return Error(Errc::protocol_error, "the answer to a notification has no outcome");
        const auto outcome = errc_from_wire(said->outcomes.front());
        if (outcome != Errc::ok) co_return outcome;
        co_return ok;
    }

    /// See `CarryingTransport`.
    Task<std::string> ask(Link link, std::string transport, std::string question, Deadline deadline) {
        const auto asked = transport::detail::TcpHandshake{
            .generation = link->generation, .transport = std::move(transport), .question = std::move(question)};
        auto answer =
            co_await call<transport::detail::TcpHandshakeReply>(link, Method::handshake, encoded(asked), deadline);
        if (!answer) co_return answer.error();
        const auto outcome = errc_from_wire(answer->outcome);
        if (outcome != Errc::ok) co_return Error(outcome, std::move(answer->text));
        co_return std::move(answer->text);
    }

    asio::awaitable<void> close() {
        co_await tidying_.close();
        co_await links_.close();
        co_await server_.close();
    }

  private:
    using Method = transport::detail::TcpMethod;

    static constexpr std::string_view way_from = " from "; ///< between the peer's address and the own

    template <class Message>
    static std::string encoded(const Message& message) {
        auto text = std::string();
        encode(message, text);
        return text;
    }

    /// A request without payload. Errors: those of the lane, what the peer says, `protocol_error`.
    template <class Reply>
    Task<Reply> call(Link link, Method method, std::string message, Deadline deadline) {
        using Lane = mooncake::Lane<P>;
        auto latch = net::detail::Latch(1);
        auto operation = LaneOperation();
        operation.method = static_cast<std::uint32_t>(method);
        operation.meta = std::move(message);
        operation.latch = &latch;
        operation.deadline = deadline;
        const auto ticket = idlest(*link).submit(operation, deadline);
        if (!ticket) co_return ticket.error();
        co_await Lane::wait_all(std::span(&*ticket, 1), latch, deadline);
        if (!(operation.error == Errc::ok)) co_return std::move(operation.error);
        if (operation.status != 0) co_return errc_from_wire(operation.status);
        auto reply = decode<Reply>(operation.reply);
        if (!reply) co_return Error(Errc::protocol_error, "an answer of the transfer service could not be decoded");
        co_return std::move(*reply);
    }

    static Config checked(Config config) {
        if (config.lanes < 1 || config.lanes > 64)
            throw_error({Errc::invalid_argument,
                         "TcpTransportConfig::lanes is " + std::to_string(config.lanes) + "; give 1 to 64"});
        if (config.frame_bytes < 4 * KiB || config.frame_bytes > 1 * GiB)
            throw_error({Errc::invalid_argument, "TcpTransportConfig::frame_bytes is " +
                                                     std::to_string(config.frame_bytes) + "; give 4 KiB to 1 GiB"});
        if (config.idle < std::chrono::milliseconds{10} || config.idle > std::chrono::hours{24 * 365})
            throw_error({Errc::invalid_argument, "TcpTransportConfig::idle is " + std::to_string(config.idle.count()) +
                                                     " ms; give 10 ms to a year"});
        if (config.most_lanes < 1)
            throw_error({Errc::invalid_argument, "TcpTransportConfig::most_lanes is 0; give at least 1"});
        if (config.other_hosts.size() > 15)
            throw_error({Errc::invalid_argument, "TcpTransportConfig::other_hosts has " +
                                                     std::to_string(config.other_hosts.size()) + "; give at most 15"});
        if (config.from_hosts.size() > 16)
            throw_error({Errc::invalid_argument, "TcpTransportConfig::from_hosts has " +
                                                     std::to_string(config.from_hosts.size()) + "; give at most 16"});
        for (const auto& host : config.from_hosts) {
            auto wrong = boost::system::error_code();
            (void)asio::ip::make_address(host, wrong);
            if (wrong)
                throw_error({Errc::invalid_argument,
                             "TcpTransportConfig::from_hosts: " + in_quotes(host, 256) + " is no IP address"});
        }
        for (const auto& host : config.other_hosts)
            if (const auto address = parse_endpoint(to_string(Endpoint{host, 1})); !address)
                throw_error({Errc::invalid_argument,
                             "TcpTransportConfig::other_hosts: " + std::string(address.error().context())});
        return config;
    }

    ServerConfig server_config() const {
        return {.listen = config_.listen, .connection = config_.connection, .log = context_.log};
    }

    /// Closes the lanes that nobody uses, and lets go of the peers.
    static Task<void> tidy(TcpTransport* self) {
        for (;;) {
            const auto wake = co_await self->pool_.wait();
            if (wake == Wake::cancelled) co_return ok;
            if (wake == Wake::set) continue;
            try {
                self->pool_.look();
                self->links_.retire_unused();
            } catch (const std::bad_alloc&) { // the next look does it
            }
        }
    }

    /// What throws on the way in, such as the memory for a lane, is the request's error: others of its group are under way.
    static Result<typename Lane<P>::Ticket> submit_to(LaneSlot<P>& slot, LaneOperation& operation, Deadline deadline) {
        try {
            return slot.submit(operation, deadline);
        } catch (const std::bad_alloc&) {
            return Error(Errc::out_of_memory, "there is no memory for a request to a peer");
        }
    }

    static LaneSlot<P>& idlest(transport::detail::TcpPeer<P>& peer) {
        auto* best = &peer.slots.front();
        auto least = std::numeric_limits<std::uint64_t>::max();
        for (auto& slot : peer.slots) {
            const auto bytes = slot.bytes_in_flight();
            if (bytes == 0 && slot.runs_here()) return slot; // no other thread has to be woken
            if (bytes < least) best = &slot, least = bytes;
        }
        return *best;
    }

    static void note_wait(const transport::detail::TcpFrame& frame, TimePoint over) noexcept {
        const auto& operation = frame.operation;
        if (operation.standing.since == TimePoint()) return; // no lane had it
        const auto left_at = operation.maybe_sent ? operation.left_at : over;
        const auto queued = in_microseconds(left_at - operation.standing.since);
        for (auto& slice : frame.slices) slice.queued_us = queued;
    }

    static void digest(const SliceGroup& group) noexcept {
        for (auto& slice : group.slices) slice.digest = hash_bytes({slice.local, slice.length});
    }

    const TransportContext context_;
    const Config config_;
    transport::detail::TcpService service_;
    Server<P> server_;
    TaskScope tidying_;
    net::detail::LanePool<> pool_;
    net::detail::SharedLinks<std::pair<std::string, std::uint64_t>, transport::detail::TcpPeer<P>>
        links_; ///< by address and generation
};

} // namespace mooncake
