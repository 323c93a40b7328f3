#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/deadline.hpp>
#include <mooncake/core/errc.hpp>
#include <mooncake/core/hash.hpp>
#include <mooncake/store/messages.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace mooncake {

/// When the bytes of a read are compared with the checksums their writer computed.
enum class Verify : std::uint8_t {
    always,        ///< fused with the copy where the transport copies itself
    unless_leased, ///< only where the lease may have ended before the read did
    never,
};

/// Whether a read may rely on what the master said before: see `ClientConfig::cached_descriptors`.
enum class Freshness : std::uint8_t {
    leased, ///< of a key that this store has a lease of: what it knows of it
    newest, ///< the master is asked
};

/// What `view` does where an object's bytes cannot be memory of this process.
enum class Unreachable : std::uint8_t {
    copy, ///< gives a private copy
    fail, ///< gives `not_mapped`
};

/// Whether a put leaves its objects leased, to be handed to a reader.
using store::LeaseWish;
using store::LookUp;

/// What a put does where its key has an object already.
using store::WriteMode;

/// Whether the objects of a batch need each other.
enum class Chain : std::uint8_t {
    no,
    yes, ///< each is useless without the one before it, as the blocks of a prompt are
};

/// The key of the object without which another is useless: an eviction policy may let the other go first.
class ParentKey {
  public:
    ParentKey() = default; ///< there is none
    ParentKey(const char* key) noexcept : hash_(hash_text(key)) {}
    ParentKey(std::string_view key) noexcept : hash_(hash_text(key)) {}
    ParentKey(const std::string& key) noexcept : hash_(hash_text(key)) {}

    /// XXH3-64 of the key; 0: none.
    [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }

  private:
    std::uint64_t hash_ = 0;
};

struct PutOptions {
    Deadline deadline = Deadline::usual(); ///< of all of it
    std::uint32_t replicas = 1;            ///< 1 … 16, on different segments; fewer where there are fewer segments
    store::ReplicaDemand demand = store::ReplicaDemand::as_many_as_segments; ///< `all`: fewer are no success
    store::Pin pin = store::Pin::none;
    Duration pin_time = std::chrono::minutes{30}; ///< of a soft pin, from the put on; 1 ms … a year
    LeaseWish lease = LeaseWish::none;
    ParentKey parent{};      ///< of each, or of the first of a chain
    Chain chain = Chain::no; ///< of a batch
    WriteMode mode = WriteMode::create;
    std::uint64_t expected = 0; ///< with `compare`, of one put: the version that it replaces, 0: the key has none
    /// Where the writer is, as nodes there say (`StoreNodeConfig::host`, `rack`); empty: not told. For placement policies that
    /// look at it. Lifetime: of these and the lists below, until the put is done.
    std::string_view near_host{}, near_rack{};
    std::span<const std::uint32_t> preferred{}; ///< ids of segments that come first, if they have room; at most 64
    std::span<const std::uint32_t> excluded{};  ///< ids of segments that nothing is written to; at most 64
    /// After which it goes by itself, from the put on; zero: never. One that is over already, or shorter than a millisecond, is
    /// a millisecond; at most a year.
    Duration time_to_live = Duration::zero();
};
static_assert(std::is_trivially_destructible_v<PutOptions>);

/// Which objects stay when room is made for others.
struct PinOptions {
    Deadline deadline = Deadline::usual(); ///< of all of it
    store::Pin pin = store::Pin::soft;
    Duration time = std::chrono::minutes{30}; ///< of a soft pin, from now on; 1 ms … a year
};
static_assert(std::is_trivially_destructible_v<PinOptions>);

struct GetOptions {
    Deadline deadline = Deadline::usual(); ///< of all of it
    Verify verify = Verify::always;
    Freshness freshness = Freshness::leased;
    std::uint64_t* version_read = nullptr; ///< is told that of the object that was read. Lifetime: outlives the read
};
static_assert(std::is_trivially_destructible_v<GetOptions>);

