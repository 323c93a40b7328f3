#include <mooncake/metadata/concept.hpp>
#include <mooncake/metadata/memory.hpp>
#include <mooncake/net/plain_tcp.hpp>
#include <mooncake/rpc/concept.hpp>
#include <mooncake/testing/metadata_conformance.hpp>

#include <doctest/doctest.h>

using namespace mooncake;
using testing::MinimalMetadata;

namespace {

struct LacksCapabilities : MinimalMetadata {
    static constexpr int capabilities = 0;
};
struct LacksPut : MinimalMetadata {
    Task<void> put(std::string, std::string, Deadline);
};
struct LacksGet : MinimalMetadata {
    Task<std::string> get(std::string, Deadline);
};
struct LacksRemove : MinimalMetadata {
    void remove(std::string, Deadline);
};
struct LacksLocator : MinimalMetadata {
    std::string locator(std::string); // not const
};
struct LacksStart : MinimalMetadata {
    int start();
};
struct LacksClose : MinimalMetadata {
    Task<void> close();
};
template <MetadataCapabilities claimed>
struct Claims : MinimalMetadata {
    static constexpr auto capabilities = claimed;
};
static_assert(!MetadataBackend<LacksCapabilities>);
static_assert(!MetadataBackend<LacksPut>);
static_assert(!MetadataBackend<LacksGet>);
static_assert(!MetadataBackend<LacksRemove>);
static_assert(!MetadataBackend<LacksLocator>);
static_assert(!MetadataBackend<LacksStart>);
static_assert(!MetadataBackend<LacksClose>);
static_assert(MetadataBackend<Claims<MetadataCapabilities{}>>);
static_assert(!MetadataBackend<Claims<MetadataCapabilities{.compare_and_swap = true}>>);
static_assert(!MetadataBackend<Claims<MetadataCapabilities{.on_demand = true}>>);
static_assert(!MetadataBackend<Claims<MetadataCapabilities{.list = true}>>);
static_assert(!MetadataBackend<Claims<MetadataCapabilities{.watch = true}>>);
static_assert(!MetadataBackend<Claims<MetadataCapabilities{.lease = true}>>);
struct LacksOwning : MemoryMetadata {
    Task<std::uint64_t> compare_and_swap(std::string, std::uint64_t, std::string, Deadline); // not with a lease
};
static_assert(!MetadataBackend<LacksOwning>);

struct LacksConnect : PlainTcp {
    static Task<int> connect(Executor, Endpoint);
};
struct LacksAccept : PlainTcp {
    static void accept(Stream);
};
struct LacksStream : PlainTcp {
    using Stream = int;
};
struct LacksListener : PlainTcp {
    using Listener = int;
};
struct LacksListen : PlainTcp {
    static void listen(Executor, ListenConfig);
};
static_assert(StreamPolicy<PlainTcp>);
static_assert(!StreamPolicy<LacksConnect>);
static_assert(!StreamPolicy<LacksAccept>);
static_assert(!StreamPolicy<LacksStream>);
static_assert(!StreamPolicy<LacksListener>);
static_assert(!StreamPolicy<LacksListen>);

struct Answer {
    int number = 0;
};
struct Good {
    static constexpr std::uint32_t method = 1;
    using Reply = Answer;
    int number = 0;
};
struct LacksMethod {
    using Reply = Answer;
};
struct MethodIsSigned {
    static constexpr int method = 1;
    using Reply = Answer;
};
struct MethodIsHello {
    [[maybe_unused]] static constexpr std::uint32_t method = 0;
    using Reply = Answer;
};
struct LacksReply {
    [[maybe_unused]] static constexpr std::uint32_t method = 1;
};
struct ReplyIsNoAggregate {
    [[maybe_unused]] static constexpr std::uint32_t method = 1;
    using Reply = std::string;
};
class IsNoAggregate {
  public:
    [[maybe_unused]] static constexpr std::uint32_t method = 1;
    using Reply = Answer;
    IsNoAggregate() = default;

  private:
    [[maybe_unused]] int number_ = 0;
};
static_assert(RpcRequest<Good>);
static_assert(!RpcRequest<LacksMethod>);
static_assert(!RpcRequest<MethodIsSigned>);
static_assert(!RpcRequest<MethodIsHello>);
static_assert(!RpcRequest<LacksReply>);
static_assert(!RpcRequest<ReplyIsNoAggregate>);
static_assert(!RpcRequest<IsNoAggregate>);

} // namespace

TEST_CASE("concepts of metadata, streams and calls: each requirement is required") {
    CHECK(MetadataBackend<MinimalMetadata>);
}
