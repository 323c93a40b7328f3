// A placement policy that chooses nothing is none of a master's.
// expect: MasterTraitsLike
// expect: choose
#include <mooncake/store/master/master.hpp>

struct Idle {
    static constexpr std::string_view name = "idle";
};
struct Traits : mooncake::DefaultMasterTraits {
    using Placement = Idle;
};

std::size_t use(const mooncake::MasterParts<Traits>&) { return 0; }
