#pragma once

#include <mooncake/mooncake.hpp>

#include "blocks.hpp"
#include "protocol.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cluster {

using namespace std::chrono_literals;
using mooncake::Deadline, mooncake::Errc, mooncake::Task;

struct WorkerConfig {
    mooncake::Endpoint master;
    std::uint64_t block_bytes = 64 * mooncake::KiB;
    double time_scale = 0; ///< seconds of computing for a second of the cost model
    std::uint32_t replicas = 1;
};

/// A prefill or a decode worker: serves `Prefill` and `Decode` against the cluster's store.
class Worker {
  public:
    Worker(mooncake::Runtime& runtime, const WorkerConfig& config)
        : runtime_(runtime), config_(config), store_(runtime, store_config(config)), server_(runtime, service_, {}) {
        service_.on<Prefill>([this](Prefill request) { return prefill(std::move(request)); });
        service_.on<Decode>([this](Decode request) { return decode(std::move(request)); });
        service_.on<Measurements>(
            [this](Measurements&) -> mooncake::Result<MeasurementsReply> { return measurements(); });
        server_.start();
    }

    [[nodiscard]] const mooncake::Endpoint& endpoint() const noexcept { return server_.endpoint(); }

    mooncake::asio::awaitable<void> close() {
        co_await server_.close();
        for (const auto& [address, client] : decoders_) co_await client->close();
        co_await store_.close();
    }

  private:
    using Keys = std::vector<std::string>;

    static mooncake::ClusterStore::Config store_config(const WorkerConfig& config) {
        auto store = mooncake::ClusterStore::Config();
        store.master.rpc.server = config.master;
        return store;
    }

    /// Memory for the blocks of one request.
    struct Blocks {
        Blocks(const std::vector<std::uint64_t>& wanted, std::uint64_t block_bytes)
            : ids(wanted), bytes(wanted.size() * block_bytes), size(block_bytes) {
            keys.reserve(ids.size());
            for (const auto id : ids) keys.push_back(block_key(id));
        }
        [[nodiscard]] mooncake::MutableBytes at(std::size_t i) noexcept {
            return std::span(bytes).subspan(i * size, size);
        }
        [[nodiscard]] std::vector<mooncake::GetItem> items() {
            auto items = std::vector<mooncake::GetItem>();
            for (std::size_t i = 0; i < ids.size(); ++i) items.push_back({keys[i], at(i)});
            return items;
        }
        [[nodiscard]] std::uint64_t mismatches(std::size_t i) noexcept {
            return BlockPattern(ids[i]).matches(at(i)) ? 0 : 1;
        }

        const std::vector<std::uint64_t>& ids;
        Keys keys;
        std::vector<std::byte> bytes;
        std::uint64_t size;
    };

    /// Longest cached prefix, then "compute" and store the rest, then hand all of it to the decode worker.
    Task<PrefillReply> prefill(Prefill request) {
        auto reply = PrefillReply();
        auto blocks = Blocks(request.blocks, config_.block_bytes);
        auto leases = std::vector<std::uint64_t>();

        const auto items = blocks.items();
        const auto reading =
            mooncake::GetBatchOptions{.mode = mooncake::LookUp::prefix, .lease = mooncake::LeaseWish::grant};
        const auto start = mooncake::SteadyClock{}.now();
        const auto found = co_await store_.get_batch(items, reading);
        if (!found) co_return found.error();
        if (found->lease) leases.push_back(found->lease.id);
        measure(get_us_, start);
        for (std::size_t i = 0; i < found->outcomes.size(); ++i) {
            if (found->outcomes[i] != Errc::ok) {
                ++reply.lost; // leased, and yet it did not come
                continue;
            }
            reply.mismatches += blocks.mismatches(i);
            reply.read_bytes += blocks.size;
        }
        reply.hit_blocks = found->outcomes.size();

        co_await compute(request.input_length, reply.hit_blocks, leases);
        const auto stored = co_await store_rest(blocks, reply, leases);
        auto handed = mooncake::Result<PrefillReply>();
        if (stored) handed = co_await hand_over(std::move(request), std::move(reply), leases, *stored);
        else handed = stored.error();
        if (handed) co_return handed;
        // Nobody else gives them back: until they ended they would be in the way of all that is stored.
        for (const auto lease : leases) (void)co_await store_.release(lease);
        co_return handed;
    }

