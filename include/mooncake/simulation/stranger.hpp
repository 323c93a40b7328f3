#pragma once

#include <mooncake/engine/batch.hpp>
#include <mooncake/simulation/process.hpp>
#include <mooncake/simulation/stream.hpp>
#include <mooncake/transport/tcp_service.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::simulation {

/// Somebody in the network who has no key: he reads and writes what is not his with keys that he made up, says half of
/// things, announces what he never sends, and falls silent. It is a fault when he gets, or changes, a byte; what else
/// may not happen for his sake the others find out. `Engine` is a `TransferEngine` over the simulated network.
/// Thread: the world's.
template <class Engine>
class Stranger {
  public:
    /// What everybody can know of a server.
    struct Target {
        std::string locator = {};     ///< of its segment; empty: it has none
        Endpoint endpoint = {};       ///< where it listens, if it has no segment that says so
        std::uint64_t generation = 0; ///< of its segment
        std::uint64_t offset = 0, bytes = 0;
    };

    /// `targets()`: whoever listens just now. Lifetime: the world and the network outlive it.
    Stranger(World& world, Network& network, std::string address, std::uint64_t id,
             std::function<std::vector<Target>()> targets)
        : world_(world), targets_(std::move(targets)),
          process_(std::make_unique<Process>(world, std::move(address), id)) {
        network.join(*process_);
        const auto inside = Environment::Scope(process_.get());
        auto config = typename Engine::Config();
        config.name = "stranger";
        engine_ = std::make_unique<Engine>(process_->runtime(), std::move(config));
        for (std::size_t i = 0; i < hands; ++i) {
            ++busy_;
            process_->start(work(this), [this](const Result<void>&) { --busy_; }, i);
        }
    }
    Stranger(const Stranger&) = delete;
    Stranger& operator=(const Stranger&) = delete;
    ~Stranger() {
        const auto inside = Environment::Scope(process_.get());
        if (!gone_) {
            process_->kill();
            (void)engine_.release();
        }
        engine_.reset();
    }

    /// He lets go of everything. False: he was not let go.
    [[nodiscard]] bool leave() {
        going_ = true;
        world_.run(world_.now() + std::chrono::seconds{30}, [this] { return busy_ != 0; });
        gone_ = busy_ == 0 && process_->run(close(engine_.get()), std::chrono::seconds{20}).has_value();
        return gone_;
    }

  private:
    static constexpr std::size_t hands = 4; ///< things that he does at once
    static constexpr Duration second = std::chrono::seconds{1};

    static Task<void> close(Engine* engine) {
        co_await engine->close();
        co_return ok;
    }

    static Task<void> work(Stranger* self) {
        auto pause = Event();
        while (!self->going_) {
            co_await pause.wait(Deadline(self->world_.between(Duration::zero(), second)));
            const auto targets = self->targets_();
            if (self->going_ || targets.empty()) continue;
            const auto& target = targets[self->world_.below(targets.size())];
            if (!target.locator.empty() && self->world_.chance(0.5)) co_await self->guess(target);
            else co_await self->be_rude(target);
        }
        co_return ok;
    }

    /// Reads and writes with keys that he made up.
    asio::awaitable<void> guess(Target target) {
        const auto segment = co_await engine_->open(target.locator, Deadline(second));
        if (!segment) co_return;
        auto memory = std::vector<std::byte>(1 + world_.below(4 * KiB), std::byte{0x66});
        auto batch = typename Engine::Batch(*engine_);
        const auto length = std::min<std::uint64_t>(memory.size(), target.bytes);
        for (auto i = 0; i < 4; ++i) {
            const auto offset = target.offset + world_.below(target.bytes - length + 1);
            const auto key = world_.chance(0.2) ? 0 : world_.chance(0.2) ? world_.below(4) : world_.draw();
            const auto bytes = std::span(memory).first(length);
            if (world_.chance(0.5)) batch.read(bytes, *segment, offset, key);
            else batch.write(bytes, *segment, offset, key, world_.below(1'000));
        }
        const auto options = TransferOptions{.deadline = Deadline(second)};
        const auto report = co_await batch.submit(options);
        if (!report) co_return;
        for (const auto& request : report->requests)
            if (request.outcome == Errc::ok)
                world_.report_fault("somebody without a key read, or wrote, bytes of " + target.locator);
        for (const auto byte : memory)
            if (byte != std::byte{0x66}) world_.report_fault("somebody without a key got bytes of " + target.locator);
    }

    /// Says something that is not, or not all, of the protocol, and then nothing for a while.
    asio::awaitable<void> be_rude(Target target) {
        if (!target.locator.empty()) {
            const auto segment = co_await engine_->open(target.locator, Deadline(second));
            if (!segment) co_return;
            const auto endpoint = parse_endpoint(segment->record().endpoints.front().description);
            if (!endpoint) co_return;
            target.endpoint = *endpoint;
        }
        const auto executor = process_->runtime().executor(0);
        auto connected = co_await SimulatedNetwork().connect(executor, target.endpoint);
        if (!connected) co_return;
        auto& stream = *connected->stream;
        const auto what = words(target);
        for (std::size_t said = 0; said < what.size();) {
            auto rest = asio::const_buffer(what.data() + said, what.size() - said);
            const auto [error, sent] = co_await stream.async_write_some(std::span(&rest, 1), as_result);
            if (error) co_return;
            said += sent;
        }
        auto pause = Event();
        co_await pause.wait(Deadline(world_.between(Duration::zero(), 8 * second)));
    }

    std::string words(const Target& target) {
        const auto service = target.locator.empty() || world_.chance(0.3) ? "rpc" : "transfer";
        const auto hello = encode(Hello{.service = service, .generation = target.generation});
        auto said = frame({}, hello, hello.size(), 0);
        switch (world_.below(4)) {
        case 0: // noise, from the beginning or after a hello
            if (world_.chance(0.5)) said.clear();
            for (auto left = 1 + world_.below(300); left != 0; --left)
                said.push_back(static_cast<char>(world_.below(256)));
            return said;
        case 1: // not all of a hello
            said.resize(world_.below(said.size()));
            return said;
        case 2: { // a message that he keeps to himself
            auto header = FrameHeader();
            header.method = static_cast<std::uint32_t>(world_.below(24));
            header.id = 1;
            return said + frame(header, {}, 1 + world_.below(1 * MiB), 0);
        }
        default: { // bytes to be written, of which few come
            using namespace transport::detail;
            auto request = TcpRequest{.generation = target.generation};
            const auto payload = std::uint64_t{1} << world_.below(40);
            request.slices.push_back({.offset = target.offset, .length = payload, .key = world_.draw()});
            auto header = FrameHeader();
            header.method = static_cast<std::uint32_t>(TcpMethod::write);
            header.id = 1;
            const auto message = encode(request);
            return said + frame(header, message, message.size(), payload) + std::string(world_.below(100), 'x');
        }
        }
    }

    /// Announces so much of each, and brings `message`.
    static std::string frame(FrameHeader header, std::string_view message, std::uint64_t message_bytes,
                             std::uint64_t payload_bytes) {
        header.meta_bytes = static_cast<std::uint32_t>(message_bytes);
        header.payload_bytes = payload_bytes;
        auto head = std::array<std::byte, FrameHeader::size>();
        encode_header(header, head);
        return std::string(text_of(head)).append(message);
    }

    World& world_;
    const std::function<std::vector<Target>()> targets_;
    const std::unique_ptr<Process> process_;
    std::unique_ptr<Engine> engine_;
    std::size_t busy_ = 0;
    bool going_ = false, gone_ = false;
};

} // namespace mooncake::simulation
