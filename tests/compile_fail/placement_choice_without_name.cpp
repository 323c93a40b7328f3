// A placement policy without a name cannot be chosen by one.
// expect: PlacementPolicy
// expect: name
#include <mooncake/store/placement/any.hpp>

struct Nameless {
    void choose(std::span<const mooncake::SegmentCandidate>, const mooncake::PlacementRequest&,
                std::vector<std::uint32_t>&) {}
};

auto use() { return mooncake::PlacementChoice<Nameless>::names(); }
