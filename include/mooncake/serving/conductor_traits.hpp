#pragma once

#include <mooncake/serving/admission/least_regret.hpp>
#include <mooncake/serving/balance/concept.hpp>
#include <mooncake/serving/decode/policies.hpp>
#include <mooncake/serving/prefill/least_delay.hpp>
#include <mooncake/serving/role/concept.hpp>

#include <cstdint>
#include <span>

namespace mooncake {

/// What a conductor is made of. `struct Mine : DefaultConductorTraits { using Prefill = KvCacheCentric; };`
struct DefaultConductorTraits {
    using Prefill = LeastDelay;
    using Decode = LeastTbt;
    using Admission = LeastRegret;
    using Balance = NoBalance;
    using Role = FixedRoles;
};

template <class T>
concept ConductorTraits =
    PrefillPolicy<typename T::Prefill> && DecodePolicy<typename T::Decode> && AdmissionPolicy<typename T::Admission> &&
    BalancePolicy<typename T::Balance> && RolePolicy<typename T::Role>;

/// A request as it comes in.
struct ServeRequest {
    std::uint64_t id = 0; ///< of no other that is being served
    double now = 0;       ///< seconds
    std::uint64_t tokens = 0;
    std::span<const BlockKey> blocks{}; ///< of the prompt
    ServeClass priority = ServeClass::normal;
};

/// What becomes of it.
struct ServeDecision {
    Verdict verdict{};               ///< admitted, or why not: 429 with `retry_after`, 503 where all are down
    PrefillChoice prefill{};         ///< where it is prefilled, and what is fetched from whom
    InstanceId decode = no_instance; ///< where it decodes; none where coupled
    double ttft = 0;                 ///< seconds until its first token, by prediction
    BlockCopy copy{};                ///< blocks of it to be copied beside, where somebody has time to
};

} // namespace mooncake
