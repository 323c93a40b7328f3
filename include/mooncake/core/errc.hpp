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
};

/// The enumerator's name.
[[nodiscard]] constexpr std::string_view to_string(Errc code) noexcept {
    switch (code) {
    case Errc::ok: return "ok";
    case Errc::invalid_argument: return "invalid_argument";
    case Errc::cancelled: return "cancelled";
    case Errc::timed_out: return "timed_out";
    case Errc::closed: return "closed";
    case Errc::out_of_memory: return "out_of_memory";
    case Errc::system: return "system";
    case Errc::not_supported: return "not_supported";
    case Errc::unreachable: return "unreachable";
    case Errc::connection_lost: return "connection_lost";
    case Errc::protocol_error: return "protocol_error";
    case Errc::version_mismatch: return "version_mismatch";
    case Errc::too_large: return "too_large";
    case Errc::address_in_use: return "address_in_use";
    case Errc::unknown_method: return "unknown_method";
    case Errc::out_of_range: return "out_of_range";
    case Errc::access_denied: return "access_denied";
    case Errc::stale_generation: return "stale_generation";
    case Errc::no_path: return "no_path";
    case Errc::corrupt: return "corrupt";
    case Errc::injected_fault: return "injected_fault";
    case Errc::stale_epoch: return "stale_epoch";
    case Errc::conflict: return "conflict";
    case Errc::not_found: return "not_found";
    case Errc::exists: return "exists";
    case Errc::no_space: return "no_space";
    case Errc::lease_expired: return "lease_expired";
    case Errc::not_mapped: return "not_mapped";
    case Errc::lost: return "lost";
    case Errc::stale_term: return "stale_term";
    case Errc::being_written: return "being_written";
    }
    return "unknown error";
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
