#pragma once

#include <boost/system/error_category.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace mooncake {

/// What can go wrong, grouped by the layer that says it first. The numbers travel on the wire: append only.
enum class Errc : std::uint16_t {
    ok = 0,

    // core: any layer may say these
    invalid_argument = 1, ///< a value is outside of what its doc comment allows; the message names it
    cancelled = 2,        ///< the caller, or a scope that is closing, asked for it
    timed_out = 3,        ///< the deadline passed
    closed = 4,           ///< the object was closed before or while the operation ran
    out_of_memory = 5,    ///< the operating system has not so much memory
    system = 6,           ///< a system call failed; the message holds the call and errno
    not_supported = 7,    ///< this policy or platform cannot do it

    // net and rpc
    unreachable = 20,      ///< no connection could be made
    connection_lost = 21,  ///< the peer went away with operations outstanding
    protocol_error = 22,   ///< the peer sent what the protocol does not allow
    version_mismatch = 23, ///< the peer speaks another wire version
    too_large = 24,        ///< a message or a count is over its limit
    address_in_use = 25,   ///< another process listens on that address
    unknown_method = 26,   ///< the server does not know that call

    // memory, transport and engine
    out_of_range = 40,     ///< an offset or a length lies outside of what was registered
    access_denied = 41,    ///< the access key is missing, wrong, or gives fewer rights
    stale_generation = 42, ///< the segment was restarted since its record was read
    no_path = 43,          ///< no transport of this engine reaches that segment
    corrupt = 44,          ///< bytes do not match their checksum
    injected_fault = 45,   ///< a `FaultyTransport` did as it was told
    stale_epoch = 46,      ///< the write came so late that its place may be somebody else's by now

    // metadata
    conflict = 60, ///< somebody else changed the record first, or holds the name

    // store
    not_found = 80,     ///< no such object, segment or record
    exists = 81,        ///< the object is there already, or is being written
    no_space = 82,      ///< nothing free and nothing evictable; the message names leased, pinned and free bytes
    lease_expired = 83, ///< the lease ended before the operation did
    not_mapped = 84,    ///< the bytes are not reachable as memory of this process
    lost = 85,          ///< the object was there, and every replica failed
    stale_term = 86,    ///< the master was restarted meanwhile, and what the old one numbered means nothing to it
    being_written = 87, ///< somebody else is writing the object just now
    quota = 88,         ///< the tenant has as much as it may have, and nothing of its own may go for more
};

