#pragma once

#include <mooncake/serving/conductor_config.hpp>
#include <mooncake/serving/conductor_traits.hpp>
#include <mooncake/serving/index/index_feed.hpp>
#include <mooncake/serving/pace.hpp>
#include <mooncake/serving/role/role_book.hpp>
#include <mooncake/serving/served_request.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mooncake {

/// Routes requests to where their cache is, and turns away what cannot be served in time. Decisions alone: it does no I/O
/// and has no clock; whoever uses it says what happened, and when. In a live cluster and in `Simulator` it is the same code.
///
/// Life of a request: `route`, and if it is admitted `prefill_started`, `prefill_finished`, `finished`; `gone` whenever it
/// is given up. Where machines change roles (`ConductorConfig::role_prefill`): `change_role` about once a second. Calls with an id that is not being served are passed over.
///
/// Thread: one at a time. Times: seconds of any clock that does not go back. Complexity: O(instances + blocks) a request.
template <ConductorTraits Traits = DefaultConductorTraits>
class Conductor {
  public:
    using Prefill = typename Traits::Prefill;
    using Decode = typename Traits::Decode;
    using Admission = typename Traits::Admission;
    using Balance = typename Traits::Balance;
    using Role = typename Traits::Role;

    /// `config` is valid: see `validate`.
    explicit Conductor(const ConductorConfig& config, Prefill prefill = Prefill(), Decode decode = Decode(),
                       Admission admission = Admission(), Balance balance = Balance(), Role role = Role())
        : config_(config), prefill_policy_(std::move(prefill)), decode_policy_(std::move(decode)),
          admission_(std::move(admission)), balance_(std::move(balance)), role_policy_(std::move(role)),
          feed_(index_, config.event_window), prefill_(config.prefill_instances),
          decode_(config.mode == ServingMode::coupled ? 0 : config.decode_instances), held_(config.prefill_instances),
          paces_(config.prefill_instances) {
        for (InstanceId i = 0; i < prefill_.size(); ++i)
            feed_.add(i), prefill_[i].capacity_blocks = config.cache_blocks;
        for (auto& one : decode_) one.capacity_tokens = config.decode_tokens;
        for (InstanceId i = 0; i < prefill_.size() && config.role_prefill != 0; ++i) {
            roles_.add(i < config.role_prefill ? ServingRole::prefill : ServingRole::decode);
            decode_[i].up = i >= config.role_prefill;
            if (decode_[i].up) set_prefill(i, ServingState::down);
        }
    }
    Conductor(const Conductor&) = delete;
    Conductor& operator=(const Conductor&) = delete;

    /// Where the request goes, or why it is turned away. An id that is being served is taken to be given up.
    [[nodiscard]] ServeDecision route(const ServeRequest& request) {
        gone(request.id, request.now);
        if (request.now >= paces_at_ + 1) { // what is known of them fades
            paces_at_ = request.now;
            for (InstanceId i = 0; i < prefill_.size(); ++i) prefill_[i].pace = paces_.of(i, request.now);
        }
        index_.match(request.blocks, held_);
        if (config_.remember > 0) add_remembered(request);
        for (InstanceId i = 0; i < prefill_.size(); ++i) // whoever is down sends nothing
            if (!prefill_[i].up) held_[i] = 0;
        const auto wanted = PrefillRequest{.now = request.now,
                                           .tokens = request.tokens,
                                           .blocks = request.blocks,
                                           .held = held_,
                                           .ttft_slo = config_.ttft_slo,
                                           .priority = request.priority,
                                           .cost = &config_.cost,
                                           .chunk_seconds = chunk_seconds()};
        auto decision = ServeDecision{.prefill = prefill_policy_.choose(wanted, prefill_)};
        const auto& choice = decision.prefill;
        if (!decode_.empty())
            decision.decode =
                decode_policy_.choose({.now = request.now, .tokens = request.tokens, .cost = &config_.cost}, decode_);
        if (choice.instance == no_instance || (!decode_.empty() && decision.decode == no_instance)) {
            decision.verdict = {.reason = Rejection::all_down, .retry_after = 1};
            return decision;
        }
        if (!decode_.empty() && request.tokens >= decode_[decision.decode].capacity_tokens) {
            decision.verdict = {.reason = Rejection::does_not_fit, .retry_after = 3600};
            return decision;
        }
        const auto seconds = wanted.seconds(choice.reused) * prefill_[choice.instance].pace;
        const auto ready = choice.source == no_instance
                               ? request.now
                               : wanted.arrival(prefill_[choice.source], held_[choice.instance], choice.reused);
        if (!roles().empty()) role_policy_.routed(request.now, seconds, wanted.seconds(0));
        decision.ttft = std::max(wanted.start(prefill_[choice.instance], choice.key), ready) + seconds - request.now;
        const auto asked = AdmissionRequest{.now = request.now,
                                            .tokens = request.tokens,
                                            .priority = request.priority,
                                            .prefill_seconds = seconds,
                                            .ttft = decision.ttft,
                                            .ttft_slo = config_.ttft_slo,
                                            .tbt_slo = config_.tbt_slo,
                                            .decode = decision.decode};
        decision.verdict = admission_.admit(asked, view());
        if (!decision.verdict.admitted()) return decision;
        accept(request, decision, seconds, wanted.new_tokens(choice.reused));
        decision.copy = balance_.routed({.now = request.now,
                                         .blocks = request.blocks,
                                         .held = held_,
                                         .instance = choice.instance,
                                         .cost = &config_.cost},
                                        prefill_);
        if (const auto& copy = decision.copy; copy.target != no_instance)
            send(copy.source, request.now, copy.blocks - held_[copy.target]);
        return decision;
    }

