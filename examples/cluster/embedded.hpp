#pragma once

#include <mooncake/mooncake.hpp>
#include <mooncake/store/eviction/any.hpp>

#include "blocks.hpp"
#include "report.hpp"

#include <chrono>
#include <cstdint>
#include <ctime>
#include <list>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace cluster {

/// Seconds of processor time that this process has used.
inline double cpu_seconds() {
    auto now = timespec();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

struct EmbeddedConfig {
    std::uint64_t capacity_blocks = 10'000;
    std::uint64_t block_bytes = 4096;
    bool one_by_one = false; ///< puts the blocks of a request one after the other, and not at once
};

/// A replay against a store in this process, one request after the other, as the reference counts: the leading blocks that
/// are there are hits, then every block is touched, head to tail, and what is absent is stored.
class EmbeddedReplay {
    struct Traits : mooncake::DefaultMasterTraits {
        using Eviction = mooncake::AnyEviction;
    };
    using Store = mooncake::EmbeddedStore<Traits>;

  public:
    EmbeddedReplay(mooncake::Runtime& runtime, const EmbeddedConfig& config, mooncake::AnyEviction eviction)
        : config_(config), store_(runtime, store_config(config, std::move(eviction))) {}

    mooncake::Task<void> run(std::span<const mooncake::TraceRequest> trace, Totals& totals) {
        const auto start = mooncake::SteadyClock{}.now();
        for (const auto& request : trace) {
            const auto done = co_await replay(request, totals);
            if (!done) co_return done.error();
        }
        totals.seconds = std::chrono::duration<double>(mooncake::SteadyClock{}.now() - start).count();
        for (const auto& transport : store_.engine().statistics())
            totals.transports.push_back({std::string(transport.name), transport.read_bytes, transport.written_bytes});
        co_return mooncake::ok;
    }

  private:
    static Store::Config store_config(const EmbeddedConfig& config, mooncake::AnyEviction eviction) {
        auto store = Store::Config();
        store.master.parts.eviction = std::move(eviction);
        store.master.capacity = config.capacity_blocks * config.block_bytes;
        return store;
    }

    mooncake::Task<void> replay(const mooncake::TraceRequest& request, Totals& totals) {
        const auto& ids = request.hash_ids;
        const auto size = config_.block_bytes;
        if (memory_.size() < ids.size() * size) memory_.resize(ids.size() * size);
        const auto memory = std::span(memory_);
        keys_.clear();
        gets_.clear();
        for (const auto id : ids) keys_.push_back(block_key(id));
        for (std::size_t i = 0; i < ids.size(); ++i) gets_.push_back({keys_[i], memory.subspan(i * size, size)});
        const auto reading = mooncake::GetBatchOptions{.mode = mooncake::LookUp::prefix};
        const auto found = co_await store_.get_batch(gets_, reading);
        if (!found) co_return found.error();
        const auto hits = found->outcomes.size();
        for (std::size_t i = 0; i < hits; ++i) {
            if (found->outcomes[i] != mooncake::Errc::ok) ++totals.lost;
            else if (!BlockPattern(ids[i]).matches(gets_[i].into)) ++totals.mismatches;
        }
        puts_.clear();
        for (auto i = hits; i < ids.size(); ++i) {
            BlockPattern(ids[i]).fill(gets_[i].into);
            puts_.push_back({keys_[i], gets_[i].into});
        }
        const auto at_once = config_.one_by_one ? std::size_t{1} : puts_.size();
        for (auto i = hits; i < ids.size(); i += at_once) {
            auto putting = mooncake::PutOptions{.chain = mooncake::Chain::yes};
            if (i != 0) putting.parent = keys_[i - 1];
            const auto put = co_await store_.put_batch(std::span(puts_).subspan(i - hits, at_once), putting);
            if (!put) co_return put.error();
            for (const auto outcome : put->outcomes) {
                if (outcome == mooncake::Errc::ok) ++totals.stored_blocks;
                else if (outcome != mooncake::Errc::exists) ++totals.unstored_blocks;
            }
        }
        const auto hit_tokens = std::min(request.input_length, hits * mooncake::trace_block_tokens);
        ++totals.requests;
        totals.blocks += ids.size();
        totals.hit_blocks += hits;
        totals.tokens += request.input_length;
        totals.hit_tokens += hit_tokens;
        totals.read_bytes += hits * size;
        totals.written_bytes += puts_.size() * size;
        const auto cost = mooncake::PrefillCost();
        totals.prefill_seconds += cost.seconds(request.input_length, hit_tokens);
        totals.prefill_seconds_saved +=
            cost.seconds(request.input_length) - cost.seconds(request.input_length, hit_tokens);
        co_return mooncake::ok;
    }

    const EmbeddedConfig config_;
    Store store_;
    std::vector<std::byte> memory_;
    std::vector<std::string> keys_;
    std::vector<mooncake::GetItem> gets_;
    std::vector<mooncake::PutItem> puts_;
};

/// What the same blocks cost without a store: generate each, copy it into or out of a cache that a plain LRU rules, and
/// hash the copy. What the store's cost is compared with.
class PlainLru {
  public:
    explicit PlainLru(const EmbeddedConfig& config)
        : config_(config), cache_(config.capacity_blocks * config.block_bytes), block_(config.block_bytes) {
        places_.reserve(config.capacity_blocks);
    }

    void run(std::span<const mooncake::TraceRequest> trace) {
        for (const auto& request : trace)
            for (const auto id : request.hash_ids) use(id);
    }
    /// Keeps the work from being optimised away.
    [[nodiscard]] std::uint64_t checksum() const noexcept { return checksum_; }

  private:
    struct Entry {
        std::uint64_t id;
        std::size_t place;
    };

    void use(std::uint64_t id) {
        const auto generated = BlockPattern(id);
        generated.fill(block_);
        const auto found = places_.find(id);
        if (found != places_.end()) {
            order_.splice(order_.end(), order_, found->second);
            std::memcpy(block_.data(), at(found->second->place), config_.block_bytes);
            checksum_ ^= mooncake::hash_bytes(block_);
            return;
        }
        auto place = order_.size();
        if (order_.size() == config_.capacity_blocks) {
            place = order_.front().place;
            places_.erase(order_.front().id);
            order_.pop_front();
        }
        order_.push_back({id, place});
        places_.emplace(id, std::prev(order_.end()));
        std::memcpy(at(place), block_.data(), config_.block_bytes);
        checksum_ ^= mooncake::hash_bytes({at(place), config_.block_bytes});
    }

    [[nodiscard]] std::byte* at(std::size_t place) noexcept { return cache_.data() + place * config_.block_bytes; }

    const EmbeddedConfig config_;
    std::vector<std::byte> cache_;
    std::vector<std::byte> block_;
    std::list<Entry> order_;
    std::unordered_map<std::uint64_t, std::list<Entry>::iterator> places_;
    std::uint64_t checksum_ = 0;
};

} // namespace cluster