    /// As long as the cost model says, with the leases kept alive.
    mooncake::asio::awaitable<void> compute(std::uint64_t tokens, std::uint64_t hit_blocks,
                                            const std::vector<std::uint64_t>& leases) {
        const auto cached = std::min(tokens, hit_blocks * mooncake::trace_block_tokens);
        const auto seconds = mooncake::PrefillCost().seconds(tokens, cached) * config_.time_scale;
        const auto end = Deadline(std::chrono::duration<double>(seconds));
        auto pause = mooncake::Event();
        while (seconds > 0 && !end.passed()) {
            co_await pause.wait(end.or_sooner(Deadline(1s)));
            co_await keep(leases);
        }
    }

    /// To be called more often than leases end.
    mooncake::asio::awaitable<void> keep(const std::vector<std::uint64_t>& leases) {
        for (const auto lease : leases) (void)co_await store_.renew(lease);
    }

    /// Stores the blocks that were not hit. What somebody else is just storing is waited for, and leased as well.
    /// Gives how many blocks, from the head, are there and leased.
    Task<std::size_t> store_rest(Blocks& blocks, PrefillReply& reply, std::vector<std::uint64_t>& leases) {
        auto missing = std::vector<std::size_t>();
        for (auto i = static_cast<std::size_t>(reply.hit_blocks); i < blocks.ids.size(); ++i) {
            BlockPattern(blocks.ids[i]).fill(blocks.at(i));
            missing.push_back(i);
        }
        for (auto attempt = 0; attempt < 20 && !missing.empty(); ++attempt) {
            if (attempt != 0) co_await keep(leases); // who was storing the rest may have died: that takes its time
            auto items = std::vector<mooncake::PutItem>();
            for (const auto i : missing) items.push_back({blocks.keys[i], blocks.at(i)});
            const auto start = mooncake::SteadyClock{}.now();
            auto writing = mooncake::PutOptions{.replicas = config_.replicas, .lease = mooncake::LeaseWish::grant};
            const auto in_a_row = missing.back() - missing.front() + 1 == missing.size();
            if (in_a_row) writing.chain = mooncake::Chain::yes;
            if (in_a_row && missing.front() != 0) writing.parent = blocks.keys[missing.front() - 1];
            const auto put = co_await store_.put_batch(items, writing);
            if (!put) co_return put.error();
            measure(put_us_, start);
            if (put->lease) leases.push_back(put->lease.id);
            auto others = std::vector<std::size_t>();
            auto refused = std::vector<std::size_t>();
            for (std::size_t k = 0; k < missing.size(); ++k) {
                if (put->outcomes[k] == Errc::ok) ++reply.stored_blocks, reply.written_bytes += blocks.size;
                else if (put->outcomes[k] == Errc::exists || put->outcomes[k] == Errc::being_written)
                    others.push_back(missing[k]);
                else refused.push_back(missing[k]);
            }
            const auto leased = co_await lease_others(blocks, others, leases);
            if (!leased) co_return leased.error();
            missing = *leased;
            missing.insert(missing.end(), refused.begin(), refused.end());
            if (refused.empty()) continue;
            auto pause = mooncake::Event(); // space comes free when leases end
            co_await pause.wait(Deadline(50ms));
        }
        reply.unstored_blocks = missing.size();
        co_return missing.empty() ? blocks.ids.size() : *std::min_element(missing.begin(), missing.end());
    }

