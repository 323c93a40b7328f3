#pragma once

#include <mooncake/core/random.hpp>
#include <mooncake/serving/conductor.hpp>
#include <mooncake/serving/simulator/block_cache.hpp>
#include <mooncake/serving/simulator/config.hpp>
#include <mooncake/serving/simulator/coupled_node.hpp>
#include <mooncake/serving/simulator/decode_node.hpp>
#include <mooncake/serving/simulator/delayed_events.hpp>
#include <mooncake/serving/simulator/load_sample.hpp>
#include <mooncake/serving/simulator/metrics.hpp>
#include <mooncake/serving/simulator/prefill_node.hpp>
#include <mooncake/serving/trace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <span>
#include <utility>
#include <vector>

namespace mooncake {

/// Runs a trace against a conductor and the instances it routes to. Discrete events; the same configuration and trace give
/// the same result. Memory: of live requests and of caches, whatever the length of the trace.
template <ConductorTraits Traits = DefaultConductorTraits, BlockCache Cache = LruBlockCache>
class Simulator {
  public:
    /// `config` is valid: see `validate`.
    explicit Simulator(const SimulatorConfig& config, typename Traits::Prefill prefill = typename Traits::Prefill(),
                       typename Traits::Decode decode = typename Traits::Decode(),
                       typename Traits::Admission admission = typename Traits::Admission())
        : config_(with_capacity(config)),
          conductor_(config_.conductor, std::move(prefill), std::move(decode), std::move(admission)),
          random_(config.seed), events_of_caches_(config.conductor.prefill_instances, config.staleness) {
        const auto& conductor = config_.conductor;
        for (std::size_t i = 0; i < conductor.prefill_instances; ++i)
            if (coupled()) coupled_.emplace_back(config_.coupled, conductor.cost.block_tokens);
            else prefill_.emplace_back(conductor.cache_blocks);
        for (std::size_t i = 0; i < conductor.decode_instances && !coupled(); ++i)
            decode_.emplace_back(conductor.cost.decode, conductor.cost.transfer.bytes_per_token,
                                 config.conductor.decode_tokens);
        versions_.resize(decode_.size());
    }

