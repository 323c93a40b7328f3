// labels: unit
#include <mooncake/store/master/master.hpp>

#include "master_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace mooncake;
using namespace mooncake::testing;

namespace {

/// What a master of one segment of equal blocks must answer: everything written down, everything searched for.
class Oracle {
  public:
    explicit Oracle(std::size_t blocks, Duration skew) : blocks_(blocks), skew_(skew) {}

    struct Object {
        std::uint64_t version = 0, offset = 0, order = 0;
        bool committed = false, pinned = false, compares = false;
        TimePoint deadline{};
    };
    struct Lease {
        TimePoint expiry;
        std::vector<std::uint64_t> versions;
    };
    struct Held {
        std::uint64_t version, offset;
        TimePoint until;
    };

    TimePoint now{};
    std::map<std::string, Object> objects;
    std::map<std::string, Object> successors; // that are being written, to take the place of visible objects
    std::map<std::uint64_t, Lease> leases;
    std::vector<Held> held;

    bool leased(std::uint64_t version) const {
        return std::any_of(leases.begin(), leases.end(), [&](const auto& lease) {
            const auto& versions = lease.second.versions;
            return lease.second.expiry > now && std::find(versions.begin(), versions.end(), version) != versions.end();
        });
    }
    /// Time passed: writers that are late are aborted, and what nobody reaches any more is free.
    void settle() {
        std::erase_if(successors, [&](const auto& entry) {
            const auto& object = entry.second;
            if (object.deadline > now) return false;
            held.push_back({object.version, object.offset, object.deadline + skew_});
            return true;
        });
        for (auto at = objects.begin(); at != objects.end();)
            if (!at->second.committed && at->second.deadline <= now) {
                held.push_back({at->second.version, at->second.offset, at->second.deadline + skew_});
                at = objects.erase(at);
            } else {
                ++at;
            }
        std::erase_if(held, [&](const Held& h) { return h.until <= now && !leased(h.version); });
    }
    bool visible(const std::string& key) const {
        const auto found = objects.find(key);
        return found != objects.end() && found->second.committed;
    }
    /// It goes; its successor, if any, is the key's object now.
    void erase(const std::string& key) {
        objects.erase(key);
        if (auto heir = successors.extract(key)) objects[key] = heir.mapped();
    }
    /// The key's object or its successor, whichever is `version`.
    Object* find(const std::string& key, std::uint64_t version) {
        for (auto* const in : {&objects, &successors})
            if (const auto found = in->find(key); found != in->end() && found->second.version == version)
                return &found->second;
        return nullptr;
    }
    /// What a put is told before there is space for it.
    Errc may_write(const std::string& key, WriteMode mode, std::uint64_t expected) const {
        const auto found = objects.find(key);
        if (found == objects.end()) return expected == 0 ? Errc::ok : Errc::conflict;
        if (!found->second.committed) return Errc::being_written;
        if (mode == WriteMode::create) return Errc::exists;
        if (mode == WriteMode::compare && expected != found->second.version) return Errc::conflict;
        return successors.contains(key) ? Errc::being_written : Errc::ok;
    }
    void touch(const std::string& key) { objects.at(key).order = ++clock_; }
    void insert(const std::string& key, Object object) {
        object.order = ++clock_;
        (objects.contains(key) ? successors : objects)[key] = object;
    }

    /// Whether there is a block for a new object, after an eviction if it must be; not of `kept`, which it is compared with.
    bool make_room(std::uint64_t kept) {
        if (objects.size() + successors.size() + held.size() < blocks_) return true;
        auto victim = objects.end();
        for (auto at = objects.begin(); at != objects.end(); ++at) {
            const auto& [key, object] = *at;
            if (!object.committed || object.pinned || leased(object.version)) continue;
            if (kept != 0 && object.version == kept) continue;
            if (victim == objects.end() || object.order < victim->second.order) victim = at;
        }
        if (victim == objects.end()) return false;
        erase(std::string(victim->first));
        return true;
    }
    bool in_use(std::uint64_t offset) const {
        const auto there = [&](const auto& o) { return o.second.offset == offset; };
        return std::any_of(objects.begin(), objects.end(), there) ||
               std::any_of(successors.begin(), successors.end(), there) ||
               std::any_of(held.begin(), held.end(), [&](const auto& h) { return h.offset == offset; });
    }

  private:
    std::size_t blocks_;
    Duration skew_;
    std::uint64_t clock_ = 0;
};

} // namespace

