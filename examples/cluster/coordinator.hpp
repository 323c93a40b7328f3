#pragma once

#include <mooncake/mooncake.hpp>

#include "processes.hpp"
#include "protocol.hpp"
#include "replay_options.hpp"
#include "report.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace cluster {

using namespace std::chrono_literals;

/// The processes of a cluster on this host.
struct Processes {
    std::list<Process> all; // in the order in which they were started; the last is stopped first
    std::vector<std::string> prefill, decode;

    ~Processes() {
        for (const auto& process : all) process.ask_to_stop();
        while (!all.empty()) all.pop_back();
    }

    /// Errors: `system`, `closed`, `timed_out`: one of them did not start.
    mooncake::Result<void> start(const std::filesystem::path& folder, const ClusterConfig& config) {
        const auto text = [](auto number) { return std::to_string(number); };
        const auto master = launch(
            "master", folder / "mooncake_master",
            {"--eviction", config.eviction, "--placement", config.placement, "--lease-ms", text(config.lease_ms)});
        if (!master) return master.error();
        for (std::uint32_t i = 0; i < config.nodes; ++i) {
            const auto share =
                config.capacity_blocks / config.nodes + (i < config.capacity_blocks % config.nodes ? 1 : 0);
            const auto name = "node-" + text(i);
            auto arguments = std::vector<std::string>{
                "--master",   *master,   "--name",
                name,         "--bytes", text(std::max<std::uint64_t>(share, 1) * config.block_bytes),
                "--drain-ms", "0"}; // when they go, all go
            if (i < config.tcp_nodes) arguments.emplace_back("--no-shm");
            const auto node = launch(name, folder / "mooncake_node", std::move(arguments));
            if (!node) return node.error();
        }
        for (std::uint32_t i = 0; i < config.prefill_workers + config.decode_workers; ++i) {
            const auto prefills = i < config.prefill_workers;
            const auto name =
                prefills ? "prefill worker " + text(i) : "decode worker " + text(i - config.prefill_workers);
            const auto worker = launch(name, folder / "mooncake_replay",
                                       {"--worker", *master, "--block-bytes", text(config.block_bytes), "--time-scale",
                                        text(config.time_scale), "--replicas", text(config.replicas)});
            if (!worker) return worker.error();
            (prefills ? prefill : decode).push_back(*worker);
        }
        return mooncake::ok;
    }

    /// The names of those that ended by themselves; empty while all are there.
    [[nodiscard]] std::string casualties() {
        auto names = std::string();
        for (auto& process : all)
            if (process.ended()) names += (names.empty() ? "" : ", ") + process.name();
        return names;
    }

  private:
    mooncake::Result<std::string> launch(std::string name, const std::filesystem::path& program,
                                         std::vector<std::string> arguments) {
        auto process = Process::start(program, std::move(arguments), std::move(name));
        if (!process) return process.error();
        all.push_back(std::move(*process));
        return all.back().ready(mooncake::Deadline(60s));
    }
};

/// Lets requests through, in order, while the blocks of all that are on their way fit in the store. Were they more, each could
/// hold a part of its own and wait for space that only the others can give back.
class Room {
  public:
    explicit Room(std::uint64_t blocks) : blocks_(blocks) {}

    /// Nobody else enters while one that came before waits. Gives `set` or `cancelled`.
    mooncake::asio::awaitable<mooncake::Wake> enter(std::uint64_t blocks) {
        auto my_turn = mooncake::Event();
        waiting_.push_back(&my_turn);
        while (waiting_.front() != &my_turn || (taken_ != 0 && taken_ + blocks > blocks_)) {
            const auto wake = co_await my_turn.wait();
            if (wake == mooncake::Wake::set) continue;
            std::erase(waiting_, &my_turn);
            call_the_first();
            co_return mooncake::Wake::cancelled;
        }
        waiting_.pop_front();
        taken_ += blocks;
        call_the_first();
        co_return mooncake::Wake::set;
    }
    void leave(std::uint64_t blocks) {
        taken_ -= blocks;
        call_the_first();
    }

