#include <mooncake/testing/fabric_transport.hpp>
#include <mooncake/testing/minimal_transport.hpp>
#include <mooncake/transport/concept.hpp>
#include <mooncake/transport/loopback.hpp>

#include <doctest/doctest.h>

using namespace mooncake;
using testing::MinimalTransport;

namespace {

/// All that a transport needs; each of the following hides one requirement.
struct Whole : MinimalTransport {
    using MinimalTransport::MinimalTransport;
};
static_assert(Transport<Whole>);

struct LacksConfig : MinimalTransport {
    using MinimalTransport::MinimalTransport;
    struct Config {
        explicit Config(int) {}
    };
};
struct LacksConstructor : MinimalTransport {
    LacksConstructor();
};
struct LacksLink : MinimalTransport {
    using MinimalTransport::MinimalTransport;
    using Link = std::unique_ptr<int>; // not copyable
};
struct LacksName : MinimalTransport {
    using MinimalTransport::MinimalTransport;
    static constexpr int name = 1;
};
struct LacksCost : MinimalTransport {
    using MinimalTransport::MinimalTransport;
    static constexpr std::string_view cost = "much";
};
struct LacksStart : MinimalTransport {
    using MinimalTransport::MinimalTransport;
    void start(int);
};
struct LacksDescribe : MinimalTransport {
    using MinimalTransport::MinimalTransport;
    std::string describe(); // not const
};
struct LacksReaches : MinimalTransport {
    using MinimalTransport::MinimalTransport;
    int reaches(std::string_view) const;
};
struct LacksConnect : MinimalTransport {
    using MinimalTransport::MinimalTransport;
    Task<int> connect(PeerDescription, Deadline);
};
struct LacksTransfer : MinimalTransport {
    using MinimalTransport::MinimalTransport;
    asio::awaitable<void> transfer(Link, SliceGroup); // an error has no way out
};
struct LacksClose : MinimalTransport {
    using MinimalTransport::MinimalTransport;
    void close();
};
static_assert(!Transport<LacksConfig>);
static_assert(!Transport<LacksConstructor>);
static_assert(!Transport<LacksLink>);
static_assert(!Transport<LacksName>);
static_assert(!Transport<LacksCost>);
static_assert(!Transport<LacksStart>);
static_assert(!Transport<LacksDescribe>);
static_assert(!Transport<LacksReaches>);
static_assert(!Transport<LacksConnect>);
static_assert(!Transport<LacksTransfer>);
static_assert(!Transport<LacksClose>);

/// The same for what a transport may claim.
using testing::FabricTransport;
struct LacksAttach : FabricTransport {
    using FabricTransport::FabricTransport;
    Result<void> attach(RegionPin);
};
struct LacksDetach : FabricTransport {
    using FabricTransport::FabricTransport;
    void detach(int);
};
struct LacksAccept : FabricTransport {
    using FabricTransport::FabricTransport;
    Task<std::string> accept(std::string);
};
struct LacksOthers : FabricTransport {
    using FabricTransport::FabricTransport;
    std::vector<std::string> describe_others(); // not const
};
struct LacksAsk : LoopbackTransport {
    using LoopbackTransport::LoopbackTransport;
    Task<int> ask(Link, std::string, std::string, Deadline);
};
static_assert(!RegisteringTransport<LacksAttach> && HandshakingTransport<LacksAttach>);
static_assert(!RegisteringTransport<LacksDetach>);
static_assert(!HandshakingTransport<LacksAccept> && RegisteringTransport<LacksAccept>);
static_assert(!SeveralPathsTransport<LacksOthers>);
static_assert(CarryingTransport<LoopbackTransport> && !CarryingTransport<LacksAsk>);
static_assert(!RegisteringTransport<Whole> && !HandshakingTransport<Whole> && !CarryingTransport<Whole>);
static_assert(!MappingTransport<Whole>);
static_assert(!ImmediateTransport<Whole>);
static_assert(!NotifyingTransport<Whole>);

} // namespace

TEST_CASE("transport concept: each requirement is required") { CHECK(Transport<Whole>); }
