#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/memory/file_descriptor.hpp>

#include "support/pairs.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

/// Role `sink`: a process that receives over one loopback connection into a cold arena of `arguments[0]` bytes, in blocks
/// of `arguments[1]`, round and round, with blocking calls.
void sink(std::vector<std::string> arguments);

/// Role `source`: the same the other way round: it sends such an arena whenever it is asked to.
void source(std::vector<std::string> arguments);

/// The other end: blocking sends, which are over when the sink says that it has everything, or receives of all that a source has.
class RawSocket {
  public:
    explicit RawSocket(const std::string& port);

    /// One pass over `bytes` in pieces of `piece`.
    Sample send_all(mooncake::ConstBytes bytes, std::size_t piece);
    /// The same from a source, which is asked for it.
    Sample receive_all(mooncake::MutableBytes into, std::size_t piece);

  private:
    mooncake::FileDescriptor socket_;
};

/// Role `echo`: a process that sends back what comes over one loopback connection, in messages of `arguments[0]` bytes, and
/// sleeps in `epoll_wait` in between; or, given `arguments[1]`, looks so often in vain before it sleeps.
void echo(std::vector<std::string> arguments);

/// The other end. Without `looks` it sleeps in `epoll_wait` until the answer is there: the least that a round trip between two
/// processes that sleep costs. With them it looks so often in vain, in bare `recv`, before it sleeps: the least between two that
/// spin.
class RawEcho {
  public:
    RawEcho(const std::string& port, std::size_t bytes, std::uint64_t looks = 0);

    /// So many, one after another.
    Sample round_trips(std::uint64_t count);

  private:
    mooncake::FileDescriptor socket_, epoll_;
    std::vector<std::byte> message_;
    std::uint64_t looks_;
};

} // namespace bench
