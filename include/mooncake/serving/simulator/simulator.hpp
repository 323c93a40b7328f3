#pragma once

#include <mooncake/serving/simulator/core.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace mooncake {

/// Runs a trace against a conductor and the instances it routes to. Discrete events; the same configuration and trace give
/// the same result. Memory: of live requests and of caches, whatever the length of the trace.
template <ConductorTraits Traits = DefaultConductorTraits, BlockCache Cache = LruBlockCache>
class Simulator : private serving::detail::SimulatorCore<Traits, Cache> {
    using Core = serving::detail::SimulatorCore<Traits, Cache>;

  public:
    /// `config` is valid: see `validate`.
    explicit Simulator(const SimulatorConfig& config, typename Traits::Prefill prefill = typename Traits::Prefill(),
                       typename Traits::Decode decode = typename Traits::Decode(),
                       typename Traits::Admission admission = typename Traits::Admission(),
                       typename Traits::Balance balance = typename Traits::Balance(),
                       typename Traits::Role role = typename Traits::Role())
        : Core(config, std::move(prefill), std::move(decode), std::move(admission), std::move(balance),
               std::move(role)) {}

    /// `next()` gives one request after the other, and nothing when there are no more. One that comes before the request
    /// ahead of it comes with it. `progress(metrics)` is called once in 65,536 requests.
    template <class Next, class Progress>
    ServeMetrics run(Next&& next, Progress&& progress) {
        auto coming = std::optional<TraceRequest>(next());
        while (coming || (!events_.empty() && conductor_.live() != 0)) {
            const auto arrival = coming ? static_cast<double>(coming->timestamp_ms) / 1000 / config_.speed : 0;
            if (coming && (events_.empty() || arrival < events_.top().time ||
                           (arrival <= events_.top().time && events_.top().kind != Kind::fault))) {
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
        const auto order = serving::detail::order_of(trace);
        auto next = std::size_t{0};
        return run([&] { return next == order.size() ? std::nullopt : std::optional(trace[order[next++]]); },
                   [](const ServeMetrics&) {});
    }

    /// Samples of both pools' load, one in `seconds`; call it before `run`.
    void sample_load(double seconds) noexcept { sample_every_ = seconds; }
    [[nodiscard]] std::span<const LoadSample> load_samples() const noexcept { return samples_; }
    [[nodiscard]] const Conductor<Traits>& conductor() const noexcept { return conductor_; }

  private:
    using Core::added_, Core::evicted_, Core::at, Core::complete, Core::conductor_, Core::copies_, Core::free_copies_,
        Core::config_, Core::coupled, Core::coupled_, Core::coupled_events_, Core::decode_, Core::draw_class,
        Core::events_, Core::events_of_caches_, Core::faults_, Core::finished_, Core::first_, Core::free_, Core::hear,
        Core::last_arrival_, Core::metrics_, Core::new_coupled, Core::new_decode, Core::now_, Core::prefill_,
        Core::requests_, Core::sample, Core::sample_every_, Core::samples_, Core::slower, Core::tell, Core::versions_;
    using typename Core::Event, typename Core::Kind, typename Core::Request;

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
        place(slot);
    }

    /// It has just come, or has to begin again.
    void place(std::uint64_t slot) {
        auto& request = requests_[slot];
        const auto& asked = request.trace;
        const auto decision = conductor_.route({.id = slot,
                                                .now = now_,
                                                .tokens = asked.input_length,
                                                .blocks = asked.hash_ids,
                                                .priority = request.priority});
        if (!decision.verdict.admitted()) {
            const auto reason = static_cast<std::size_t>(decision.verdict.reason);
            ++(request.attempts == 0 ? metrics_.rejected_at_arrival[reason] : metrics_.rejected_late);
            free_.push_back(slot);
            return;
        }
        request.prefill = decision.prefill.instance;
        request.decode = decision.decode;
        if (decision.copy.target != no_instance && !coupled()) begin_copy(decision.copy, asked.hash_ids);
        coupled() ? enter_coupled(slot, decision.prefill) : enter_prefill(slot, decision.prefill);
    }

    void begin_copy(const BlockCopy& copy, std::span<const BlockKey> blocks) {
        const auto here = prefill_[copy.target].cache.match(blocks);
        const auto there = std::min(copy.blocks, prefill_[copy.source].cache.match(blocks));
        if (there <= here) return;
        const auto& cost = config_.conductor.cost;
        const auto ready = prefill_[copy.source].nic.send(now_, (there - here) * cost.block_tokens, cost.transfer);
        auto slot = copies_.size();
        if (free_copies_.empty()) copies_.emplace_back();
        else slot = free_copies_.back(), free_copies_.pop_back();
        copies_[slot] = {
            .source = copy.source, .target = copy.target, .blocks = {blocks.begin(), blocks.begin() + there}};
        at(ready, Kind::copied, copy.target, slot);
    }
    void end_copy(std::size_t slot) {
        const auto& copy = copies_[slot];
        const auto& known = conductor_.view().prefill;
        if (known[copy.source].up && known[copy.target].up) {
            added_.clear(), evicted_.clear();
            prefill_[copy.target].cache.insert_spare(copy.blocks, added_);
            metrics_.copied_blocks += added_.size();
            tell(copy.target);
        }
        free_copies_.push_back(slot);
    }

    void enter_prefill(std::uint64_t slot, const PrefillChoice& choice) {
        auto& request = requests_[slot];
        auto& node = prefill_[choice.instance];
        auto ready = now_;
        request.fetched = 0;
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
        node.add({.key = choice.key, .ready = ready, .id = slot, .source = choice.source});
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
        conductor_.prefill_started(next.id, now_, next.left / slower(instance));
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
        request.seconds *= slower(instance);
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
        const auto joins = conductor_.prefill_finished(slot, now_);
        request.decode = conductor_.decode_of(slot); // another one where that went meanwhile
        if (!joins) {
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
        if (!coupled_[instance].idle()) at(coupled_[instance].next(), Kind::coupled, instance, ++versions_[instance]);
    }

    /// A fault begins or ends.
    void change(std::size_t fault) {
        const auto pool = faults_[fault].pool;
        const auto instance = faults_[fault].instance;
        const auto before = faults_.change(fault, now_), after = faults_.state(pool, instance);
        const auto prefill = pool == InstancePool::prefill;
        if (before.down != after.down) {
            const auto state = after.down ? ServingState::down : ServingState::up;
            prefill ? conductor_.set_prefill(instance, state) : conductor_.set_decode(instance, state);
            if (after.down) lose(pool, instance);
        }
        if (!prefill) decode_[instance].slow(after.slower);
        else if (coupled()) coupled_[instance].slow(after.slower);
    }

    /// An instance ends with its cache and all that it was doing; the requests begin again elsewhere.
    void lose(InstancePool pool, InstanceId instance) {
        auto lost = std::vector<std::uint64_t>();
        if (pool == InstancePool::decode || coupled()) {
            ++versions_[instance];
            if (coupled()) coupled_[instance].ids(lost), coupled_[instance] = new_coupled();
            else decode_[instance].ids(lost), decode_[instance] = new_decode();
        } else {
            const auto& node = prefill_[instance];
            for (const auto& one : node.waiting) lost.push_back(one.id), unmake(one.id, one.left);
            if (node.busy) lost.push_back(node.running.id), unmake(node.running.id, node.ends - now_);
            empty_prefill(instance);
        }
        if (pool == InstancePool::prefill) events_of_caches_.restart(instance);
        for (InstanceId i = 0; i < prefill_.size() && pool == InstancePool::prefill; ++i)
            if (prefill_[i].source_gone(instance, now_, [&](auto slot) { requests_[slot].fetched = 0; }))
                start_prefill(i);
        for (const auto slot : lost) conductor_.gone(slot, now_);
        for (const auto slot : lost) again(slot);
    }
    void empty_prefill(InstanceId instance) {
        const auto version = prefill_[instance].version + 1;
        prefill_[instance] = serving::detail::PrefillNode<Cache>(config_.conductor.cache_blocks);
        prefill_[instance].version = version;
    }
    void change_roles() {
        if (const auto instance = conductor_.change_role(now_); instance != no_instance) {
            ++metrics_.role_changes;
            empty_prefill(instance);
            events_of_caches_.restart(instance);
            at(now_ + config_.switch_seconds, Kind::role, instance);
        }
        at(now_ + 1, Kind::roles, 0);
    }
    /// Its prefill ended with `left` seconds to go; below 0: it had not begun.
    void unmake(std::uint64_t slot, double left) {
        auto& request = requests_[slot];
        if (left < 0) left = request.seconds = 0;
        metrics_.prefill_seconds -= left;
        request.seconds -= left;
    }
    void again(std::uint64_t slot) {
        auto& request = requests_[slot];
        metrics_.wasted_seconds += request.seconds;
        request.seconds = 0;
        if (request.attempts++ >= config_.retries) {
            ++metrics_.failed;
            free_.push_back(slot);
            return;
        }
        ++metrics_.retried;
        place(slot);
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
        case Kind::copied: return end_copy(event.version);
        case Kind::roles: return change_roles();
        case Kind::role: return conductor_.role_changed(event.instance);
        case Kind::fault: return change(event.version);
        case Kind::coupled: {
            if (event.version != versions_[event.instance]) return;
            coupled_events_.clear(), added_.clear(), evicted_.clear();
            coupled_[event.instance].advance(metrics_.itl, coupled_events_, added_, evicted_);
            return coupled_done(event.instance);
        }
        }
    }
};

} // namespace mooncake