    /// Its prefill has begun and will take `seconds` from `now`, by the cost model and with what is in the cache.
    void prefill_started(std::uint64_t id, double now, double seconds) {
        const auto found = live_.find(id);
        if (found == live_.end() || found->second.stage != Stage::waits) return;
        auto& request = found->second;
        unqueue(request, id);
        prefill_[request.prefill].busy_until = now + seconds * prefill_[request.prefill].pace;
        if (request.expected <= 0) request.expected = seconds;
        request.began = now;
        paces_.began(request.prefill, now, request.ran, request.expected);
        prefill_[request.prefill].running_key = request.key;
        request.stage = Stage::runs;
    }

    /// Its prefill made way for another, with `seconds` left.
    void prefill_paused(std::uint64_t id, double now, double seconds) {
        const auto found = live_.find(id);
        if (found == live_.end() || found->second.stage != Stage::runs) return;
        auto& request = found->second;
        prefill_[request.prefill].busy_until = now;
        request.ran += now - request.began;
        paces_.ended(request.prefill);
        request.seconds = seconds * prefill_[request.prefill].pace;
        request.stage = Stage::waits;
        enqueue(request, id);
    }

    /// Its prefill is over. Whether it goes on to decode: false means that the decode pool has no room for it within what was
    /// promised to others, and the prefill was in vain.
    [[nodiscard]] bool prefill_finished(std::uint64_t id, double now) {
        const auto found = live_.find(id);
        if (found == live_.end()) return true;
        auto& request = found->second;
        if (request.stage != Stage::waits && request.stage != Stage::runs) return true; // it was said before
        if (request.stage == Stage::runs) {
            paces_.add(request.prefill, now, request.ran + now - request.began, request.expected);
            prefill_[request.prefill].pace = paces_.of(request.prefill, now);
        }
        leave_prefill(request, id, now);
        if (config_.remember > 0) {
            finished_index_.stored(request.prefill, request.keys);
            finished_.push_back({now + config_.remember, request.prefill, std::move(request.keys)});
        }
        if (request.decode == no_instance) return true;
        if (!decode_[request.decode].up) move_decode(request, id, now);
        const auto asked = AdmissionRequest{.now = now,
                                            .tokens = request.tokens,
                                            .priority = request.priority,
                                            .ttft_slo = config_.ttft_slo,
                                            .tbt_slo = config_.tbt_slo,
                                            .decode = request.decode};
        if (!decode_[request.decode].up || !admission_.joins(asked, view())) {
            gone(id, now);
            return false;
        }
        auto& instance = decode_[request.decode];
        instance.sequences += 1, instance.tokens += request.tokens;
        instance.coming -= 1, instance.coming_tokens -= request.tokens;
        for (auto& work : instance.work)
            if (work.id == id) work.joined = true, work.joins_at = now;
        request.stage = Stage::decodes;
        return true;
    }

    /// Its last token is there.
    void finished(std::uint64_t id, double now, std::uint64_t output_tokens) {
        const auto found = live_.find(id);
        if (found == live_.end()) return;
        admission_.finished(found->second.tokens, output_tokens);
        gone(id, now);
    }

    /// It was given up, or its instance is gone.
    void gone(std::uint64_t id, double now) {
        const auto found = live_.find(id);
        if (found == live_.end()) return;
        auto& request = found->second;
        if (request.stage == Stage::waits || request.stage == Stage::runs) leave_prefill(request, id, now);
        if (request.decode == no_instance) {
            release(request);
        } else {
            auto& instance = decode_[request.decode];
            const auto decodes = request.stage == Stage::decodes;
            (decodes ? instance.sequences : instance.coming) -= 1;
            (decodes ? instance.tokens : instance.coming_tokens) -= request.tokens;
            std::erase_if(instance.work, [&](const DecodeWork& work) { return work.id == id; });
        }
        live_.erase(found);
    }

