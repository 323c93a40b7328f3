// labels: coroutine
// What a client does when its engine and its master misbehave: both are fakes here.
#include <mooncake/core/runtime.hpp>
#include <mooncake/store/client/writer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace mooncake;
using namespace std::chrono_literals;

namespace {

struct FakeSegment {
    std::uint32_t id = 0;
    explicit operator bool() const noexcept { return id != 0; }
    std::uint64_t generation() const noexcept { return 7; }
};

/// Segments are numbers; what happens on each is said beforehand.
struct FakeEngine {
    using Segment = FakeSegment;
    struct Behaviour {
        Errc outcome = Errc::ok;
        bool settled = true;
        bool lies = false; ///< reads give other bytes than were written
        unsigned cost = 1;
        bool opens = true;
    };
    struct Request {
        Direction direction;
        MutableBytes local;
        std::uint32_t segment;
        std::uint64_t epoch;
    };
    class Batch {
      public:
        explicit Batch(FakeEngine& engine) : engine_(engine) {}
        void reserve(std::size_t) {}
        void read(MutableBytes local, const Segment& segment, std::uint64_t, std::uint64_t) {
            requests_.push_back({Direction::read, local, segment.id, 0});
        }
        /// Of one piece: more are not put here.
        void write(std::span<const ConstBytes> pieces, const Segment& segment, std::uint64_t, std::uint64_t,
                   std::uint64_t epoch) {
            const auto local = pieces.front();
            requests_.push_back(
                {Direction::write, {const_cast<std::byte*>(local.data()), local.size()}, segment.id, epoch});
        }
        Task<BatchReport> submit(TransferOptions options) { return engine_.move(requests_, options); }

      private:
        FakeEngine& engine_;
        std::vector<Request> requests_;
    };

    std::map<std::uint32_t, Behaviour> segments;
    std::vector<std::byte> content;
    std::vector<std::vector<std::uint32_t>> moves; ///< the segments of each batch
    std::vector<std::uint64_t> epochs;
    std::vector<Deadline> deadlines;

    Batch batch() { return Batch(*this); }
    unsigned cost(const Segment& segment) { return segments[segment.id].cost; }
    Task<Segment> open(std::string locator, Deadline) {
        const auto id = static_cast<std::uint32_t>(std::stoul(locator));
        if (!segments[id].opens) co_return Errc::unreachable;
        co_return Segment{id};
    }
    /// Its own copy of the content for each window.
    Task<MappedWindow> map(Segment segment, std::uint64_t, std::uint64_t length, Direction, std::uint64_t, Deadline) {
        auto copy = std::make_shared<std::vector<std::byte>>(content.begin(),
                                                             content.begin() + static_cast<std::ptrdiff_t>(length));
        if (segments[segment.id].lies) copy->front() ^= std::byte{1};
        if (segments[segment.id].outcome != Errc::ok) co_return segments[segment.id].outcome;
        co_return MappedWindow{.bytes = copy->data(), .hold = copy};
    }
    Task<BatchReport> move(const std::vector<Request>& requests, TransferOptions options) {
        auto report = BatchReport();
        auto& ids = moves.emplace_back();
        deadlines.push_back(options.deadline);
        for (const auto& request : requests) {
            const auto& behaviour = segments[request.segment];
            ids.push_back(request.segment);
            if (request.direction == Direction::write) epochs.push_back(request.epoch);
            auto& one = report.requests.emplace_back();
            one.outcome = behaviour.outcome;
            one.settled = behaviour.settled;
            if (behaviour.outcome != Errc::ok) continue;
            if (request.direction == Direction::read) {
                std::memcpy(request.local.data(), content.data(), request.local.size());
                if (behaviour.lies) request.local[0] ^= std::byte{1};
            }
            one.checksums = chunk_checksums(request.local);
        }
        co_return report;
    }
};

struct FakeMaster {
    store::GetReply found;
    store::PutStartReply space;
    std::vector<store::PutStart> starts;
    std::vector<store::PutAbort> aborts;
    std::vector<store::PutEnd> ends;
    std::vector<store::ReportBad> bad;
    Errc end_outcome = Errc::ok;

