#pragma once

#include <mooncake/store/master/master.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::testing {

using namespace std::chrono_literals;
using namespace mooncake::store;

struct ManualMaster : DefaultMasterTraits {
    using Clock = ManualClock;
};

inline constexpr std::uint64_t block = 4096;

/// A master of manual time with one segment of `blocks` blocks, and the words of a client of one key.
template <class Traits = ManualMaster>
struct MasterFixture {
    ManualClock clock;
    Master<Traits> master;
    std::uint32_t segment = 0;

    explicit MasterFixture(std::uint64_t blocks, MasterConfig config = {.segment_ttl = Duration::max()})
        : master(config, {.clock = clock}) {
        if (blocks != 0) segment = mount("node-1", blocks);
    }

    std::uint32_t mount(const std::string& name, std::uint64_t blocks, std::uint64_t generation = 1) {
        auto mounted = master.handle(store::SegmentMount{.name = name,
                                                         .generation = generation,
                                                         .endpoint = name + ":1",
                                                         .host = name,
                                                         .offset = 1 << 20,
                                                         .bytes = blocks * block,
                                                         .read_key = 11,
                                                         .write_key = 22});
        REQUIRE_MESSAGE(mounted.has_value(), (mounted ? "" : mounted.error().message()));
        return mounted->segment;
    }
    PutSpace start(const std::string& key, PutStart wanted = {}) {
        wanted.keys = {key};
        if (wanted.sizes.empty()) wanted.sizes = {block};
        auto reply = master.handle(wanted);
        REQUIRE(reply.has_value());
        return reply->objects.at(0);
    }
    Errc end(const std::string& key, std::uint64_t version, std::uint64_t checksum = 7) {
        auto reply =
            master.handle(store::PutEnd{.objects = {{.key = key, .version = version, .checksums = {checksum}}}});
        REQUIRE(reply.has_value());
        return reply->outcomes.at(0);
    }
    PutSpace put(const std::string& key, PutStart wanted = {}) {
        auto space = start(key, std::move(wanted));
        if (space.outcome == Errc::ok) REQUIRE(end(key, space.version) == Errc::ok);
        return space;
    }
    Errc abort(const std::string& key, std::uint64_t version, WriterState writer) {
        return master.handle(store::PutAbort{.keys = {key}, .versions = {version}, .writer = writer})
            .value()
            .outcomes.at(0);
    }
    GetReply get(std::vector<std::string> keys, LookUp mode = LookUp::each) {
        return master.handle(store::Get{.keys = std::move(keys), .mode = mode}).value();
    }
    /// Touches without leaving a lease.
    Errc read(const std::string& key) {
        const auto reply = get({key});
        if (reply.lease != 0) REQUIRE(master.handle(store::Release{{reply.lease}}).has_value());
        return reply.objects.at(0).outcome;
    }
    bool has(const std::string& key) {
        return master.handle(store::Query{.keys = {key}}).value().outcomes.at(0) == Errc::ok;
    }
    Errc remove(const std::string& key, RemoveMode mode = RemoveMode::unless_in_use) {
        return master.handle(store::Remove{.keys = {key}, .mode = mode}).value().outcomes.at(0);
    }
};

} // namespace mooncake::testing
