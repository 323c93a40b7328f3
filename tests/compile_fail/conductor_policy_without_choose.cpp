// A prefill policy that chooses nothing is none of a conductor's.
// expect: ConductorTraits
// expect: choose
#include <mooncake/serving/conductor.hpp>

struct Idle {
    static constexpr std::string_view name = "idle";
};
struct Traits : mooncake::DefaultConductorTraits {
    using Prefill = Idle;
};

std::size_t use(const mooncake::Conductor<Traits>& conductor) { return conductor.live(); }