    static MasterLimits limits() { return {}; }
    Task<store::GetReply> call(store::Get, Deadline) { co_return found; }
    Task<store::PutStartReply> call(store::PutStart message, Deadline) {
        starts.push_back(std::move(message));
        co_return space;
    }
    Task<store::PutEndReply> call(store::PutEnd message, Deadline) {
        auto reply = store::PutEndReply();
        reply.outcomes.assign(message.objects.size(), end_outcome);
        ends.push_back(std::move(message));
        co_return reply;
    }
    Task<store::PutAbortReply> call(store::PutAbort message, Deadline) {
        aborts.push_back(std::move(message));
        co_return store::PutAbortReply();
    }
    Task<void> call(store::ReportBad message, Deadline) {
        bad.push_back(std::move(message));
        co_return ok;
    }
    Task<store::SegmentsReply> call(store::Segments message, Deadline) {
        auto reply = store::SegmentsReply{.term = 3};
        for (const auto id : message.segments)
            reply.segments.push_back({.segment = id, .generation = 7, .endpoint = std::to_string(id)});
        co_return reply;
    }
};

struct Fixture {
    using Reader = store::detail::Reader<FakeEngine, FakeMaster>;
    using Writer = store::detail::Writer<FakeEngine, FakeMaster>;

    FakeEngine engine;
    FakeMaster master;
    Runtime runtime{{.threads = 1}};
    store::detail::SegmentCache<FakeEngine, FakeMaster> segments{engine, master};
    std::vector<std::byte> into = std::vector<std::byte>(100);
    Error failure;

    Fixture() {
        engine.content.assign(100, std::byte{42});
        master.found.term = master.space.term = 3;
    }

    /// An object with replicas in those segments.
    void object_in(std::vector<std::uint32_t> ids) {
        auto& object = master.found.objects.emplace_back();
        object = {.outcome = Errc::ok, .size = 100, .version = 9, .checksums = chunk_checksums(engine.content)};
        for (const auto id : ids) object.replicas.push_back({.segment = id, .epoch = 50U + id});
    }
    void space_in(std::vector<std::uint32_t> ids) {
        auto& space = master.space.objects.emplace_back();
        space.version = master.space.objects.size();
        for (const auto id : ids) space.replicas.push_back({.segment = id, .epoch = 50U + id});
    }

    Errc get(Verify verify = Verify::always) {
        auto reader = Reader(engine, master, segments);
        auto one = [](Fixture* f, Reader* r, GetBatchOptions options) -> Task<Errc> {
            auto keys = one_key();
            const auto located = co_await r->locate(std::move(keys), options);
            if (!located) co_return located.error();
            const auto destination = MutableBytes(f->into);
            const auto report = co_await r->read(std::span(&destination, 1), options);
            co_return report.outcomes.at(0);
        };
        const auto outcome = runtime.run(one(this, &reader, {.deadline = 10s, .verify = verify}));
        failure = reader.failure();
        return outcome ? *outcome : outcome.error().code();
    }
    Result<MappedWindow> view(Verify verify = Verify::always) {
        auto reader = Reader(engine, master, segments);
        auto one = [](Reader* r, ViewOptions options) -> Task<MappedWindow> {
            auto keys = one_key();
            const auto located = co_await r->locate(std::move(keys), {.deadline = options.deadline});
            if (!located) co_return located.error();
            co_return co_await r->map(options);
        };
        return runtime.run(one(&reader, {.deadline = 10s, .verify = verify}));
    }
    static std::vector<std::string> one_key() { return std::vector<std::string>(1, "key"); }
    PutOptions putting{.deadline = 10s};
    Task<PutBatchReport> put_with(Writer* writer, std::size_t number) const {
        const auto values = std::vector<ConstBytes>(number, engine.content);
        auto keys = std::vector<std::string>(number, "key");
        const auto all = Writer::Values{.bytes = values};
        co_return co_await writer->put(std::move(keys), all, putting);
    }
    PutBatchReport put(std::size_t number) {
        auto writer = Writer(engine, master, segments);
        auto report = runtime.run(put_with(&writer, number)).value();
        failure = writer.failure();
        return report;
    }
};

} // namespace

TEST_CASE("reader: the nearest replica is read, and the next one when that fails") {
    auto f = Fixture();
    f.engine.segments = {{1, {.cost = 10}}, {2, {.outcome = Errc::connection_lost, .cost = 1}}, {3, {.cost = 5}}};
    f.object_in({1, 2, 3});
    CHECK(f.get() == Errc::ok);
    CHECK(f.engine.moves == std::vector<std::vector<std::uint32_t>>{{2}, {3}});
    CHECK(f.into == f.engine.content);
    CHECK(f.master.bad.empty());
}

