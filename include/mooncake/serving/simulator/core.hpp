#pragma once

#include <mooncake/core/random.hpp>
#include <mooncake/serving/conductor.hpp>
#include <mooncake/serving/simulator/block_cache.hpp>
#include <mooncake/serving/simulator/config.hpp>
#include <mooncake/serving/simulator/coupled_node.hpp>
#include <mooncake/serving/simulator/decode_node.hpp>
#include <mooncake/serving/simulator/delayed_events.hpp>
#include <mooncake/serving/simulator/faults.hpp>
#include <mooncake/serving/simulator/live_request.hpp>
#include <mooncake/serving/simulator/load_sample.hpp>
#include <mooncake/serving/simulator/metrics.hpp>
#include <mooncake/serving/simulator/prefill_node.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <span>
#include <utility>
#include <vector>

namespace mooncake::serving::detail {

/// What a simulation has: its clock, the events to come, the instances, who is being served, and what came out.
template <ConductorTraits Traits, BlockCache Cache>
class SimulatorCore {
  protected:
    using Event = SimulatorEvent;
    using Kind = Event::Kind;
    using Request = LiveRequest;

    SimulatorCore(const SimulatorConfig& config, typename Traits::Prefill prefill, typename Traits::Decode decode,
                  typename Traits::Admission admission, typename Traits::Balance balance, typename Traits::Role role)
        : config_(with_capacity(config)), conductor_(config_.conductor, std::move(prefill), std::move(decode),
                                                     std::move(admission), std::move(balance), std::move(role)),
          random_(config.seed), faults_(config_.faults, config.conductor.prefill_instances,
                                        coupled() ? 0 : config.conductor.decode_instances),
          events_of_caches_(config.conductor.prefill_instances, config.staleness) {
        const auto& conductor = config_.conductor;
        decode_tokens_ = config.conductor.decode_tokens;
        for (std::size_t i = 0; i < conductor.prefill_instances; ++i)
            if (coupled()) coupled_.push_back(new_coupled());
            else prefill_.emplace_back(conductor.cache_blocks);
        for (std::size_t i = 0; i < conductor.decode_instances && !coupled(); ++i) decode_.push_back(new_decode());
        versions_.resize(std::max(coupled_.size(), decode_.size()));
        if (conductor.role_prefill != 0) at(0, Kind::roles, 0);
        for (std::size_t i = 0; i < config_.faults.size(); ++i) {
            if (!faults_.exists(i)) continue;
            at(faults_[i].from, Kind::fault, faults_[i].instance, i);
            if (faults_[i].until < 1e18) at(faults_[i].until, Kind::fault, faults_[i].instance, i);
        }
    }

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

    [[nodiscard]] auto new_coupled() const {
        return CoupledNode<Cache>(config_.coupled, config_.conductor.cost.block_tokens);
    }
    [[nodiscard]] auto new_decode() const {
        const auto& cost = config_.conductor.cost;
        return DecodeNode(cost.decode, cost.transfer.bytes_per_token, decode_tokens_);
    }
    [[nodiscard]] double slower(InstanceId prefill) const noexcept {
        return faults_.state(InstancePool::prefill, prefill).slower;
    }

    void complete(std::uint64_t slot, double tbt) {
        const auto& request = requests_[slot];
        const auto& conductor = config_.conductor;
        conductor_.finished(slot, now_, std::max<std::uint64_t>(1, request.trace.output_length));
        count_completion(metrics_, request, tbt, now_, first_, conductor.ttft_slo, conductor.tbt_slo);
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
    FaultBook faults_;
    double now_ = 0, first_ = 0, last_arrival_ = 0, sample_every_ = 0, next_sample_ = 0;
    std::uint64_t order_ = 0, decode_tokens_ = 0;
    std::priority_queue<Event> events_;
    std::vector<Request> requests_; // that are being served, and free places
    std::vector<std::uint64_t> free_;
    std::vector<CopyUnderWay> copies_;
    std::vector<std::size_t> free_copies_;
    std::vector<PrefillNode<Cache>> prefill_;
    std::vector<DecodeNode> decode_;
    std::vector<CoupledNode<Cache>> coupled_;
    std::vector<std::uint64_t> versions_;
    DelayedEvents events_of_caches_;
    std::vector<BlockKey> added_, evicted_;
    std::vector<DecodeNode::Finished> finished_;
    std::vector<typename CoupledNode<Cache>::Event> coupled_events_;
    std::vector<LoadSample> samples_;
    ServeMetrics metrics_;
};

} // namespace mooncake::serving::detail
