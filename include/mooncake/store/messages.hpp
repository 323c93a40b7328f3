#pragma once

#include <mooncake/store/messages/admin.hpp>
#include <mooncake/store/messages/events.hpp>
#include <mooncake/store/messages/leases.hpp>
#include <mooncake/store/messages/objects.hpp>
#include <mooncake/store/messages/replicas.hpp>
#include <mooncake/store/messages/segments.hpp>
#include <mooncake/store/messages/tenants.hpp>

/// What clients, nodes and the master say to each other. Each message is a call (`RpcRequest`): it has a number, never given to
/// another, and names its reply. They travel by Boost.PFR, field by field: append only.
/// Outcomes are bare codes, one a key, in the order of the keys. Times are milliseconds from the receipt, never dates.
namespace mooncake::store {

// The one list of them: `To<Before..., messages...>`. Whoever has something for each of them takes it from here.

/// What clients say, and a master answers at once.
template <template <class...> class To, class... Before>
using ToPlainClientMessages =
    To<Before..., PutStart, PutEnd, PutAbort, Get, Query, Remove, ReportBad, Release, Renew, RenewMany, Segments, Stats,
       CopyStart, CopyEnd, Survey, Drain, SetQuota, Tenants, PinObjects>;

/// What clients say, with what a master takes its time for.
template <template <class...> class To, class... Before>
using ToClientMessages = ToPlainClientMessages<To, Before..., List, RemoveMatching, WaitFor, Events>;

/// All that a master answers at once.
template <template <class...> class To, class... Before>
using ToPlainMessages = ToPlainClientMessages<To, Before..., SegmentMount, Heartbeat, Unmount, Describe>;

} // namespace mooncake::store