TEST_CASE("reader: as long as another replica is left, one has only an attempt's time") {
    auto f = Fixture();
    f.engine.segments = {{1, {.outcome = Errc::timed_out}}, {2, {.cost = 2}}};
    f.object_in({1, 2});
    const auto begun = SteadyClock{}.now();
    CHECK(f.get() == Errc::ok);
    REQUIRE(f.engine.deadlines.size() == 2);
    CHECK(f.engine.deadlines[0].at() < begun + 3s);
    CHECK(f.engine.deadlines[1].at() > begun + 9s);
    CHECK(f.engine.deadlines[0].at() < begun + 1'500ms);
}

TEST_CASE("reader: the attempt at a large object has the time that its bytes may take") {
    auto f = Fixture();
    f.engine.content.assign(30'000'000, std::byte{3});
    f.into.resize(f.engine.content.size());
    f.engine.segments = {{1, {}}, {2, {.cost = 2}}};
    f.object_in({1, 2});
    f.master.found.objects.front().size = f.engine.content.size();
    const auto begun = SteadyClock{}.now();
    CHECK(f.get() == Errc::ok);
    CHECK(f.engine.deadlines[0].at() > begun + 2s);
}

TEST_CASE("reader: one that is cancelled tries no other replica") {
    auto f = Fixture();
    f.engine.segments = {{1, {.outcome = Errc::cancelled}}, {2, {.cost = 2}}};
    f.object_in({1, 2});
    CHECK(f.get() == Errc::cancelled);
    CHECK(f.engine.moves.size() == 1);
}

TEST_CASE("reader: bytes that are not what was written are not given, and the master is told which replica has them") {
    auto f = Fixture();
    f.engine.segments = {{1, {.lies = true}}, {2, {.cost = 2}}};
    f.object_in({1, 2});
    CHECK(f.get() == Errc::ok);
    REQUIRE(f.master.bad.size() == 1);
    REQUIRE(f.master.bad[0].replicas.size() == 1);
    const auto& bad = f.master.bad[0].replicas[0];
    CHECK(bad.key == "key");
    CHECK(bad.segment == 1);
    CHECK(bad.epoch == 51);
    CHECK(bad.version == 9);
    CHECK(f.master.bad[0].term == 3);
    f.engine.segments[2].lies = true;
    CHECK(f.get() == Errc::lost);
    CHECK(f.failure == Errc::corrupt);
    CHECK(f.get(Verify::never) == Errc::ok); // as one wished
}

TEST_CASE("reader: a view is of the first replica whose bytes are right, and the master is told of the others") {
    auto f = Fixture();
    f.engine.segments = {{1, {.lies = true}}, {2, {.outcome = Errc::not_mapped, .cost = 2}}, {3, {.cost = 3}}};
    f.object_in({1, 2, 3});
    const auto window = f.view();
    REQUIRE(window.has_value());
    CHECK(std::memcmp(window->bytes, f.engine.content.data(), 100) == 0);
    REQUIRE(f.master.bad.size() == 1);
    REQUIRE(f.master.bad[0].replicas.size() == 1);
    CHECK(f.master.bad[0].replicas[0].segment == 1);
    f.engine.segments[3].lies = true;
    CHECK(f.view().has_error());
    REQUIRE(f.master.bad.size() == 2);
    CHECK(f.master.bad[1].replicas.size() == 2);
    CHECK(f.view(Verify::never).has_value());
}

TEST_CASE("reader: bytes of a transport that could change them are checked even under a lease") {
    auto f = Fixture();
    f.engine.segments = {{1, {.lies = true}}};
    f.object_in({1});
    f.master.found.ttl_ms = 60'000;
    f.master.found.lease = 5;
    CHECK(f.get(Verify::unless_leased) == Errc::ok); // the fake's transport vouches for them
    f.master.found.ttl_ms = 0;                       // and without a lease that does not count
    CHECK(f.get(Verify::unless_leased) == Errc::lost);
}

TEST_CASE("reader: what was known is read without asking, and what is read after its lease is compared") {
    using store::detail::CachedLease;
    auto f = Fixture();
    f.engine.segments = {{1, {}}};
    f.object_in({1});
    REQUIRE(f.get() == Errc::ok); // opens the segment
    struct Read {
        Errc outcome;
        bool stands;
    };
    const auto read = [&f](Duration trusted_for, CachedLease::Told told, Verify verify) {
        const auto lease = std::make_shared<CachedLease>(5, SteadyClock{}.now() + trusted_for, told);
        const auto known = store::detail::DescriptorCache::Entry(std::make_shared<store::detail::CachedObject>(
            store::detail::CachedObject{.key = "key", .object = f.master.found.objects[0], .term = 3, .lease = lease}));
        auto reader = Fixture::Reader(f.engine, f.master, f.segments);
        REQUIRE(reader.use(std::span(&known, 1), Deadline(10s)));
        CHECK(reader.key() == "key");
        const auto into = MutableBytes(f.into);
        auto one = [](Fixture::Reader* r, const MutableBytes* to, GetBatchOptions options) -> Task<Errc> {
            const auto report = co_await r->read(std::span(to, 1), options);
            co_return report.outcomes.at(0);
        };
        const auto got = f.runtime.run(one(&reader, &into, {.deadline = 10s, .verify = verify}));
        const auto outcome = got ? *got : got.error().code();
        return Read{outcome, reader.stands(outcome, verify)};
    };
    constexpr auto ours = CachedLease::Told::no, told = CachedLease::Told::yes;
    // A process that was stopped between finding the descriptor and reading has no lease any more when it goes on.
    CHECK(read(-1ns, ours, Verify::unless_leased).stands); // what it was, says its checksum
    CHECK_FALSE(read(-1ns, ours, Verify::never).stands);   // nobody says
    CHECK(read(1h, ours, Verify::never).stands);
    f.engine.segments[1].lies = true;
    CHECK_FALSE(read(-1ns, ours, Verify::unless_leased).stands);
    CHECK_FALSE(read(1h, ours, Verify::always).stands);
    CHECK_FALSE(read(1h, told, Verify::unless_leased).stands); // it may have been released elsewhere
    const auto trusted = read(1h, ours, Verify::unless_leased);
    CHECK(trusted.outcome == Errc::ok); // the lease vouches for it: nothing was compared
    CHECK(trusted.stands);
    f.into.resize(99);
    CHECK(read(1h, ours, Verify::always).outcome == Errc::too_large);
    CHECK(read(1h, ours, Verify::always).stands);
    CHECK_FALSE(read(-1ns, ours, Verify::always).stands); // it may be smaller by now
}

TEST_CASE("reader: what is known from a master that is gone is not used") {
    auto f = Fixture();
    f.engine.segments = {{1, {}}};
    f.object_in({1});
    REQUIRE(f.get() == Errc::ok);
    const auto lease =
        std::make_shared<store::detail::CachedLease>(5, SteadyClock{}.now() + 1h, store::detail::CachedLease::Told::no);
    const auto known = store::detail::DescriptorCache::Entry(std::make_shared<store::detail::CachedObject>(
        store::detail::CachedObject{.key = "key", .object = f.master.found.objects[0], .term = 2, .lease = lease}));
    auto reader = Fixture::Reader(f.engine, f.master, f.segments);
    CHECK_FALSE(reader.use(std::span(&known, 1), Deadline(10s)));
    CHECK(f.get() == Errc::ok); // and the segments that are open stay so
    CHECK(f.segments.still_opened(3)->find(1) != nullptr);
}

TEST_CASE("reader: a segment that does not open is not read, and one that nobody can open is lost") {
    auto f = Fixture();
    f.engine.segments = {{1, {.opens = false}}, {2, {.cost = 9}}};
    f.object_in({1, 2});
    CHECK(f.get() == Errc::ok);
    CHECK(f.engine.moves == std::vector<std::vector<std::uint32_t>>{{2}});
    auto g = Fixture();
    g.engine.segments = {{1, {.opens = false}}};
    g.object_in({1});
    CHECK(g.get() == Errc::lost);
}

TEST_CASE("writer: what arrived with every replica becomes visible, the rest is given up, and its epoch went along") {
    auto f = Fixture();
    f.engine.segments = {{1, {}}, {2, {}}, {3, {.outcome = Errc::connection_lost}}};
    f.space_in({1, 2});
    f.space_in({1, 3});
    const auto report = f.put(2);
    CHECK(report.outcomes == std::vector<Errc>{Errc::ok, Errc::connection_lost});
    CHECK(report.replicas == std::vector<std::uint32_t>{2, 0});
    CHECK(f.engine.epochs == std::vector<std::uint64_t>{51, 52, 51, 53});
    REQUIRE(f.master.ends.size() == 1);
    REQUIRE(f.master.ends[0].objects.size() == 1);
    CHECK(f.master.ends[0].objects[0].version == 1);
    CHECK(f.master.ends[0].objects[0].writer == store::WriterState::settled);
    CHECK(f.master.ends[0].term == 3);
    REQUIRE(f.master.aborts.size() == 1);
    CHECK(f.master.aborts[0].versions == std::vector<std::uint64_t>{2});
    CHECK(f.master.aborts[0].writer == store::WriterState::settled);
}

TEST_CASE("writer: where it is, and which segments it wants and does not want, is told to the master") {
    auto f = Fixture();
    f.engine.segments = {{1, {}}};
    f.space_in({1});
    CHECK(f.put(1).outcomes == std::vector<Errc>{Errc::ok});
    REQUIRE(f.master.starts.size() == 1);
    CHECK(f.master.starts[0].near_host.empty());
    CHECK(f.master.starts[0].excluded.empty());
    const auto wanted = std::vector<std::uint32_t>{1, 2}, unwanted = std::vector<std::uint32_t>{3};
    f.putting.near_host = "here";
    f.putting.near_rack = "rack";
    f.putting.preferred = wanted;
    f.putting.excluded = unwanted;
    CHECK(f.put(1).outcomes == std::vector<Errc>{Errc::ok});
    REQUIRE(f.master.starts.size() == 2);
    CHECK(f.master.starts[1].near_host == "here");
    CHECK(f.master.starts[1].near_rack == "rack");
    CHECK(f.master.starts[1].preferred == wanted);
    CHECK(f.master.starts[1].excluded == unwanted);
}

TEST_CASE("writer: a time to live that is over already is the shortest, and not for ever") {
    auto f = Fixture();
    f.engine.segments = {{1, {}}};
    f.space_in({1});
    const auto told = [&](Duration time_to_live) {
        f.putting.time_to_live = time_to_live;
        (void)f.put(1);
        return f.master.starts.back().ttl_ms;
    };
    CHECK(told(Duration::zero()) == 0);
    CHECK(told(-5s) == 1);
    CHECK(told(1ns) == 1);
    CHECK(told(1500us) == 1);
    CHECK(told(7s) == 7'000);
}

TEST_CASE("reader and writer: a master that answers for other keys than it was asked for breaks the protocol") {
    auto f = Fixture();
    CHECK(f.get() == Errc::protocol_error); // none for one
    f.object_in({1});
    f.object_in({1});
    CHECK(f.get() == Errc::protocol_error); // two
    auto writer = Fixture::Writer(f.engine, f.master, f.segments);
    f.space_in({1});
    CHECK(f.runtime.run(f.put_with(&writer, 2)).error() == Errc::protocol_error);
    CHECK(f.engine.moves.empty());
}

TEST_CASE("writer: some time is kept for saying what has arrived, and what the master does not take was not stored") {
    auto f = Fixture();
    f.engine.segments = {{1, {}}};
    f.space_in({1});
    f.master.end_outcome = Errc::conflict;
    const auto begun = SteadyClock{}.now();
    const auto report = f.put(1);
    REQUIRE(f.engine.deadlines.size() == 1);
    CHECK(f.engine.deadlines[0].at() > begun + 8s);
    CHECK(f.engine.deadlines[0].at() < begun + 9'500ms);
    CHECK(report.outcomes == std::vector<Errc>{Errc::conflict});
    CHECK(report.replicas == std::vector<std::uint32_t>{0});
}

TEST_CASE("writer: it vouches for nothing that may still be on its way") {
    auto f = Fixture();
    f.engine.segments = {{1, {.outcome = Errc::timed_out, .settled = false}}, {2, {.settled = false}}};
    f.space_in({1});
    f.space_in({2}); // arrived over a second path, while the first may still write
    const auto report = f.put(2);
    CHECK(report.outcomes == std::vector<Errc>{Errc::timed_out, Errc::ok});
    REQUIRE(f.master.aborts.size() == 1);
    CHECK(f.master.aborts[0].writer == store::WriterState::unknown);
    REQUIRE(f.master.ends.size() == 1);
    CHECK(f.master.ends[0].objects[0].writer == store::WriterState::unknown);
}

TEST_CASE("writer: an object whose segment does not open is given up before a byte moves, and the others are written") {
    auto f = Fixture();
    f.engine.segments = {{1, {.opens = false}}, {2, {}}};
    f.space_in({1, 2});
    f.space_in({2});
    const auto report = f.put(2);
    CHECK(report.outcomes == std::vector<Errc>{Errc::unreachable, Errc::ok});
    CHECK(f.engine.moves == std::vector<std::vector<std::uint32_t>>{{2}});
    REQUIRE(f.master.aborts.size() == 1);
    CHECK(f.master.aborts[0].versions == std::vector<std::uint64_t>{1});
}