    /// An instance came, or comes again with an empty cache; or it went. Requests of one that went are to be given up.
    void set_prefill(InstanceId instance, ServingState state) {
        if (instance >= prefill_.size()) return;
        prefill_[instance].up = state == ServingState::up;
        prefill_[instance].cached_blocks = 0;
        finished_index_.forget(instance);
        paces_.forget(instance);
        prefill_[instance].pace = 1;
        state == ServingState::up ? feed_.add(instance) : feed_.remove(instance);
    }
    void set_decode(InstanceId instance, ServingState state) {
        if (instance < decode_.size()) decode_[instance].up = state == ServingState::up;
    }

    /// Call it about once a second where machines change roles. A machine that is to take the other role and has finished all
    /// that it had been given: its cache is gone; get it ready, and call `role_changed`. None, most times.
    [[nodiscard]] InstanceId change_role(double now) {
        if (roles().empty()) return no_instance;
        const auto leaves = role_policy_.change({.now = now,
                                                 .cluster = view(),
                                                 .roles = roles(),
                                                 .ttft_slo = config_.ttft_slo,
                                                 .tbt_slo = config_.tbt_slo});
        if (roles_.leave(leaves)) prefill_[leaves].up = decode_[leaves].up = false;
        const auto left = roles_.left(
            [&](InstanceId i) { return prefill_[i].requests == 0 && decode_[i].sequences + decode_[i].coming == 0; });
        if (left != no_instance && roles()[left] == ServingRole::to_decode) set_prefill(left, ServingState::down);
        return left;
    }
    /// It is ready for its new role.
    void role_changed(InstanceId instance) {
        const auto role = roles_.arrive(instance);
        if (role == ServingRole::prefill) set_prefill(instance, ServingState::up);
        if (role == ServingRole::decode) set_decode(instance, ServingState::up);
    }

    /// What an instance says of its cache. `behind`: ask it for all that it holds and give that to `recover`.
    IndexFeed::Outcome event(IndexEvent event) {
        const auto instance = event.instance;
        const auto kind = event.kind;
        const auto count = static_cast<std::uint64_t>(event.blocks.size());
        if (kind == IndexEvent::Kind::removed) finished_index_.removed(instance, event.blocks);
        if (kind == IndexEvent::Kind::cleared) finished_index_.forget(instance);
        const auto outcome = feed_.apply(std::move(event));
        if (outcome != IndexFeed::Outcome::applied && outcome != IndexFeed::Outcome::waiting) return outcome;
        if (instance >= prefill_.size()) return outcome;
        auto& blocks = prefill_[instance].cached_blocks;
        if (kind == IndexEvent::Kind::stored) blocks += count;
        else blocks = kind == IndexEvent::Kind::cleared ? 0 : blocks - std::min(blocks, count);
        return outcome;
    }
    IndexFeed::Outcome recover(InstanceId instance, std::uint64_t sequence, std::span<const BlockKey> blocks) {
        if (instance < prefill_.size()) prefill_[instance].cached_blocks = blocks.size();
        return feed_.recover(instance, sequence, blocks);
    }
    void report_bad(InstanceId instance, BlockKey key) {
        feed_.report_bad(instance, key);
        finished_index_.removed(instance, std::span(&key, 1));
    }

    /// Where a request decodes, or is to: not where it was to at first, if that instance went meanwhile. None where nobody
    /// knows it.
    [[nodiscard]] InstanceId decode_of(std::uint64_t id) const noexcept {
        const auto found = live_.find(id);
        return found == live_.end() ? no_instance : found->second.decode;
    }
    [[nodiscard]] ClusterView view() const noexcept { return {prefill_, decode_, &config_.cost}; }
    /// Of each machine, where they change; else empty.
    [[nodiscard]] std::span<const ServingRole> roles() const noexcept { return roles_.roles(); }
    [[nodiscard]] const PrefixIndex& index() const noexcept { return index_; }
    [[nodiscard]] const ConductorConfig& config() const noexcept { return config_; }
    [[nodiscard]] const Admission& admission() const noexcept { return admission_; }
    /// How many requests are being served.
    [[nodiscard]] std::size_t live() const noexcept { return live_.size(); }

  private:
    using Live = serving::detail::ServedRequest;
    using Stage = Live::Stage;

    [[nodiscard]] double chunk_seconds() const noexcept {
        return config_.cost.prefill.linear * static_cast<double>(config_.prefill_chunk) / 1024;
    }

