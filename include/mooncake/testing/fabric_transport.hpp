#pragma once

#include <mooncake/core/hash.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/memory/region_table.hpp>
#include <mooncake/transport/concept.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::testing {

namespace detail {

/// A device of the fabric: it knows some memory, each piece by a key of its own, and moves bytes for those who are connected to it,
/// without its owner.
class FabricDevice {
  public:
    struct Known {
        std::uint64_t offset = 0; ///< in the segment
        MutableBytes bytes;
        Rights rights = Rights::none;
    };

    explicit FabricDevice(std::shared_ptr<RegionTable> regions) : regions_(std::move(regions)) {}

    std::uint64_t add(const Known& memory) {
        const auto lock = std::lock_guard(mutex_);
        known_.emplace(++last_, memory);
        return last_;
    }
    void remove(std::uint64_t offset) {
        const auto lock = std::lock_guard(mutex_);
        std::erase_if(known_, [=](const auto& one) { return one.second.offset == offset; });
    }
    std::uint64_t connect() {
        const auto lock = std::lock_guard(mutex_);
        pairs_.insert(++last_);
        return last_;
    }
    void clear() {
        const auto lock = std::lock_guard(mutex_);
        known_.clear();
        pairs_.clear();
    }
    /// All connections end, as those of a card that was reset.
    void disconnect() {
        const auto lock = std::lock_guard(mutex_);
        pairs_.clear();
    }
    /// How many pieces it knows.
    [[nodiscard]] std::size_t size() const {
        const auto lock = std::lock_guard(mutex_);
        return known_.size();
    }

    /// `connection_lost`: that pair is not connected any more; `not_mapped`: it does not know that key. An epoch is looked at
    /// by a device of this fabric itself; one of the real world would need a memory window for each.
    Errc move(std::uint64_t pair, std::uint64_t key, Direction direction, const Slice& slice) {
        const auto lock = std::lock_guard(mutex_);
        if (!pairs_.contains(pair)) return Errc::connection_lost;
        const auto at = known_.find(key);
        if (at == known_.end()) return Errc::not_mapped;
        const auto& memory = at->second;
        const auto write = direction == Direction::write;
        if (!includes(memory.rights, write ? Rights::write : Rights::read)) return Errc::access_denied;
        if (slice.remote < memory.offset || !within(slice.remote - memory.offset, slice.length, memory.bytes.size()))
            return Errc::out_of_range;
        const auto passage = regions_->fence().enter(slice.remote, slice.length, write ? slice.epoch : 0);
        if (!passage) return Errc::stale_epoch;
        auto* const there = memory.bytes.data() + (slice.remote - memory.offset);
        if (slice.length != 0) std::memcpy(write ? there : slice.local, write ? slice.local : there, slice.length);
        return Errc::ok;
    }

  private:
    const std::shared_ptr<RegionTable> regions_;
    mutable std::mutex mutex_; // of what follows
    std::map<std::uint64_t, Known> known_;
    std::set<std::uint64_t> pairs_;
    std::uint64_t last_ = 0;
};

/// All devices of the process, by address.
struct Fabric {
    std::mutex mutex;
    std::map<std::string, std::shared_ptr<FabricDevice>, std::less<>> devices;

    static Fabric& instance() {
        static auto fabric = Fabric();
        return fabric;
    }
    [[nodiscard]] std::shared_ptr<FabricDevice> find(std::string_view address) {
        const auto lock = std::lock_guard(mutex);
        const auto found = devices.find(address);
        return found == devices.end() ? nullptr : found->second;
    }
};

} // namespace detail

struct FabricTransportConfig {
    unsigned devices = 1;                         ///< that peers reach this end by
    std::uint64_t most_bytes = ~std::uint64_t{0}; ///< that may be registered; more is `out_of_memory`
};

/// What RDMA asks of an engine, in memory: several devices, regions that they must know, pairs that both ends have to make before
/// bytes move, and keys of the devices' own, which a peer gets for the access key that it shows. For the tests of all that.
class FabricTransport {
  public:
    static constexpr std::string_view name = "fabric";
    static constexpr unsigned cost = 1;
    static constexpr auto capabilities =
        TransportCapabilities{.one_sided = true, .several_paths = true, .registers = true, .handshakes = true};

    using Config = FabricTransportConfig;

