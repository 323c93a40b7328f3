// labels: unit
#include <mooncake/net/codec.hpp>
#include <mooncake/transport/tcp_service.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace mooncake;
using namespace mooncake::transport::detail;

namespace {

struct Fixture {
    std::vector<std::byte> memory = std::vector<std::byte>(4096);
    std::shared_ptr<RegionTable> regions = std::make_shared<RegionTable>(7);
    RegionPin region =
        regions
            ->add(
                {.bytes = memory, .rights = Rights::read_write, .keys = make_keys(Rights::read_write), .location = {}})
            .value();
    TcpService service{regions};

    static Exchange exchange(TcpMethod method, const TcpRequest& request, std::uint64_t payload) {
        auto made = Exchange();
        made.request.method = static_cast<std::uint32_t>(method);
        made.request.payload_bytes = payload;
        made.message = encode(request);
        return made;
    }
    TcpSlice slice(std::uint64_t length, std::uint64_t epoch = 0) const {
        return {.offset = region->offset, .length = length, .key = region->keys.write, .epoch = epoch};
    }
    Errc accept(TcpMethod method, const TcpRequest& request, std::uint64_t payload) {
        auto one = exchange(method, request, payload);
        const auto accepted = service.accept(one);
        return accepted ? Errc::ok : accepted.error().code();
    }
};

/// An end of another transport.
struct Rdma {
    static constexpr std::string_view name = "rdma";
    Result<std::string> accept(std::string question) {
        if (question == "no") return Error(Errc::access_denied, "not you");
        return std::string(question == "much" ? Handshakes::most_bytes + 1 : 3, 'a');
    }
};

std::uint64_t bytes_of(const std::vector<MutableBytes>& sinks) {
    auto sum = std::uint64_t{0};
    for (const auto& sink : sinks) sum += sink.size();
    return sum;
}

} // namespace

TEST_CASE("tcp service: slices that do not fit their payload, and payloads of reads, are breaches") {
    auto f = Fixture();
    CHECK(f.accept(TcpMethod::write, {7, {f.slice(100)}}, 100) == Errc::ok);
    CHECK(f.accept(TcpMethod::read, {7, {f.slice(100)}}, 0) == Errc::ok);
    CHECK(f.accept(TcpMethod::read, {7, {f.slice(100)}}, 1) == Errc::protocol_error);
    CHECK(f.accept(TcpMethod::write, {7, {f.slice(100), f.slice(1)}}, 100) == Errc::protocol_error);
    constexpr auto most = std::numeric_limits<std::uint64_t>::max();
    CHECK(f.accept(TcpMethod::write, {7, {f.slice(100), f.slice(most)}}, 100) == Errc::protocol_error);
    CHECK(f.accept(TcpMethod::read, {7, {f.slice(100), f.slice(most)}}, 0) == Errc::protocol_error);
    CHECK(f.accept(static_cast<TcpMethod>(5), {7, {f.slice(100)}}, 0) == Errc::unknown_method);
    auto many = TcpRequest{7, std::vector<TcpSlice>(TcpService::most_slices, f.slice(0))};
    CHECK(f.accept(TcpMethod::read, many, 0) == Errc::ok);
    many.slices.push_back(f.slice(0));
    CHECK(f.accept(TcpMethod::read, many, 0) == Errc::protocol_error);
}

TEST_CASE("tcp service: each slice has its own outcome, and the bytes of those that are refused go nowhere") {
    auto f = Fixture();
    auto beyond = f.slice(64), stranger = f.slice(64), other = f.slice(64);
    beyond.offset = f.region->offset + f.memory.size() - 63;
    stranger.key ^= 1;
    auto one = Fixture::exchange(TcpMethod::write, {7, {f.slice(100), beyond, stranger, other}}, 292);
    REQUIRE(f.service.accept(one).has_value());
    const auto reply = decode<TcpReply>(one.reply).value();
    CHECK(reply.outcomes == std::vector<std::uint16_t>{0, static_cast<std::uint16_t>(Errc::out_of_range),
                                                       static_cast<std::uint16_t>(Errc::access_denied), 0});
    CHECK(bytes_of(one.sinks) == 292);
    REQUIRE(one.sinks.size() == 4);
    const auto inside = [&](const MutableBytes& sink) {
        return sink.data() >= f.memory.data() && sink.data() < f.memory.data() + f.memory.size();
    };
    CHECK((inside(one.sinks[0]) && !inside(one.sinks[1]) && !inside(one.sinks[2]) && inside(one.sinks[3])));
    auto stale = Fixture::exchange(TcpMethod::write, {8, {f.slice(100)}}, 100);
    REQUIRE(f.service.accept(stale).has_value());
    CHECK(decode<TcpReply>(stale.reply).value().outcomes.front() == static_cast<std::uint16_t>(Errc::stale_generation));
    CHECK_FALSE(inside(stale.sinks.front()));
}

