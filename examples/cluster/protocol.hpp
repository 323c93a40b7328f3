#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// What the replay's processes say to each other: the coordinator to prefill workers, those to decode workers.
namespace cluster {

/// One request for a prefill worker, who answers when the decode worker has read everything.
struct PrefillReply;
struct Prefill {
    static constexpr std::uint32_t method = 1;
    using Reply = PrefillReply;

    std::uint64_t input_length = 0; ///< tokens
    std::vector<std::uint64_t> blocks;
    std::string decode; ///< address of the decode worker
};
struct PrefillReply {
    std::uint64_t hit_blocks = 0; ///< the longest prefix that was there
    std::uint64_t stored_blocks = 0;
    std::uint64_t unstored_blocks = 0; ///< for want of space
    std::uint64_t read_bytes = 0, written_bytes = 0;
    std::uint64_t mismatches = 0, lost = 0; ///< of both workers
};

/// The blocks of a prompt, all there and leased: whoever reads them releases the leases.
struct DecodeReply;
struct Decode {
    static constexpr std::uint32_t method = 2;
    using Reply = DecodeReply;

    std::vector<std::uint64_t> blocks;
    std::vector<std::uint64_t> leases;
};
struct DecodeReply {
    std::uint64_t read_bytes = 0;
    std::uint64_t mismatches = 0, lost = 0;
};

/// What a worker has measured since it started.
struct MeasurementsReply;
struct Measurements {
    static constexpr std::uint32_t method = 3;
    using Reply = MeasurementsReply;
};
struct TransportBytes {
    std::string name;
    std::uint64_t read = 0, written = 0;
};
struct MeasurementsReply {
    std::vector<TransportBytes> transports;
    std::vector<std::uint32_t> get_us, put_us; ///< microseconds of each batch
};

} // namespace cluster