    /// A connection to one device of the peer.
    struct Pair {
        std::shared_ptr<detail::FabricDevice> device;
        std::string address;
        std::uint64_t number = 0;
        PeerDescription peer;

        struct Granted {
            std::uint64_t length = 0, key = 0;
        };
        std::mutex mutex;
        std::map<std::pair<std::uint64_t, std::uint64_t>, Granted> granted; ///< by access key and the region's offset
    };
    using Link = std::shared_ptr<Pair>;

    explicit FabricTransport(TransportContext context, Config config = {})
        : regions_(std::move(context.regions)), config_(config), id_(std::to_string(random_secret())) {
        for (unsigned i = 0; i < config_.devices; ++i)
            devices_.push_back(std::make_shared<detail::FabricDevice>(regions_));
    }
    FabricTransport(const FabricTransport&) = delete;
    FabricTransport& operator=(const FabricTransport&) = delete;

    void start() {
        auto& fabric = detail::Fabric::instance();
        const auto lock = std::lock_guard(fabric.mutex);
        for (std::size_t i = 0; i < devices_.size(); ++i) fabric.devices.emplace(address(i), devices_[i]);
    }
    [[nodiscard]] std::string describe() const { return address(0); }
    [[nodiscard]] std::vector<std::string> describe_others() const {
        auto all = std::vector<std::string>();
        for (std::size_t i = 1; i < devices_.size(); ++i) all.push_back(address(i));
        return all;
    }
    [[nodiscard]] bool reaches(std::string_view description) const {
        return detail::Fabric::instance().find(description) != nullptr;
    }

    Task<void> attach(RegionPin region) {
        const auto lock = std::lock_guard(mutex_);
        if (closed_) co_return Errc::closed;
        if (region->bytes.size() > config_.most_bytes - registered_)
            co_return Error(Errc::out_of_memory, "the devices know " + std::to_string(registered_) +
                                                     " bytes of at most " + std::to_string(config_.most_bytes));
        registered_ += region->bytes.size();
        auto& keys = keys_[region->offset];
        for (const auto& device : devices_)
            for (const auto rights : {Rights::read, Rights::write, Rights::read_write})
                keys.push_back(device->add({region->offset, region->bytes, rights}));
        co_return ok;
    }
    void detach(const Region& region) {
        const auto lock = std::lock_guard(mutex_);
        if (keys_.erase(region.offset) == 0) return;
        registered_ -= region.bytes.size();
        for (const auto& device : devices_) device->remove(region.offset);
    }

    /// `pair <device> <generation>`: a pair's number. `key <device> <offset> <access key>`: the region's offset and length, and the
    /// device's key for it.
    [[nodiscard]] Result<std::string> accept(std::string question) {
        auto words = std::istringstream(std::move(question));
        auto what = std::string(), device = std::string();
        auto first = std::uint64_t{0}, second = std::uint64_t{0};
        words >> what >> device >> first;
        if (what == "key") words >> second;
        const auto at = index_of(device);
        if (!words || at == devices_.size() || (what != "pair" && what != "key"))
            return Error(Errc::protocol_error, "the fabric does not understand this handshake");
        if (what == "key") return key_for(at, first, second);
        if (first != regions_->generation()) return Errc::stale_generation;
        return std::to_string(devices_[at]->connect());
    }

    Task<Link> connect(PeerDescription peer, Deadline deadline) {
        auto pair = std::make_shared<Pair>();
        pair->address = peer.description;
        pair->device = detail::Fabric::instance().find(peer.description);
        if (!pair->device) co_return Error(Errc::unreachable, "no device of the fabric is at " + peer.description);
        if (!peer.handshake) co_return Error(Errc::unreachable, "the fabric needs handshakes, and nobody carries them");
        auto asked = peer.handshake("pair " + peer.description + " " + std::to_string(peer.generation), deadline);
        const auto answer = co_await std::move(asked);
        if (!answer) co_return answer.error();
        pair->number = std::stoull(*answer);
        pair->peer = std::move(peer);
        co_return pair;
    }

