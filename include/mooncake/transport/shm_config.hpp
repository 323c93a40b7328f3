#pragma once

#include <mooncake/core/config_of.hpp>
#include <mooncake/memory/copier_fwd.hpp>

#include <cstdint>

namespace mooncake {

/// Which peers who hold a key for reading may map memory that others may write to.
///
/// The kernel keeps a process of another user to reading, and nobody from writing who has the same user: that one can open
/// what it was handed once more, or attach a debugger. Memory that is registered for reading only is sealed, and mapped by
/// all.
enum class ShmTrust : std::uint8_t {
    nobody, ///< such memory is mapped by other users' processes; those of the same user read it where it is, by system calls
    same_user, ///< processes of the same user are taken at their word
};

struct ShmTransportConfig {
    ShmTrust trust = ShmTrust::nobody; ///< of this process in those who may read its memory
};

template <class C = AutoCopier>
class BasicShmTransport;
using ShmTransport = BasicShmTransport<>;

template <class C>
struct ConfigOf<BasicShmTransport<C>> {
    using Type = ShmTransportConfig;
};

} // namespace mooncake