  private:
    void call_the_first() {
        if (!waiting_.empty()) waiting_.front()->set();
    }

    const std::uint64_t blocks_;
    std::uint64_t taken_ = 0;
    std::deque<mooncake::Event*> waiting_;
};

/// Sends the requests of a trace to the workers, a few at a time, in order.
class Coordinator {
  public:
    Coordinator(mooncake::Runtime& runtime, const ClusterConfig& config, const Processes& processes)
        : config_(config), decode_(processes.decode), room_(config.capacity_blocks / config.replicas),
          scope_(runtime.executor()) {
        for (const auto& address : processes.prefill) prefill_.push_back(client(runtime, address));
        for (const auto& address : processes.prefill) workers_.push_back(client(runtime, address));
        for (const auto& address : processes.decode) workers_.push_back(client(runtime, address));
    }

    /// Errors: `cancelled`. What went wrong with requests is in `totals`.
    mooncake::Task<void> run(std::span<const mooncake::TraceRequest> trace, Totals& totals) {
        trace_ = trace;
        totals_ = &totals;
        start_ = mooncake::SteadyClock{}.now();
        auto lanes = std::vector<mooncake::Task<void>>();
        for (std::uint32_t i = 0; i < config_.in_flight; ++i) lanes.push_back(one_after_another());
        (void)scope_.spawn(report_progress());
        const auto done = co_await mooncake::all_or_cancel(std::move(lanes));
        co_await scope_.close();
        totals.seconds = elapsed();
        if (isatty(STDERR_FILENO)) std::fprintf(stderr, "\n");
        if (!done) co_return done.error();
        for (const auto& worker : workers_) {
            const auto measured = co_await worker->call(Measurements(), mooncake::Deadline(10s));
            if (!measured && measured.error() == mooncake::Errc::cancelled) co_return measured.error();
            if (measured) add(*measured, totals); // what a worker that is gone has measured is gone with it
        }
        co_return mooncake::ok;
    }

    mooncake::asio::awaitable<void> close() {
        co_await scope_.close();
        for (const auto& client : prefill_) co_await client->close();
        for (const auto& client : workers_) co_await client->close();
    }

  private:
    using Client = mooncake::RpcClient<>;

    static std::unique_ptr<Client> client(mooncake::Runtime& runtime, const std::string& address) {
        auto config = mooncake::RpcClientConfig{.server = mooncake::parse_endpoint(address).value()};
        return std::make_unique<Client>(runtime.executor(), std::move(config));
    }

    [[nodiscard]] double elapsed() const {
        return std::chrono::duration<double>(mooncake::SteadyClock{}.now() - start_).count();
    }

    mooncake::Task<void> one_after_another() {
        auto pause = mooncake::Event();
        while (next_ < trace_.size()) {
            const auto index = next_++;
            const auto& request = trace_[index];
            const auto arrival =
                std::chrono::duration<double>(static_cast<double>(request.timestamp_ms) / 1e3 * config_.time_scale);
            if (config_.time_scale > 0)
                co_await pause.wait(
                    mooncake::Deadline(start_ + std::chrono::duration_cast<mooncake::Duration>(arrival)));
            const auto entered = co_await room_.enter(request.hash_ids.size());
            if (entered == mooncake::Wake::cancelled) co_return mooncake::Errc::cancelled;
            auto reply = mooncake::Result<PrefillReply>();
            // A worker that is gone costs a request another try, with others.
            for (std::size_t attempt = 0; attempt < prefill_.size() + decode_.size(); ++attempt) {
                auto message = Prefill{.input_length = request.input_length,
                                       .blocks = request.hash_ids,
                                       .decode = decode_[(index + attempt) % decode_.size()]};
                const auto to = (index + attempt) % prefill_.size();
                reply = co_await prefill_[to]->call(std::move(message), mooncake::Deadline(120s));
                const auto asked_to_stop = co_await mooncake::asio::this_coro::cancellation_state;
                if (mooncake::core::detail::stopping(asked_to_stop)) co_return mooncake::Errc::cancelled;
                if (reply) break;
            }
            room_.leave(request.hash_ids.size());
            if (!reply && totals_->failed_requests++ == 0)
                std::fprintf(stderr, "\nrequest %zu failed: %s\n", index, reply.error().message().c_str());
            if (!reply && totals_->failed_requests >= 100)
                co_return mooncake::Error(mooncake::Errc::lost, "too many requests failed");
            count(request, reply ? *reply : PrefillReply());
        }
        co_return mooncake::ok;
    }

