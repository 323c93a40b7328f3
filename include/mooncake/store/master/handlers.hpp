#pragma once

#include <mooncake/core/result.hpp>
#include <mooncake/store/master/waiter.hpp>
#include <mooncake/store/messages.hpp>

#include <memory>
#include <string>
#include <vector>

namespace mooncake::store::detail {

class Listing;

/// A master as those see it who bring it messages, whatever its policies are: they are compiled once for all of them.
/// What each handler does, and its errors, stand at `Master`'s.
class Handlers {
  public:
    virtual ~Handlers() = default;

    [[nodiscard]] virtual Result<SegmentMountReply> mount(const SegmentMount& message) = 0;
    [[nodiscard]] virtual Result<HeartbeatReply> heartbeat(const Heartbeat& message) = 0;
    [[nodiscard]] virtual Result<void> unmount(const Unmount& message) = 0;
    [[nodiscard]] virtual SegmentsReply segments(const Segments& message) = 0;
    [[nodiscard]] virtual Result<PutStartReply> put_start(const PutStart& message) = 0;
    [[nodiscard]] virtual Result<PutEndReply> put_end(const PutEnd& message) = 0;
    [[nodiscard]] virtual Result<PutAbortReply> put_abort(const PutAbort& message) = 0;
    [[nodiscard]] virtual Result<GetReply> get(const Get& message) = 0;
    [[nodiscard]] virtual Result<QueryReply> query(const Query& message) = 0;
    [[nodiscard]] virtual Result<void> release(const Release& message) = 0;
    [[nodiscard]] virtual Result<RenewReply> renew(const Renew& message) = 0;
    [[nodiscard]] virtual Result<RenewManyReply> renew(const RenewMany& message) = 0;
    [[nodiscard]] virtual Result<void> report_bad(const ReportBad& message) = 0;
    [[nodiscard]] virtual Result<RemoveReply> remove(const Remove& message) = 0;
    [[nodiscard]] virtual StatsReply stats(const Stats& message) = 0;
    [[nodiscard]] virtual DescribeReply describe() const = 0;

    [[nodiscard]] virtual Result<Listing> begin_list(List message) = 0;
    virtual bool go_on(Listing& listing) = 0;
    [[nodiscard]] virtual Result<void> wait_for(const std::vector<std::string>& keys,
                                                const std::shared_ptr<Waiter>& waiter) = 0;
    virtual bool cancel_wait(Waiter& waiter) = 0;

    [[nodiscard]] virtual std::uint64_t fenced_bytes() const noexcept = 0;
};

} // namespace mooncake::store::detail