    void accept(const ServeRequest& request, const ServeDecision& decision, double seconds, std::uint64_t new_tokens) {
        const auto& choice = decision.prefill;
        auto& instance = prefill_[choice.instance];
        instance.requests += 1;
        instance.new_tokens += new_tokens;
        instance.active_blocks += request.blocks.size();
        if (choice.source != no_instance) send(choice.source, request.now, choice.reused - held_[choice.instance]);
        if (decision.decode != no_instance) {
            auto& decode = decode_[decision.decode];
            decode.coming += 1, decode.coming_tokens += request.tokens;
            decode.work.push_back(
                {.id = request.id, .tokens = request.tokens, .joins_at = request.now + decision.ttft});
        }
        auto& live = live_[request.id] = {.prefill = choice.instance,
                                          .decode = decision.decode,
                                          .priority = request.priority,
                                          .key = choice.key,
                                          .seconds = seconds,
                                          .tokens = request.tokens,
                                          .new_tokens = new_tokens,
                                          .blocks = request.blocks.size()};
        if (config_.remember > 0) live.keys.assign(request.blocks.begin(), request.blocks.end());
        enqueue(live, request.id);
    }

    void send(InstanceId source, double now, std::uint64_t blocks) {
        prefill_[source].nic.send(now, blocks * config_.cost.block_tokens, config_.cost.transfer);
    }

    /// What was prefilled a moment ago is there, though no event has said so yet.
    void add_remembered(const ServeRequest& request) {
        for (; !finished_.empty() && finished_.front().until <= request.now; finished_.pop_front())
            finished_index_.removed(finished_.front().instance, finished_.front().keys);
        finished_held_.resize(held_.size());
        finished_index_.match(request.blocks, finished_held_);
        for (std::size_t i = 0; i < held_.size(); ++i) held_[i] = std::max(held_[i], finished_held_[i]);
    }

    void enqueue(const Live& request, std::uint64_t id) {
        auto& instance = prefill_[request.prefill];
        const auto at = std::upper_bound(instance.queue.begin(), instance.queue.end(), request.key,
                                         [](double key, const QueuedPrefill& waits) { return key < waits.key; });
        instance.queue.insert(at, {.key = request.key, .seconds = request.seconds, .id = id});
        instance.queued_seconds += request.seconds;
    }

    void unqueue(const Live& request, std::uint64_t id) {
        auto& instance = prefill_[request.prefill];
        auto at = std::lower_bound(instance.queue.begin(), instance.queue.end(), request.key,
                                   [](const QueuedPrefill& waits, double key) { return waits.key < key; });
        while (at != instance.queue.end() && at->id != id) ++at;
        if (at == instance.queue.end()) return;
        instance.queue.erase(at);
        instance.queued_seconds = instance.queue.empty() ? 0 : std::max(0.0, instance.queued_seconds - request.seconds);
    }

    void leave_prefill(Live& request, std::uint64_t id, double now) {
        auto& instance = prefill_[request.prefill];
        if (request.stage == Stage::waits) unqueue(request, id);
        else instance.busy_until = std::min(instance.busy_until, now), paces_.ended(request.prefill);
        request.stage = Stage::left;
        instance.new_tokens -= request.new_tokens;
        if (request.decode != no_instance) release(request); // where coupled it stays until its last token
    }

    /// Where it was to decode is gone. Where nobody is up it stays, and does not join.
    void move_decode(Live& request, std::uint64_t id, double now) {
        const auto to = decode_policy_.choose({.now = now, .tokens = request.tokens, .cost = &config_.cost}, decode_);
        if (to == no_instance) return;
        auto &from = decode_[request.decode], &taken = decode_[to];
        from.coming -= 1, from.coming_tokens -= request.tokens;
        taken.coming += 1, taken.coming_tokens += request.tokens;
        std::erase_if(from.work, [&](const DecodeWork& work) { return work.id == id; });
        taken.work.push_back({.id = id, .tokens = request.tokens, .joins_at = now});
        request.decode = to;
    }

    void release(const Live& request) {
        prefill_[request.prefill].requests -= 1;
        prefill_[request.prefill].active_blocks -= request.blocks;
    }

    ConductorConfig config_;
    Prefill prefill_policy_;
    Decode decode_policy_;
    Admission admission_;
    Balance balance_;
    Role role_policy_;
    PrefixIndex index_;
    IndexFeed feed_;
    std::vector<PrefillInstance> prefill_;
    std::vector<DecodeInstance> decode_;
    std::vector<std::uint32_t> held_, finished_held_; // of the request being routed
    PrefixIndex finished_index_;                      // of prefills that finished a moment ago
    std::deque<serving::detail::FinishedPrefill> finished_;
    std::unordered_map<std::uint64_t, Live> live_;
    serving::detail::RoleBook roles_;
    Paces paces_;
    double paces_at_ = 0; // when all instances' were looked at
};

} // namespace mooncake