/// What a code means to whoever meets it. The table of errors in `include/mooncake/README.md` is made of these.
struct ErrcText {
    Errc code;
    std::string_view name;   ///< the enumerator's
    std::string_view cause;  ///< half a sentence
    std::string_view remedy; ///< what to do, half a sentence; empty for `ok`
};
inline constexpr ErrcText errc_texts[] = {
    {Errc::ok, "ok", "it worked", ""},
    {Errc::invalid_argument, "invalid_argument", "a value is outside of what its doc comment allows",
     "give one that the message, or the comment, names"},
    {Errc::cancelled, "cancelled", "the caller, or a scope that is closing, asked for it",
     "none is needed; what was begun may have been done"},
    {Errc::timed_out, "timed_out", "the deadline passed first",
     "give more time, or see whether the peer is alive; a put or a call may have been done all the same"},
    {Errc::closed, "closed", "the object was closed before, or while, the operation ran",
     "close it last: after whoever uses it"},
    {Errc::out_of_memory, "out_of_memory", "the operating system has not so much memory",
     "ask for less, or free some; a cgroup's limit counts too"},
    {Errc::system, "system", "a system call failed", "see the call and the reason in the message"},
    {Errc::not_supported, "not_supported", "this policy or platform cannot do it", "choose another policy"},
    {Errc::unreachable, "unreachable", "no connection could be made",
     "see whether the process runs, and whether address, port and firewall are right"},
    {Errc::connection_lost, "connection_lost", "the peer went away with operations outstanding",
     "try again; what was under way may have been done"},
    {Errc::protocol_error, "protocol_error", "the peer sent what the protocol does not allow",
     "see whether the address is that of a mooncake server, and of the right one"},
    {Errc::version_mismatch, "version_mismatch", "the peer speaks another wire version",
     "build both from the same release"},
    {Errc::too_large, "too_large", "a message, a count or an object is over its limit",
     "ask in several parts, or give the memory that the message names"},
    {Errc::address_in_use, "address_in_use", "another process listens on that address",
     "choose another port, or 0 for any free one"},
    {Errc::unknown_method, "unknown_method", "the server does not know that call",
     "see whether the address is that of a master"},
    {Errc::out_of_range, "out_of_range", "an offset or a length lies outside of what was registered",
     "open the segment again, and see its record"},
    {Errc::access_denied, "access_denied", "the access key is missing, wrong, or gives fewer rights",
     "open the segment again, or ask its owner for the key"},
    {Errc::stale_generation, "stale_generation", "the segment was restarted since its record was read",
     "open it again"},
    {Errc::no_path, "no_path", "no transport of this engine reaches that segment",
     "give both sides a transport that they have in common; over a network that is tcp"},
    {Errc::corrupt, "corrupt", "bytes do not match their checksum",
     "read again; a store tries the other replicas by itself"},
    {Errc::injected_fault, "injected_fault", "a `FaultyTransport` did as it was told", "take its plan away"},
    {Errc::stale_epoch, "stale_epoch", "the write came so late that its place may be somebody else's by now",
     "put again"},
    {Errc::conflict, "conflict", "somebody else changed it first, holds the name, or uses it",
     "see who, and try again or force it"},
    {Errc::not_found, "not_found", "no such object, segment or record",
     "put it; what was evicted, or was in a node that died, is gone"},
    {Errc::exists, "exists", "the object is there already", "none is needed: it holds what was put first"},
    {Errc::no_space, "no_space", "nothing free and nothing evictable", "release leases and pins, or add nodes"},
    {Errc::lease_expired, "lease_expired", "the lease ended before the operation did",
     "get a new one; renew it sooner"},
    {Errc::not_mapped, "not_mapped", "the bytes are not reachable as memory of this process", "take a copy"},
    {Errc::lost, "lost", "the object was there, and every replica failed",
     "put it again; the message says how the last one failed"},
    {Errc::stale_term, "stale_term", "the master was restarted meanwhile", "try again; what the old one knew is gone"},
    {Errc::being_written, "being_written", "somebody else is writing the object just now",
     "`wait_for` tells when it is there"},
    {Errc::quota, "quota", "the tenant has as much as it may have, and nothing of its own may go",
     "release its leases and pins, remove what it needs no more, or raise its quota"},
};

/// The enumerator's name.
[[nodiscard]] constexpr std::string_view to_string(Errc code) noexcept {
    for (const auto& text : errc_texts)
        if (text.code == code) return text.name;
    return "unknown error";
}

/// What it means and what to do about it.
[[nodiscard]] inline std::string explain(Errc code) {
    for (const auto& text : errc_texts)
        if (text.code == code)
            return std::string(text.cause).append(text.remedy.empty() ? "" : "; ").append(text.remedy);
    return "a code that this version does not know";
}

/// The code a peer sent as a number; a number this version does not know becomes `protocol_error`.
[[nodiscard]] constexpr Errc errc_from_wire(std::uint16_t number) noexcept {
    const auto code = static_cast<Errc>(number);
    return to_string(code) == "unknown error" ? Errc::protocol_error : code;
}

namespace core::detail {

class ErrcCategory final : public boost::system::error_category {
  public:
    constexpr ErrcCategory() noexcept : error_category(0x6d6f6f6e63616b65) {}
    const char* name() const noexcept override { return "mooncake"; }
    std::string message(int value) const override { return std::string(to_string(static_cast<Errc>(value))); }
};

inline constexpr ErrcCategory errc_category{};

} // namespace core::detail

[[nodiscard]] inline boost::system::error_code make_error_code(Errc code) noexcept {
    return {static_cast<int>(code), core::detail::errc_category};
}

} // namespace mooncake

template <>
struct boost::system::is_error_code_enum<mooncake::Errc> : std::true_type {};
