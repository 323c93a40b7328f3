#pragma once

#include <mooncake/core/clock.hpp>

#include <concepts>
#include <cstdint>

namespace mooncake {

/// What a lease is for.
enum class LeasePurpose : std::uint8_t {
    read,     ///< a get: the bytes stay put while they are read
    handover, ///< a put: the bytes stay until somebody else has read them
    renewal,  ///< a holder that is not done
};

/// What a policy may know before it answers.
struct LeaseRequest {
    LeasePurpose purpose = LeasePurpose::read;
    std::uint64_t objects = 0; ///< how many objects the lease covers
    std::uint64_t bytes = 0;   ///< their sizes, summed
};

/// How long a promise holds that bytes stay put.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `p.duration(request)` | how long a lease for it lasts, from now; above 0 | none | any | O(1) |
template <class P>
concept LeasePolicy =
    std::default_initializable<P> && std::copyable<P> && requires(const P& policy, const LeaseRequest& request) {
        { policy.duration(request) } noexcept -> std::same_as<Duration>;
    };

/// How a lease came to its end.
enum class LeaseFate : std::uint8_t {
    given_back, ///< by its holder, in time
    late,       ///< by its holder, when it was over already
    abandoned,  ///< time ended it, and by now nobody has said anything
};

struct LeaseEnd {
    LeaseRequest request{}; ///< as it was granted; `renewal`, where it was renewed since
    Duration held{};        ///< from the grant until it was given back, or ended
    LeaseFate fate = LeaseFate::given_back;
};

/// A policy that learns from the leases it granted. One that is late was abandoned before.
///
/// | expression | effect | errors | thread | complexity |
/// |---|---|---|---|---|
/// | `p.ended(end)` | a lease came to its end | none | any | O(1) |
template <class P>
concept LearningLeasePolicy = LeasePolicy<P> && requires(P& policy, const LeaseEnd& end) {
    { policy.ended(end) } noexcept -> std::same_as<void>;
};

} // namespace mooncake