TEST_CASE("master: a long random life is answered exactly as a list that remembers everything would") {
    constexpr std::size_t blocks = 12;
    constexpr auto skew = 7ms;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        auto random = std::mt19937_64(seed);
        const auto punctual =
            seed % 2 == 0; // whether `expire` is called whenever time passes, or only what needs it notices
        auto f = MasterFixture(blocks, {.segment_ttl = Duration::max(), .skew = skew});
        auto oracle = Oracle(blocks, skew);
        auto versions = std::vector<std::pair<std::string, std::uint64_t>>(); // that were given out lately
        auto last_version = std::uint64_t{0};
        const auto some_key = [&] { return "key-" + std::to_string(random() % 25); };
        const auto some_lease = [&]() -> std::uint64_t {
            if (oracle.leases.empty()) return 12345;
            return std::next(oracle.leases.begin(), static_cast<std::ptrdiff_t>(random() % oracle.leases.size()))
                ->first;
        };

        for (int step = 0; step < 3'000; ++step) {
            CAPTURE(step);
            oracle.now = f.clock.now();
            oracle.settle();
            switch (random() % 16) {
            case 0:
            case 1:
            case 2:
            case 3: { // put_start
                auto message = PutStart{.pin = random() % 40 == 0 ? store::Pin::hard : store::Pin::none,
                                        .write_deadline_ms = 1 + random() % 30};
                for (auto count = 1 + random() % 3; count != 0; --count) message.keys.push_back(some_key());
                message.sizes.assign(message.keys.size(), block - random() % 64);
                message.mode = std::array{WriteMode::create, WriteMode::create, WriteMode::upsert,
                                          WriteMode::compare}[random() % 4];
                if (message.mode == WriteMode::compare)
                    for (const auto& key : message.keys)
                        message.expected.push_back(random() % 4 == 0     ? random() % 2
                                                   : oracle.visible(key) ? oracle.objects.at(key).version
                                                                         : 0);
                const auto reply = f.master.handle(message).value();
                for (std::size_t i = 0; i < message.keys.size(); ++i) {
                    const auto& key = message.keys[i];
                    const auto& space = reply.objects.at(i);
                    const auto expected = message.expected.empty() ? 0 : message.expected[i];
                    const auto may = oracle.may_write(key, message.mode, expected);
                    if (may != Errc::ok) {
                        REQUIRE(space.outcome == may);
                        if (may == Errc::exists) oracle.touch(key);
                        if (may != Errc::being_written)
                            REQUIRE(space.version == (oracle.visible(key) ? oracle.objects.at(key).version : 0));
                        continue;
                    }
                    if (!oracle.make_room(expected)) {
                        REQUIRE(space.outcome == Errc::no_space);
                        REQUIRE_FALSE(reply.no_space.empty());
                        continue;
                    }
                    REQUIRE(space.outcome == Errc::ok);
                    REQUIRE(space.version > last_version);
                    last_version = space.version;
                    REQUIRE(space.replicas.size() == 1);
                    REQUIRE_FALSE(oracle.in_use(space.replicas[0].offset));
                    oracle.insert(key, {.version = space.version,
                                        .offset = space.replicas[0].offset,
                                        .pinned = message.pin == store::Pin::hard,
                                        .compares = expected != 0,
                                        .deadline = oracle.now + std::chrono::milliseconds(message.write_deadline_ms)});
                    versions.emplace_back(key, space.version);
                }
                break;
            }
            case 4:
            case 5:
            case 6:
            case 7: { // put_end
                if (versions.empty()) break;
                const auto index = random() % 4 == 0 ? random() % versions.size() : versions.size() - 1;
                const auto [key, version] = versions[index];
                const auto outcome = f.end(key, version);
                auto* const found = oracle.find(key, version);
                if (found != nullptr && found->compares && !found->committed && !oracle.successors.contains(key)) {
                    REQUIRE(outcome == Errc::conflict); // what it was compared with is gone
                    oracle.erase(key);
                } else if (found != nullptr) {
                    REQUIRE(outcome == Errc::ok);
                    found->committed = true;
                    if (const auto heir = oracle.successors.find(key);
                        heir != oracle.successors.end() && &heir->second == found) {
                        const auto& old = oracle.objects.at(key);
                        if (oracle.leased(old.version)) oracle.held.push_back({old.version, old.offset, oracle.now});
                        oracle.erase(key);
                    }
                } else if (punctual) {
                    REQUIRE(outcome == Errc::not_found);
                } else {
                    REQUIRE((outcome == Errc::not_found || outcome == Errc::lease_expired));
                }
                if (versions.size() > 30) versions.erase(versions.begin());
                break;
            }
            case 8:
            case 9: { // get
                auto keys = std::vector<std::string>{some_key(), some_key(), some_key()};
                const auto mode = random() % 2 == 0 ? LookUp::each : LookUp::prefix;
                const auto reply = f.get(keys, mode);
                auto lease = Oracle::Lease{oracle.now + 5s, {}};
                for (std::size_t i = 0; i < keys.size(); ++i) {
                    if (!oracle.visible(keys[i])) {
                        if (mode == LookUp::prefix) {
                            REQUIRE(reply.objects.size() == i);
                            break;
                        }
                        REQUIRE(reply.objects.at(i).outcome == Errc::not_found);
                        continue;
                    }
                    const auto& object = oracle.objects.at(keys[i]);
                    REQUIRE(reply.objects.at(i).outcome == Errc::ok);
                    REQUIRE(reply.objects.at(i).version == object.version);
                    REQUIRE(reply.objects.at(i).replicas[0].offset == object.offset);
                    oracle.touch(keys[i]);
                    lease.versions.push_back(object.version);
                }
                REQUIRE((reply.lease != 0) == !lease.versions.empty());
                if (reply.lease != 0) oracle.leases[reply.lease] = lease;
                break;
            }
            case 10:
            case 11: { // release
                const auto id = some_lease();
                const auto known = oracle.leases.find(id);
                const auto live = known != oracle.leases.end() && known->second.expiry > oracle.now;
                const auto released = f.master.handle(store::Release{{id}});
                if (live || punctual) REQUIRE(released.has_value() == live);
                oracle.leases.erase(id);
                break;
            }
            case 12: { // renew
                const auto id = some_lease();
                const auto known = oracle.leases.find(id);
                const auto live = known != oracle.leases.end() && known->second.expiry > oracle.now;
                REQUIRE(f.master.handle(store::Renew{id}).has_value() == live);
                if (live) known->second.expiry = oracle.now + 5s;
                break;
            }
            case 13: { // remove
                const auto key = some_key();
                const auto mode = random() % 3 == 0 ? RemoveMode::force : RemoveMode::unless_in_use;
                const auto outcome = f.remove(key, mode);
                const auto found = oracle.objects.find(key);
                if (found == oracle.objects.end()) {
                    REQUIRE(outcome == Errc::not_found);
                    break;
                }
                const auto& object = found->second;
                const auto in_use = !object.committed || oracle.leased(object.version);
                if ((in_use || oracle.successors.contains(key)) && mode == RemoveMode::unless_in_use) {
                    REQUIRE(outcome == Errc::conflict);
                    break;
                }
                REQUIRE(outcome == Errc::ok);
                if (in_use)
                    oracle.held.push_back(
                        {object.version, object.offset, object.committed ? oracle.now : object.deadline + skew});
                if (const auto heir = oracle.successors.extract(key))
                    oracle.held.push_back({heir.mapped().version, heir.mapped().offset, heir.mapped().deadline + skew});
                oracle.erase(key);
                break;
            }
            case 14: { // abort
                if (versions.empty()) break;
                const auto [key, version] = versions[random() % versions.size()];
                const auto writer = punctual && random() % 2 == 0 ? WriterState::settled : WriterState::unknown;
                const auto outcome = f.abort(key, version, writer);
                const auto* const found = oracle.find(key, version);
                const auto writing = found != nullptr && !found->committed;
                if (writing || punctual) REQUIRE(outcome == (writing ? Errc::ok : Errc::not_found));
                if (!writing) break;
                if (writer == WriterState::unknown)
                    oracle.held.push_back({version, found->offset, found->deadline + skew});
                if (oracle.successors.erase(key) == 0) oracle.erase(key);
                break;
            }
            case 15: // time
                f.clock.advance(std::chrono::milliseconds(random() % 50 == 0 ? random() % 6000 : random() % 12));
                if (punctual) (void)f.master.expire();
                break;
            }
            if (step % 16 == 0) {
                oracle.now = f.clock.now();
                oracle.settle();
                for (int i = 0; i < 25; ++i) {
                    const auto key = "key-" + std::to_string(i);
                    REQUIRE(f.has(key) == oracle.visible(key));
                }
                if (!punctual) continue;
                (void)f.master.expire();
                const auto stats = f.master.stats();
                REQUIRE(stats.objects == oracle.objects.size() + oracle.successors.size());
                REQUIRE(stats.used_bytes ==
                        (oracle.objects.size() + oracle.successors.size() + oracle.held.size()) * block);
            }
        }
        for (const auto& [id, lease] : oracle.leases) (void)f.master.handle(store::Release{{id}});
        f.clock.advance(1h);
        (void)f.master.expire();
        const auto stats = f.master.stats();
        const auto committed = std::count_if(oracle.objects.begin(), oracle.objects.end(),
                                             [](const auto& o) { return o.second.committed; });
        CHECK(stats.objects == static_cast<std::uint64_t>(committed));
        CHECK(stats.used_bytes == stats.objects * block);
        CHECK(stats.leased_bytes == 0);
        CHECK(stats.writing_bytes == 0);
        CHECK(stats.quarantined_bytes == 0);
    }
}
