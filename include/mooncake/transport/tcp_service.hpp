#pragma once

#include <mooncake/memory/region_table.hpp>
#include <mooncake/net/codec.hpp>
#include <mooncake/net/service.hpp>
#include <mooncake/transport/handshakes.hpp>
#include <mooncake/transport/inbox.hpp>
#include <mooncake/transport/slice.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::transport::detail {

/// The calls of the tcp transport. A write's payload is its slices' bytes one after another; so is a read's reply.
enum class TcpMethod : std::uint32_t { write = 1, read = 2, notify = 3, handshake = 4 };

struct TcpSlice {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::uint64_t key = 0;
    std::uint64_t epoch = 0;
};

struct TcpRequest {
    std::uint64_t generation = 0;
    std::vector<TcpSlice> slices;
};

/// Empty when every slice is `ok`, otherwise one `Errc` a slice. The bytes of a refused slice are not in a read's reply.
struct TcpReply {
    std::vector<std::uint16_t> outcomes;
};

/// Words about the bytes of one region, whose key shows that the sender may know of it. The reply's one outcome says whether
/// they are in the inbox.
struct TcpNotice {
    std::uint64_t generation = 0;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::uint64_t key = 0;
    std::string from;
    std::string text;
};

/// A question to another transport's end, and its answer; or, where `outcome` is none of `ok`, the sentence to that.
struct TcpHandshake {
    std::uint64_t generation = 0;
    std::string transport;
    std::string question;
};
struct TcpHandshakeReply {
    std::uint16_t outcome = 0;
    std::string text;
};

/// Serves this process's regions: checks every slice, then receives into, or sends from, the registered memory itself.
/// `Void`: a template, so that a translation unit without the tcp transport does not pay for its codec.
template <class Void = void>
class BasicTcpService final : public FrameService {
  public:
    static constexpr std::size_t most_slices = 65'536; ///< of one frame

    explicit BasicTcpService(std::shared_ptr<RegionTable> regions, std::shared_ptr<Inbox> inbox = {},
                             std::shared_ptr<Handshakes> handshakes = {})
        : regions_(std::move(regions)), inbox_(std::move(inbox)), handshakes_(std::move(handshakes)) {}

    [[nodiscard]] std::string_view name() const noexcept override { return "transfer"; }
    [[nodiscard]] std::uint64_t generation() const noexcept override { return regions_->generation(); }

    Result<void> accept(Exchange& exchange) override {
        if (exchange.request.method == static_cast<std::uint32_t>(TcpMethod::notify)) return take_notice(exchange);
        if (exchange.request.method == static_cast<std::uint32_t>(TcpMethod::handshake)) return shake_hands(exchange);
        const auto write = exchange.request.method == static_cast<std::uint32_t>(TcpMethod::write);
        if (!write && exchange.request.method != static_cast<std::uint32_t>(TcpMethod::read))
            return Error(Errc::unknown_method,
                         "the transfer service reads, writes, notifies and carries handshakes, and knows no method " +
                             std::to_string(exchange.request.method));
        const auto request = decode<TcpRequest>(exchange.message);
        if (!request || request->slices.size() > most_slices)
            return Error(Errc::protocol_error, "a transfer's slices could not be decoded");
        if (!write && exchange.request.payload_bytes != 0)
            return Error(Errc::protocol_error, "a read came with a payload");
        const auto most = write ? exchange.request.payload_bytes : FrameLimits{}.payload_bytes;
        auto sum = std::uint64_t{0};
        for (const auto& slice : request->slices) {
            if (slice.length > most - sum)
                return Error(Errc::protocol_error, "a transfer's slices are longer than its payload");
            sum += slice.length;
        }
        resolve(exchange, *request, write);
        return ok;
    }

    void serve(std::unique_ptr<Exchange> exchange, const std::shared_ptr<ReplyChannel>& channel) override {
        channel->send(std::move(exchange));
    }

  private:
    Result<void> take_notice(Exchange& exchange) const {
        auto notice = decode<TcpNotice>(exchange.message);
        if (!notice || exchange.request.payload_bytes != 0)
            return Error(Errc::protocol_error, "a notification could not be decoded");
        encode(TcpReply{.outcomes = {static_cast<std::uint16_t>(deliver(*notice))}}, exchange.reply);
        return ok;
    }
    Errc deliver(TcpNotice& notice) const {
        if (notice.generation != regions_->generation()) return Errc::stale_generation;
        auto notification = Notification{.from = std::move(notice.from),
                                         .offset = notice.offset,
                                         .length = notice.length,
                                         .text = std::move(notice.text)};
        return put_in(inbox_.get(), *regions_, std::move(notification), notice.key);
    }