TEST_CASE("tcp service: a request holds the regions that it may use, and no other, however long its bytes take") {
    auto f = Fixture();
    auto other_memory = std::vector<std::byte>(64);
    auto other =
        f.regions->add({.bytes = other_memory, .rights = Rights::read_write, .keys = make_keys(Rights::read_write)});
    REQUIRE(other.has_value());
    auto keyless = f.slice(64);
    keyless.key ^= 1;
    auto refused = Fixture::exchange(TcpMethod::write, {7, {keyless}}, 64);
    auto granted = Fixture::exchange(TcpMethod::write, {7, {f.slice(64)}}, 64);
    REQUIRE(f.service.accept(refused).has_value());
    REQUIRE(f.service.accept(granted).has_value());
    const auto gone = [&](RegionPin& region) {
        const auto watched = std::weak_ptr<const Region>(region);
        f.regions->remove(region);
        region.reset();
        return watched.expired();
    };
    CHECK(gone(*other));
    CHECK_FALSE(gone(f.region)); // the one that was granted is still to come
}

TEST_CASE("tcp service: a request that is refused holds nothing of what it asked for") {
    auto f = Fixture();
    auto keyless = f.slice(64);
    keyless.key ^= 1;
    auto refused = Fixture::exchange(TcpMethod::write, {7, {keyless}}, 64);
    REQUIRE(f.service.accept(refused).has_value());
    const auto watched = std::weak_ptr<const Region>(f.region);
    f.regions->remove(f.region);
    f.region.reset();
    CHECK(watched.expired());
}

TEST_CASE("tcp service: a write is under way as long as its exchange is, for the fence and for the region") {
    auto f = Fixture();
    auto& fence = f.regions->fence();
    const auto uses = f.region.use_count();
    {
        auto one = Fixture::exchange(TcpMethod::write, {7, {f.slice(100, 5)}}, 100);
        REQUIRE(f.service.accept(one).has_value());
        CHECK(fence.under_way() == 1);
        fence.raise(f.region->offset, 100, 5);
        CHECK_FALSE(fence.quiet(f.region->offset, 100, 5));
        CHECK(f.region.use_count() > uses);
    }
    CHECK(fence.quiet(f.region->offset, 100, 5));
    CHECK(f.region.use_count() == uses);
    auto late = Fixture::exchange(TcpMethod::write, {7, {f.slice(100, 5)}}, 100);
    REQUIRE(f.service.accept(late).has_value());
    CHECK(decode<TcpReply>(late.reply).value().outcomes.front() == static_cast<std::uint16_t>(Errc::stale_epoch));
}

TEST_CASE("tcp service: a handshake goes to the end that it names, and its answer, or sentence, goes back") {
    auto f = Fixture();
    const auto handshakes = std::make_shared<Handshakes>();
    auto service = TcpService(f.regions, nullptr, handshakes);
    auto rdma = Rdma();
    handshakes->add(rdma);
    const auto shaken = [&](TcpHandshake asked, std::uint64_t payload = 0) {
        auto exchange = Exchange();
        exchange.request.method = static_cast<std::uint32_t>(TcpMethod::handshake);
        exchange.request.payload_bytes = payload;
        exchange.message = encode(asked);
        const auto accepted = service.accept(exchange);
        if (!accepted) return std::pair(accepted.error().code(), std::string());
        const auto reply = decode<TcpHandshakeReply>(exchange.reply);
        REQUIRE(reply.has_value());
        return std::pair(errc_from_wire(reply->outcome), reply->text);
    };
    CHECK(shaken({7, "rdma", "question"}) == std::pair(Errc::ok, std::string("aaa")));
    CHECK(shaken({7, "rdma", "no"}) == std::pair(Errc::access_denied, std::string("not you")));
    CHECK(shaken({8, "rdma", "question"}).first == Errc::stale_generation);
    CHECK(shaken({7, "cxl", "question"}).first == Errc::not_supported);
    CHECK(shaken({7, std::string(100'000, 'x'), "question"}).second.size() < 200); // it is not said back whole
    CHECK(shaken({7, "rdma", std::string(Handshakes::most_bytes + 1, 'q')}).first == Errc::too_large);
    CHECK(shaken({7, "rdma", "much"}).first == Errc::too_large);
    CHECK(shaken({7, "rdma", "question"}, 1).first == Errc::protocol_error);
    handshakes->close();
    CHECK(shaken({7, "rdma", "question"}).first == Errc::not_supported);
    auto bad = Exchange();
    bad.request.method = static_cast<std::uint32_t>(TcpMethod::handshake);
    bad.message = "short";
    CHECK(service.accept(bad).error() == Errc::protocol_error);
}
