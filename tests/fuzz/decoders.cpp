// Bytes of a stranger as each message we know: decoding ends, and what was decoded can be said again.
#include <mooncake/metadata/peer.hpp>
#include <mooncake/metadata/record.hpp>
#include <mooncake/net/codec.hpp>
#include <mooncake/net/endpoint.hpp>
#include <mooncake/net/frame.hpp>
#include <mooncake/store/messages.hpp>
#include <mooncake/transport/tcp_service.hpp>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace {

using namespace mooncake;

void require(bool condition) {
    if (!condition) std::abort();
}

/// What was decoded is encoded to bytes that decode to the same.
template <class T>
void again(std::string_view bytes) {
    const auto message = decode<T>(bytes);
    if (!message) return;
    const auto said = encode(*message);
    const auto back = decode<T>(said);
    require(back.has_value());
    require(encode(*back) == said);
    // Reading stops at the end: all of the fields came from these bytes, or are defaults.
    require(said.size() <= bytes.size() + encode(T()).size());
}

template <class... Ts>
void one_of(std::uint8_t which, std::string_view bytes) {
    std::size_t index = 0;
    (void)((index++ == which % sizeof...(Ts) ? (again<Ts>(bytes), true) : false) || ...);
}

void header(std::string_view text) {
    auto bytes = std::array<std::byte, FrameHeader::size>();
    std::memcpy(bytes.data(), text.data(), std::min(text.size(), bytes.size()));
    for (const auto kind : {FrameKind::request, FrameKind::reply}) {
        const auto decoded = decode_header(bytes, kind, {});
        if (!decoded) continue;
        const auto control = decoded->kind == FrameKind::cancel || decoded->kind == FrameKind::ping;
        require(decoded->kind == kind || (kind == FrameKind::request && control));
        require(decoded->meta_bytes <= FrameLimits{}.meta_bytes &&
                decoded->payload_bytes <= FrameLimits{}.payload_bytes);
    }
}

void endpoint(std::string_view text) {
    const auto parsed = parse_endpoint(text);
    if (!parsed) return;
    const auto back = parse_endpoint(to_string(*parsed));
    require(back.has_value() && *back == *parsed);
}

/// A request at the tcp service: what is granted lies inside of the region, and adds up to the payload.
void transfer(std::string_view text) {
    static auto memory = std::vector<std::byte>(4096);
    static const auto table = [] {
        auto made = std::make_shared<RegionTable>(5);
        auto region = Region{.bytes = memory, .rights = Rights::read_write, .keys = {.read = 1, .write = 2}};
        require(made->add(std::move(region)).has_value());
        return made;
    }();
    auto service = transport::detail::TcpService(table);
    auto exchange = Exchange();
    exchange.request.method = text.empty() ? 1 : 1 + (static_cast<unsigned char>(text[0]) & 1U);
    exchange.message = text.substr(std::min<std::size_t>(text.size(), 1));
    if (const auto request = decode<transport::detail::TcpRequest>(exchange.message);
        request && exchange.request.method == 1)
        for (const auto& slice : request->slices) exchange.request.payload_bytes += slice.length % 100'000;
    if (!service.accept(exchange)) return;
    const auto inside = [](const auto& span) {
        return span.empty() ||
               (span.data() >= memory.data() && span.data() + span.size() <= memory.data() + memory.size());
    };
    require(std::all_of(exchange.payload.begin(), exchange.payload.end(), inside));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto bytes = std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] < 32) header(bytes);
    else if (data[0] < 64) endpoint(bytes);
    else if (data[0] < 112) transfer(bytes);
    else
        one_of<SegmentRecord, Hello, transport::detail::TcpRequest, transport::detail::TcpReply,
               transport::detail::TcpNotice, transport::detail::TcpHandshake, transport::detail::TcpHandshakeReply,
               metadata::detail::GetRecord, metadata::detail::GetRecordReply, store::SegmentMount, store::SegmentsReply,
               store::Heartbeat, store::PutStart, store::PutStartReply, store::PutEnd, store::GetReply,
               store::QueryReply, store::Renew, store::Remove, store::ListReply, store::StatsReply, store::WaitFor,
               store::Events, store::EventsReply, store::RemoveMatching, store::DescribeReply, store::SetQuota,
               store::TenantsReply, store::PinObjects, store::PinReply>(data[0], bytes);
    return 0;
}