    /// `next()` gives one request after the other, and nothing when there are no more. One that comes before the request
    /// ahead of it comes with it. `progress(metrics)` is called once in 65,536 requests.
    template <class Next, class Progress>
    ServeMetrics run(Next&& next, Progress&& progress) {
        auto coming = std::optional<TraceRequest>(next());
        while (coming || !events_.empty()) {
            const auto arrival = coming ? static_cast<double>(coming->timestamp_ms) / 1000 / config_.speed : 0;
            if (coming && (events_.empty() || arrival <= events_.top().time)) {
                now_ = std::max(now_, arrival);
                arrive(*std::move(coming));
                if (metrics_.requests % 65'536 == 0) progress(std::as_const(metrics_));
                coming = next();
                continue;
            }
            const auto event = events_.top();
            events_.pop();
            now_ = std::max(now_, event.time);
            happen(event);
        }
        metrics_.seconds = now_ - first_;
        for (auto& one : metrics_.classes) one.longest_pause = std::max(one.longest_pause, last_arrival_ - one.last);
        return metrics_;
    }
    /// The whole trace, by its times.
    ServeMetrics run(std::span<const TraceRequest> trace) {
        auto order = std::vector<std::size_t>(trace.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        std::sort(order.begin(), order.end(), [&](auto a, auto b) {
            const auto first = trace[a].timestamp_ms, second = trace[b].timestamp_ms;
            return first != second ? first < second : a < b;
        });
        auto at = std::size_t{0};
        return run([&] { return at == order.size() ? std::nullopt : std::optional(trace[order[at++]]); },
                   [](const ServeMetrics&) {});
    }

    /// Samples of both pools' load, one in `seconds`; call it before `run`.
    void sample_load(double seconds) noexcept { sample_every_ = seconds; }
    [[nodiscard]] std::span<const LoadSample> load_samples() const noexcept { return samples_; }
    [[nodiscard]] const Conductor<Traits>& conductor() const noexcept { return conductor_; }

  private:
    enum class Kind : std::uint8_t { prefill_ready, prefill_pause, prefill_end, decode, coupled };
    struct Event {
        double time = 0;
        std::uint64_t order = 0; // of events at one time: as they were made
        Kind kind = Kind::prefill_ready;
        InstanceId instance = 0;
        std::uint64_t version = 0;
        bool operator<(const Event& other) const noexcept { // the greatest is the first
            return time != other.time ? time > other.time : order > other.order;
        }
    };
    struct Request {
        TraceRequest trace;
        double arrival = 0, first_token = 0, seconds = 0; // seconds: of its prefill
        std::uint64_t computed = 0;                       // tokens of it
        InstanceId prefill = 0, decode = no_instance;
        std::uint32_t fetched = 0; // leading blocks that are sent to it, with what was there
        ServeClass priority = ServeClass::normal;
    };

    static SimulatorConfig with_capacity(SimulatorConfig config) noexcept {
        auto& conductor = config.conductor;
        if (conductor.mode == ServingMode::coupled) conductor.cache_blocks = config.coupled.blocks;
        conductor.decode_tokens =
            static_cast<std::uint64_t>(static_cast<double>(conductor.decode_tokens) * (1 - config.answer_room));
        return config;
    }
    [[nodiscard]] bool coupled() const noexcept { return config_.conductor.mode == ServingMode::coupled; }

    void at(double time, Kind kind, InstanceId instance, std::uint64_t version = 0) {
        events_.push({.time = time, .order = ++order_, .kind = kind, .instance = instance, .version = version});
    }

    void arrive(TraceRequest trace) {
        if (metrics_.requests++ == 0) first_ = now_;
        last_arrival_ = now_;
        hear();
        sample();
        auto slot = requests_.size();
        if (free_.empty()) requests_.emplace_back();
        else slot = free_.back(), free_.pop_back();
        auto& request = requests_[slot];
        request = {.trace = std::move(trace), .arrival = now_, .priority = draw_class()};
        ++metrics_.classes[static_cast<std::size_t>(request.priority)].requests;
        const auto& asked = request.trace;
        const auto decision = conductor_.route({.id = slot,
                                                .now = now_,
                                                .tokens = asked.input_length,
                                                .blocks = asked.hash_ids,
                                                .priority = request.priority});
        if (!decision.verdict.admitted()) {
            ++metrics_.rejected_at_arrival[static_cast<std::size_t>(decision.verdict.reason)];
            free_.push_back(slot);
            return;
        }
        request.prefill = decision.prefill.instance;
        request.decode = decision.decode;
        coupled() ? enter_coupled(slot, decision.prefill) : enter_prefill(slot, decision.prefill);
    }

    void enter_prefill(std::uint64_t slot, const PrefillChoice& choice) {
        auto& request = requests_[slot];
        auto& node = prefill_[choice.instance];
        auto ready = now_;
        if (choice.source != no_instance) { // what the index says may be gone by now
            const auto& blocks = request.trace.hash_ids;
            auto& source = prefill_[choice.source];
            const auto here = node.cache.match(blocks);
            request.fetched = std::min(choice.reused, source.cache.match(blocks));
            if (request.fetched > here) {
                const auto& cost = config_.conductor.cost;
                metrics_.fetched_blocks += request.fetched - here;
                ready = source.nic.send(now_, (request.fetched - here) * cost.block_tokens, cost.transfer);
            }
        }
        node.add({.key = choice.key, .ready = ready, .id = slot});
        if (node.busy) plan_pause(choice.instance);
        else ready <= now_ ? start_prefill(choice.instance) : at(ready, Kind::prefill_ready, choice.instance);
    }

    void start_prefill(InstanceId instance) {
        auto& node = prefill_[instance];
        auto next = typename serving::detail::PrefillNode<Cache>::Waiting();
        if (node.busy) return;
        if (!node.take(now_, next)) {
            if (!node.waiting.empty()) at(node.soonest_ready(), Kind::prefill_ready, instance);
            return;
        }
        auto& request = requests_[next.id];
        if (next.left < 0) next.left = begin_prefill(instance, request);
        const auto& cost = config_.conductor;
        node.busy = true;
        node.running = next;
        node.began = now_, node.ends = now_ + next.left;
        node.chunk = request.seconds * static_cast<double>(cost.prefill_chunk) /
                     static_cast<double>(std::max<std::uint64_t>(1, request.computed));
        conductor_.prefill_started(next.id, now_, next.left);
        at(node.ends, Kind::prefill_end, instance, ++node.version);
        plan_pause(instance);
    }

    void plan_pause(InstanceId instance) {
        const auto& node = prefill_[instance];
        if (const auto time = node.makes_way(now_); time < 1e18) at(time, Kind::prefill_pause, instance, node.version);
    }

    void pause_prefill(InstanceId instance) {
        auto& node = prefill_[instance];
        if (node.makes_way(now_) > now_ + 1e-9) return; // whoever it was for is gone, or is not ready
        node.busy = false;
        ++node.version;
        node.running.left = node.ends - now_;
        node.running.ready = now_;
        conductor_.prefill_paused(node.running.id, now_, node.running.left);
        node.add(node.running);
        start_prefill(instance);
    }

    /// How long it takes with what is there.
    [[nodiscard]] double begin_prefill(InstanceId instance, Request& request) {
        const auto& node = prefill_[instance];
        const auto& cost = config_.conductor.cost;
        const auto reused = std::max(request.fetched, node.cache.match(request.trace.hash_ids));
        request.seconds = cost.prefill_seconds(request.trace.input_length, reused);
        request.computed =
            request.trace.input_length - std::min(request.trace.input_length, reused * cost.block_tokens);
        if (instance == config_.straggler) request.seconds *= config_.straggler_factor;
        metrics_.prefill_seconds += request.seconds;
        metrics_.blocks += request.trace.hash_ids.size();
        metrics_.reused_blocks += reused;
        return request.seconds;
    }

    void end_prefill(InstanceId instance) {
        auto& node = prefill_[instance];
        const auto slot = node.running.id;
        auto& request = requests_[slot];
        node.busy = false;
        added_.clear(), evicted_.clear();
        node.cache.insert(request.trace.hash_ids, added_, evicted_);
        tell(instance);
        request.first_token = now_;
        if (!conductor_.prefill_finished(slot, now_)) {
            ++metrics_.rejected_late;
            metrics_.wasted_seconds += request.seconds;
            free_.push_back(slot);
        } else if (request.trace.output_length <= 1) {
            complete(slot, 0);
        } else {
            const auto sequence = serving::detail::DecodeNode::Sequence{.id = slot,
                                                                        .tokens = request.trace.input_length,
                                                                        .output = request.trace.output_length - 1,
                                                                        .first_token = now_};
            if (auto& decode = decode_[request.decode]; decode.fits(sequence)) {
                decode.join(now_, sequence);
                schedule_decode(request.decode);
            } else {
                ++metrics_.failed;
                metrics_.wasted_seconds += request.seconds;
                conductor_.gone(slot, now_);
                free_.push_back(slot);
            }
        }
        start_prefill(instance);
    }

    void schedule_decode(InstanceId instance) {
        if (const auto next = decode_[instance].next(); next < 1e18)
            at(next, Kind::decode, instance, ++versions_[instance]);
    }

    void enter_coupled(std::uint64_t slot, const PrefillChoice& choice) {
        const auto& trace = requests_[slot].trace;
        auto& node = coupled_[choice.instance];
        const auto sequence = typename serving::detail::CoupledNode<Cache>::Sequence{
            .id = slot,
            .tokens = trace.input_length,
            .output = std::max<std::uint64_t>(1, trace.output_length),
            .blocks = trace.hash_ids,
            .key = choice.key};
        if (!node.fits(sequence)) {
            ++metrics_.failed;
            conductor_.gone(slot, now_);
            free_.push_back(slot);
            return;
        }
        node.add(sequence);
        if (!node.idle()) return;
        coupled_events_.clear(), added_.clear(), evicted_.clear();
        node.begin(now_, coupled_events_, evicted_);
        coupled_done(choice.instance);
    }

    void coupled_done(InstanceId instance) {
        using What = typename serving::detail::CoupledNode<Cache>::What;
        tell(instance);
        for (const auto& event : coupled_events_) {
            auto& request = requests_[event.id];
            if (event.what == What::started) {
                request.seconds = config_.conductor.cost.prefill_seconds(request.trace.input_length, event.reused);
                metrics_.prefill_seconds += request.seconds;
                metrics_.blocks += request.trace.hash_ids.size();
                metrics_.reused_blocks += event.reused;
                conductor_.prefill_started(event.id, now_, request.seconds);
            } else if (event.what == What::first_token) {
                request.first_token = now_;
                static_cast<void>(conductor_.prefill_finished(event.id, now_)); // where coupled nobody is refused here
            } else {
                complete(event.id, event.tbt);
            }
        }
        if (!coupled_[instance].idle()) at(coupled_[instance].next(), Kind::coupled, instance);
    }

    void happen(const Event& event) {
        switch (event.kind) {
        case Kind::prefill_ready: return start_prefill(event.instance);
        case Kind::prefill_pause:
            if (event.version == prefill_[event.instance].version) pause_prefill(event.instance);
            return;
        case Kind::prefill_end:
            if (event.version == prefill_[event.instance].version) end_prefill(event.instance);
            return;
        case Kind::decode: {
            if (event.version != versions_[event.instance]) return; // its batch has changed since
            finished_.clear();
            decode_[event.instance].advance(metrics_.itl, finished_);
            for (const auto& one : finished_) complete(one.id, one.tbt);
            return schedule_decode(event.instance);
        }
        case Kind::coupled: {
            coupled_events_.clear(), added_.clear(), evicted_.clear();
            coupled_[event.instance].advance(metrics_.itl, coupled_events_, added_, evicted_);
            return coupled_done(event.instance);
        }
        }
    }

    void complete(std::uint64_t slot, double tbt) {
        auto& request = requests_[slot];
        const auto output = std::max<std::uint64_t>(1, request.trace.output_length);
        const auto ttft = request.first_token - request.arrival;
        conductor_.finished(slot, now_, output);
        ++metrics_.completed;
        metrics_.input_tokens += request.trace.input_length;
        metrics_.output_tokens += output;
        metrics_.ttft.add(ttft);
        metrics_.end_to_end.add(now_ - request.arrival);
        if (output > 1) {
            metrics_.tpot.add((now_ - request.first_token) / static_cast<double>(output - 1));
            metrics_.tbt.add(tbt);
        }
        if (ttft <= config_.conductor.ttft_slo && tbt <= config_.conductor.tbt_slo) {
            ++metrics_.within_slo;
            auto& mine = metrics_.classes[static_cast<std::size_t>(request.priority)];
            ++mine.within_slo;
            mine.longest_pause = std::max(mine.longest_pause, now_ - std::max(mine.last, first_));
            mine.last = now_;
        }
        free_.push_back(slot);
    }

    void tell(InstanceId instance) {
        events_of_caches_.tell(now_, instance, added_, evicted_,
                               [this](IndexEvent event) { conductor_.event(std::move(event)); });
    }
    void hear() {
        events_of_caches_.arrive(now_, [this](IndexEvent event) { conductor_.event(std::move(event)); });
    }

    ServeClass draw_class() {
        const auto& shares = config_.shares;
        auto left = random_.uniform() * (shares[0] + shares[1] + shares[2]);
        for (std::size_t i = 0; i < shares.size(); ++i)
            if ((left -= shares[i]) < 0) return static_cast<ServeClass>(i);
        return ServeClass::normal;
    }

    void sample() {
        if (sample_every_ <= 0 || now_ < next_sample_) return;
        next_sample_ = now_ + sample_every_;
        samples_.push_back(load_of(conductor_.view(), config_.conductor, now_));
    }

    SimulatorConfig config_;
    Conductor<Traits> conductor_;
    SplitMix64 random_;
    double now_ = 0, first_ = 0, last_arrival_ = 0, sample_every_ = 0, next_sample_ = 0;
    std::uint64_t order_ = 0;
    std::priority_queue<Event> events_;
    std::vector<Request> requests_; // that are being served, and free places
    std::vector<std::uint64_t> free_;
    std::vector<serving::detail::PrefillNode<Cache>> prefill_;
    std::vector<serving::detail::DecodeNode> decode_;
    std::vector<serving::detail::CoupledNode<Cache>> coupled_;
    std::vector<std::uint64_t> versions_;
    serving::detail::DelayedEvents events_of_caches_;
    std::vector<BlockKey> added_, evicted_;
    std::vector<serving::detail::DecodeNode::Finished> finished_;
    std::vector<typename serving::detail::CoupledNode<Cache>::Event> coupled_events_;
    std::vector<LoadSample> samples_;
    ServeMetrics metrics_;
};

} // namespace mooncake