/// For reads of a part of an object, or into several pieces of memory.
struct RangeOptions {
    Deadline deadline = Deadline::usual();
    /// `always` reads the 256 KiB chunks at the ends of a range whole; without it the lease vouches for the bytes, and what went
    /// over a network is compared all the same.
    Verify verify = Verify::unless_leased;
    Freshness freshness = Freshness::leased;
    std::uint64_t version = 0;             ///< that the object must have, or it is a `conflict`; 0: any
    std::uint64_t* version_read = nullptr; ///< is told that of the object that was read. Lifetime: outlives the read
};
static_assert(std::is_trivially_destructible_v<RangeOptions>);

struct GetBatchOptions {
    Deadline deadline = Deadline::usual(); ///< of all of it
    Verify verify = Verify::always;
    LookUp mode = LookUp::each;        ///< `prefix`: only what comes before the first miss
    LeaseWish lease = LeaseWish::none; ///< `grant`: keeps the lease, and the report tells it
    Freshness freshness = Freshness::leased;
};
static_assert(std::is_trivially_destructible_v<GetBatchOptions>);

struct ViewOptions {
    Deadline deadline = Deadline::usual(); ///< of all of it
    Verify verify = Verify::unless_leased;
    Unreachable unreachable = Unreachable::copy;
    Freshness freshness = Freshness::leased;
};
static_assert(std::is_trivially_destructible_v<ViewOptions>);

struct EventOptions {
    Deadline deadline = Deadline::usual(); ///< of all of it
    Duration wait = Duration::zero();      ///< for the first event, less than the deadline
    std::uint32_t limit = 1000;            ///< events in one answer, at least 1
};
static_assert(std::is_trivially_destructible_v<EventOptions>);

/// A key of a list that is made before its call: one that would be gone by then does not compile.
class KeyView {
  public:
    KeyView() = default;
    KeyView(const char* key) noexcept : text_(key) {}
    KeyView(std::string_view key) noexcept : text_(key) {}
    KeyView(const std::string& key) noexcept : text_(key) {}
    KeyView(std::string&&) = delete; // give it a name: the list would keep a view of a dead string

    operator std::string_view() const noexcept { return text_; }

  private:
    std::string_view text_;
};

/// Lifetime: the bytes outlive the operation, which copies the key when it is called.
struct PutItem {
    KeyView key;
    ConstBytes value;
    std::uint64_t expected = 0; ///< with `WriteMode::compare`: the version that it replaces, 0: the key has none
};

/// Lifetime: the memory outlives the operation, which copies the key when it is called. `into` has at least the object's size; the rest of it is not touched.
struct GetItem {
    KeyView key;
    MutableBytes into;
};

/// A lease that somebody has to release: the number may be handed to another process, which then does.
struct LeaseHandle {
    std::uint64_t id = 0;    ///< 0: none
    TimePoint trusted_until; ///< earlier than the master's end of it, by the skew that clocks may have
    [[nodiscard]] explicit operator bool() const noexcept { return id != 0; }
};

/// What became of one put.
struct PutReceipt {
    std::uint32_t replicas = 0; ///< that this put wrote, which may be fewer than asked for; 0 when it was there before
    LeaseHandle lease;          ///< if wished for and stored now
    std::uint64_t version = 0;  ///< of what was stored, or of what was there before

    /// Whether this put stored its value; if not, the key keeps the one that it had, whatever that is.
    [[nodiscard]] bool stored() const noexcept { return replicas != 0; }
};

/// What became of a batch of puts, in its order.
struct PutBatchReport {
    std::vector<std::uint32_t> replicas; ///< that were written
    std::vector<Errc> outcomes; ///< `ok`; `exists`; `conflict`; `being_written`: by somebody else just now; what failed
    LeaseHandle lease;          ///< of all that were stored now, if wished for
    std::vector<std::uint64_t> versions{}; ///< of what is there now: with `ok`, `exists` and `conflict`; 0: nothing
};

/// What became of a batch of gets, in its order; with `LookUp::prefix`, of the leading hits.
struct GetBatchReport {
    std::vector<std::uint64_t> sizes;
    std::vector<Errc> outcomes; ///< `ok`, `not_found`, `too_large` (for its `into`), `lost` (every replica failed), …
    LeaseHandle lease;          ///< of all that were found, if wished for
    std::vector<std::uint64_t> versions{}; ///< with `ok`, for a `WriteMode::compare` to come
};

} // namespace mooncake