    Task<void> transfer(Link link, SliceGroup group) {
        for (auto& slice : group.slices) {
            slice.outcome = group.deadline.passed() ? Errc::timed_out : Errc::not_mapped;
            for (auto attempt = 0; attempt < 2 && slice.outcome == Errc::not_mapped; ++attempt) {
                const auto key = co_await key_of(link, slice, group.deadline);
                slice.outcome =
                    key ? link->device->move(link->number, *key, group.direction, slice) : key.error().code();
                if (slice.outcome == Errc::not_mapped) forget(*link); // the region is gone, or was registered anew
            }
            if (slice.outcome == Errc::not_mapped) slice.outcome = Errc::out_of_range;
            if (slice.outcome == Errc::ok && group.digest == Digest::xxh3)
                slice.digest = hash_bytes({slice.local, slice.length});
        }
        const auto lost = std::any_of(group.slices.begin(), group.slices.end(),
                                      [](const Slice& slice) { return slice.outcome == Errc::connection_lost; });
        if (lost) co_return Error(Errc::connection_lost, link->address + " is gone from the fabric");
        co_return ok;
    }

    asio::awaitable<void> close() {
        {
            const auto lock = std::lock_guard(mutex_);
            closed_ = true;
        }
        auto& fabric = detail::Fabric::instance();
        const auto lock = std::lock_guard(fabric.mutex);
        for (std::size_t i = 0; i < devices_.size(); ++i) {
            fabric.devices.erase(address(i));
            devices_[i]->clear();
        }
        co_return;
    }

  private:
    [[nodiscard]] std::string address(std::size_t device) const {
        return "fabric-" + id_ + "-" + std::to_string(device);
    }
    [[nodiscard]] std::size_t index_of(std::string_view device) const {
        auto at = std::size_t{0};
        while (at < devices_.size() && address(at) != device) ++at;
        return at;
    }

    Result<std::string> key_for(std::size_t device, std::uint64_t offset, std::uint64_t access) {
        const auto regions = regions_->snapshot();
        const auto reads = regions.resolve(offset, 0, access, Rights::read);
        const auto writes = regions.resolve(offset, 0, access, Rights::write);
        if (reads.error != Errc::ok && writes.error != Errc::ok) return reads.error;
        const auto& region = **(reads.error == Errc::ok ? reads : writes).region;
        const auto lock = std::lock_guard(mutex_);
        const auto keys = keys_.find(region.offset);
        if (keys == keys_.end()) return Errc::out_of_range;
        const auto kind = reads.error != Errc::ok ? 1U : writes.error != Errc::ok ? 0U : 2U;
        const auto key = keys->second[3 * device + kind];
        return std::to_string(region.offset) + " " + std::to_string(region.bytes.size()) + " " + std::to_string(key);
    }

    static std::uint64_t granted(Pair& pair, const Slice& slice) {
        const auto lock = std::lock_guard(pair.mutex);
        auto after = pair.granted.upper_bound({slice.key, slice.remote});
        if (after == pair.granted.begin()) return 0;
        const auto& [where, what] = *std::prev(after);
        return where.first == slice.key && slice.remote - where.second < what.length ? what.key : 0;
    }
    static void forget(Pair& pair) {
        const auto lock = std::lock_guard(pair.mutex);
        pair.granted.clear();
    }
    /// The device's key for where the slice goes: the one that is known, or what the owner gives for the access key.
    static Task<std::uint64_t> key_of(Link link, const Slice& slice, Deadline deadline) {
        if (const auto known = granted(*link, slice); known != 0) co_return known;
        auto asked = link->peer.handshake(
            "key " + link->address + " " + std::to_string(slice.remote) + " " + std::to_string(slice.key), deadline);
        const auto answer = co_await std::move(asked);
        if (!answer) co_return answer.error();
        auto words = std::istringstream(*answer);
        auto offset = std::uint64_t{0};
        auto what = Pair::Granted();
        if (!(words >> offset >> what.length >> what.key))
            co_return Error(Errc::protocol_error, "the fabric's answer could not be read");
        const auto lock = std::lock_guard(link->mutex);
        link->granted.insert_or_assign({slice.key, offset}, what);
        co_return what.key;
    }

    const std::shared_ptr<RegionTable> regions_;
    const FabricTransportConfig config_;
    const std::string id_;
    std::vector<std::shared_ptr<detail::FabricDevice>> devices_;
    std::mutex mutex_; // of what follows
    bool closed_ = false;
    std::uint64_t registered_ = 0;
    std::map<std::uint64_t, std::vector<std::uint64_t>>
        keys_; ///< of each region: for each device one to read, one to write and one for both
};

static_assert(RegisteringTransport<FabricTransport> && HandshakingTransport<FabricTransport> &&
              SeveralPathsTransport<FabricTransport>);

} // namespace mooncake::testing