    /// Waits for blocks that other workers are storing and leases them. Gives those that did not come after all.
    Task<std::vector<std::size_t>> lease_others(const Blocks& blocks, std::vector<std::size_t> others,
                                                std::vector<std::uint64_t>& leases) {
        if (others.empty()) co_return others;
        auto keys = std::vector<std::string_view>();
        for (const auto i : others) keys.push_back(blocks.keys[i]);
        (void)co_await store_.wait_for(keys, Deadline(2s));
        const auto found = co_await store_.lease_batch(keys);
        if (!found) co_return found.error();
        if (found->lease) leases.push_back(found->lease.id);
        auto gone = std::vector<std::size_t>();
        for (std::size_t k = 0; k < others.size(); ++k)
            if (found->outcomes[k] != Errc::ok) gone.push_back(others[k]);
        co_return gone;
    }

    Task<PrefillReply> hand_over(Prefill request, PrefillReply reply, std::vector<std::uint64_t> leases,
                                 std::size_t there) {
        auto handed = Decode{.blocks = std::move(request.blocks), .leases = std::move(leases)};
        handed.blocks.resize(there);
        const auto decoder = mooncake::parse_endpoint(request.decode);
        if (!decoder) co_return decoder.error();
        const auto client = this->decoder(*decoder);
        const auto decoded = co_await client->call(std::move(handed), Deadline(60s));
        if (!decoded) co_return decoded.error();
        reply.read_bytes += decoded->read_bytes;
        reply.mismatches += decoded->mismatches;
        reply.lost += decoded->lost;
        co_return reply;
    }

    /// Waits for the blocks, reads all of them, checks every byte, and gives the leases back.
    Task<DecodeReply> decode(Decode request) {
        auto reply = DecodeReply();
        auto blocks = Blocks(request.blocks, config_.block_bytes);
        const auto keys = std::vector<std::string_view>(blocks.keys.begin(), blocks.keys.end());
        const auto visible = co_await store_.wait_for(keys, Deadline(5s));
        if (!visible && visible.error() != Errc::timed_out) co_return visible.error();
        const auto items = blocks.items();
        const auto start = mooncake::SteadyClock{}.now();
        const auto found = co_await store_.get_batch(items);
        if (!found) co_return found.error();
        measure(get_us_, start);
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (found->outcomes[i] != Errc::ok) {
                ++reply.lost;
                continue;
            }
            reply.mismatches += blocks.mismatches(i);
            reply.read_bytes += blocks.size;
        }
        for (const auto lease : request.leases) (void)co_await store_.release(lease);
        co_return reply;
    }

    std::shared_ptr<mooncake::RpcClient<>> decoder(const mooncake::Endpoint& endpoint) {
        const auto lock = std::lock_guard(mutex_);
        auto& client = decoders_[mooncake::to_string(endpoint)];
        auto config = mooncake::RpcClientConfig{.server = endpoint};
        if (!client) client = std::make_shared<mooncake::RpcClient<>>(runtime_.next_executor(), std::move(config));
        return client;
    }

    void measure(std::vector<std::uint32_t>& into, mooncake::TimePoint start) {
        const auto took = mooncake::SteadyClock{}.now() - start;
        const auto lock = std::lock_guard(mutex_);
        into.push_back(static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
    }

    MeasurementsReply measurements() {
        auto reply = MeasurementsReply();
        for (const auto& transport : store_.engine().statistics())
            reply.transports.push_back({std::string(transport.name), transport.read_bytes, transport.written_bytes});
        const auto lock = std::lock_guard(mutex_);
        reply.get_us = get_us_;
        reply.put_us = put_us_;
        return reply;
    }

    mooncake::Runtime& runtime_;
    const WorkerConfig config_;
    mooncake::ClusterStore store_;
    mooncake::RpcService service_;
    mooncake::Server<mooncake::PlainTcp> server_;
    std::mutex mutex_; // of what follows
    std::map<std::string, std::shared_ptr<mooncake::RpcClient<>>> decoders_;
    std::vector<std::uint32_t> get_us_, put_us_;
};

} // namespace cluster
