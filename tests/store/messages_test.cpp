// labels: unit
#include <mooncake/store/messages.hpp>

#include <boost/pfr/core.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <type_traits>
#include <vector>

using namespace mooncake;
using namespace mooncake::store;

namespace {

/// Whether the codec can walk through it: integers, enums, strings, vectors, and aggregates of those.
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T, std::size_t N>
struct IsVector<SmallVector<T, N>> : std::true_type {};

template <class T>
constexpr bool travels();

template <class T, std::size_t... I>
constexpr bool fields_travel(std::index_sequence<I...>) {
    return (travels<boost::pfr::tuple_element_t<I, T>>() && ...);
}
template <class T>
constexpr bool travels() {
    if constexpr (std::is_same_v<T, bool> || std::is_floating_point_v<T> || std::is_pointer_v<T>) return false;
    else if constexpr (std::is_integral_v<T> || std::is_enum_v<T> || std::is_same_v<T, std::string>) return true;
    else if constexpr (IsVector<T>::value) return travels<typename T::value_type>();
    else if constexpr (std::is_empty_v<T>) return std::is_aggregate_v<T>;
    else return std::is_aggregate_v<T> && fields_travel<T>(std::make_index_sequence<boost::pfr::tuple_size_v<T>>());
}

template <class... Messages>
constexpr bool all_travel = (travels<Messages>() && ...);

struct HasBool {
    bool flag;
};
static_assert(!travels<HasBool>() && !travels<std::vector<HasBool>>());
static_assert(all_travel<SegmentMount, SegmentMountReply, SegmentInfo, Heartbeat, HeartbeatReply, Unmount, Segments,
                         SegmentsReply>);
static_assert(all_travel<PutStart, PutStartReply, PutEnd, PutEndReply, PutAbort, PutAbortReply, Get, GetReply, Query,
                         QueryReply>);
static_assert(all_travel<RenewMany, RenewManyReply, ReportBad, Describe, DescribeReply, WaitFor>);
static_assert(all_travel<CopyStart, CopyStartReply, CopyEnd, CopyEndReply, Survey, SurveyReply, Drain, DrainReply>);
static_assert(all_travel<Events, EventsReply, ObjectEvent, RemoveMatching, RemoveMatchingReply>);
static_assert(all_travel<PinObjects, PinReply, SetQuota, Tenants, TenantsReply, TenantInfo>);
static_assert(all_travel<Release, Renew, RenewReply, Remove, RemoveReply, List, ListReply, Stats, StatsReply>);

} // namespace

TEST_CASE("messages: every field is seen by the codec, so that a new one is noticed here") {
    CHECK(boost::pfr::tuple_size_v<SegmentMount> == 10);
    CHECK(boost::pfr::tuple_size_v<Heartbeat> == 3);
    CHECK(boost::pfr::tuple_size_v<HeartbeatReply> == 2);
    CHECK(boost::pfr::tuple_size_v<FencedExtent> == 3);
    CHECK(boost::pfr::tuple_size_v<WrittenObject> == 4);
    CHECK(boost::pfr::tuple_size_v<BadReplica> == 4);
    CHECK(boost::pfr::tuple_size_v<SegmentInfo> == 7);
    CHECK(boost::pfr::tuple_size_v<ReplicaDescriptor> == 4);
    CHECK(boost::pfr::tuple_size_v<ObjectDescriptor> == 5);
    CHECK(boost::pfr::tuple_size_v<PutStart> == 16);
    CHECK(boost::pfr::tuple_size_v<PutSpace> == 3);
    CHECK(boost::pfr::tuple_size_v<ObjectEvent> == 5);
    CHECK(boost::pfr::tuple_size_v<EventsReply> == 4);
    CHECK(boost::pfr::tuple_size_v<StatsReply> == 13);
    CHECK(boost::pfr::tuple_size_v<PutStartReply> == 4);
    CHECK(boost::pfr::tuple_size_v<TenantQuota> == 4);
    CHECK(boost::pfr::tuple_size_v<PinObjects> == 3);
    CHECK(boost::pfr::tuple_size_v<TenantInfo> == 9);
    CHECK(boost::pfr::get<2>(ReplicaDescriptor{.segment = 1, .offset = 2, .key = 3, .epoch = 4}) == 3);
    CHECK(boost::pfr::get<0>(ObjectDescriptor{}) == Errc::not_found);
}