    Result<void> shake_hands(Exchange& exchange) const {
        if (exchange.message.size() > 2 * Handshakes::most_bytes)
            return Error(Errc::too_large, "a handshake has " + std::to_string(exchange.message.size()) + " bytes");
        auto asked = decode<TcpHandshake>(exchange.message);
        if (!asked || exchange.request.payload_bytes != 0)
            return Error(Errc::protocol_error, "a handshake could not be decoded");
        auto answer = answer_to(*asked);
        auto reply = TcpHandshakeReply();
        reply.outcome = static_cast<std::uint16_t>(answer ? Errc::ok : answer.error().code());
        reply.text =
            answer ? std::move(*answer) : std::string(answer.error().context().substr(0, Handshakes::most_bytes));
        encode(reply, exchange.reply);
        return ok;
    }
    Result<std::string> answer_to(TcpHandshake& asked) const {
        if (asked.generation != regions_->generation()) return Errc::stale_generation;
        if (!handshakes_) return Errc::not_supported;
        return handshakes_->accept(asked.transport, std::move(asked.question));
    }

    using Scratch = std::array<std::byte, 64 * KiB>;

    /// Fills in sinks or payload, and the reply.
    void resolve(Exchange& exchange, const TcpRequest& request, bool write) const {
        const auto regions = regions_->snapshot();
        auto reply = TcpReply();
        auto scratch = std::shared_ptr<Scratch>();
        auto used = std::vector<RegionPin>();               // of each region that is used, once
        auto passages = std::vector<WriteFence::Passage>(); // of writes that have an owner
        if (write) exchange.sinks.reserve(request.slices.size());
        else exchange.payload.reserve(request.slices.size());
        const auto refuse = [&](std::size_t i, Errc why) {
            reply.outcomes.resize(request.slices.size());
            reply.outcomes[i] = static_cast<std::uint16_t>(why);
            if (write) discard(exchange, scratch, request.slices[i].length);
        };
        for (std::size_t i = 0; i < request.slices.size(); ++i) {
            const auto& slice = request.slices[i];
            if (request.generation != regions_->generation()) {
                refuse(i, Errc::stale_generation);
                continue;
            }
            const auto* near = used.empty() ? nullptr : &used.back();
            const auto found =
                regions.resolve(slice.offset, slice.length, slice.key, write ? Rights::write : Rights::read, near);
            if (found.error != Errc::ok) {
                refuse(i, found.error);
                continue;
            }
            if (write && slice.epoch != 0) {
                auto passage = regions_->fence().enter(slice.offset, slice.length, slice.epoch);
                if (!passage) {
                    refuse(i, Errc::stale_epoch);
                    continue;
                }
                if (passages.empty()) passages.reserve(request.slices.size() - i);
                passages.push_back(std::move(*passage));
            }
            if (write) {
                exchange.sinks.emplace_back(found.bytes, slice.length);
            } else {
                exchange.payload.emplace_back(found.bytes, slice.length);
            }
            if (used.empty() || used.back() != *found.region) used.push_back(*found.region);
        }
        if (!used.empty()) exchange.keep.push_back(std::make_shared<const std::vector<RegionPin>>(std::move(used)));
        if (!passages.empty())
            exchange.keep.push_back(std::make_shared<const std::vector<WriteFence::Passage>>(std::move(passages)));
        encode(reply, exchange.reply);
    }

    /// Bytes that nobody may have go to scratch memory, over and over, all of a request's to the same.
    static void discard(Exchange& exchange, std::shared_ptr<Scratch>& scratch, std::uint64_t length) {
        constexpr auto size = std::uint64_t{std::tuple_size_v<Scratch>};
        if (!scratch) {
            scratch = std::make_shared<Scratch>();
            exchange.keep.push_back(scratch);
        }
        for (; length != 0; length -= std::min(length, size))
            exchange.sinks.emplace_back(scratch->data(), std::min(length, size));
    }

    const std::shared_ptr<RegionTable> regions_;
    const std::shared_ptr<Inbox> inbox_;
    const std::shared_ptr<Handshakes> handshakes_;
};

using TcpService = BasicTcpService<>;

} // namespace mooncake::transport::detail