    void count(const mooncake::TraceRequest& request, const PrefillReply& reply) {
        auto& totals = *totals_;
        const auto hit_tokens = std::min(request.input_length, reply.hit_blocks * mooncake::trace_block_tokens);
        ++totals.requests;
        totals.blocks += request.hash_ids.size();
        totals.hit_blocks += reply.hit_blocks;
        totals.tokens += request.input_length;
        totals.hit_tokens += hit_tokens;
        totals.stored_blocks += reply.stored_blocks;
        totals.unstored_blocks += reply.unstored_blocks;
        totals.read_bytes += reply.read_bytes;
        totals.written_bytes += reply.written_bytes;
        totals.mismatches += reply.mismatches;
        totals.lost += reply.lost;
        const auto cost = mooncake::PrefillCost();
        totals.prefill_seconds += cost.seconds(request.input_length, hit_tokens);
        totals.prefill_seconds_saved +=
            cost.seconds(request.input_length) - cost.seconds(request.input_length, hit_tokens);
    }

    static void add(const MeasurementsReply& measured, Totals& totals) {
        for (const auto& transport : measured.transports) {
            auto at = std::find_if(totals.transports.begin(), totals.transports.end(),
                                   [&](const auto& known) { return known.name == transport.name; });
            if (at == totals.transports.end()) at = totals.transports.insert(at, {transport.name, 0, 0});
            at->read += transport.read;
            at->written += transport.written;
        }
        totals.get_us.insert(totals.get_us.end(), measured.get_us.begin(), measured.get_us.end());
        totals.put_us.insert(totals.put_us.end(), measured.put_us.begin(), measured.put_us.end());
    }

    mooncake::Task<void> report_progress() {
        const auto terminal = isatty(STDERR_FILENO) != 0;
        auto pause = mooncake::Event();
        for (auto period = mooncake::Duration(500ms);; period = terminal ? period : mooncake::Duration(5s)) {
            const auto wake = co_await pause.wait(mooncake::Deadline(period));
            if (wake == mooncake::Wake::cancelled) co_return mooncake::ok;
            const auto& totals = *totals_;
            const auto took = elapsed();
            const auto left = totals.requests == 0 ? 0
                                                   : took * static_cast<double>(trace_.size() - totals.requests) /
                                                         static_cast<double>(totals.requests);
            std::fprintf(stderr, "%s%lu of %zu requests, %.2f GB/s, hit ratio %.4f, %.0f s left   %s",
                         terminal ? "\r" : "", totals.requests, trace_.size(),
                         static_cast<double>(totals.read_bytes + totals.written_bytes) / took / 1e9,
                         totals.hit_ratio_blocks(), left, terminal ? "" : "\n");
        }
    }

    const ClusterConfig config_;
    const std::vector<std::string> decode_;
    Room room_;
    std::vector<std::unique_ptr<Client>> prefill_, workers_;
    mooncake::TaskScope scope_;
    std::span<const mooncake::TraceRequest> trace_;
    Totals* totals_ = nullptr;
    mooncake::TimePoint start_;
    std::size_t next_ = 0;
};

} // namespace cluster
