#pragma once

#include <mooncake/memory/file_descriptor.hpp>

#include "support/pairs.hpp"

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace bench {

/// A redis-server of its own on a free port of the loopback, without persistence, and one blocking connection to it: what many
/// use today. It is gone with this.
class Redis {
  public:
    /// Throws where there is no redis-server, or none that answers.
    Redis();
    Redis(const Redis&) = delete;
    Redis& operator=(const Redis&) = delete;
    ~Redis();

    void set(const std::string& key, const std::string& value);
    /// `rounds` times `depth` gets of `key`, which are sent together and then answered: what a pipelining client does.
    Sample get(const std::string& key, std::size_t value_bytes, std::uint64_t rounds, std::size_t depth);
    /// `rounds` times one MGET that names `key` `keys` times.
    Sample get_many(const std::string& key, std::size_t value_bytes, std::uint64_t rounds, std::size_t keys);

  private:
    void receive(std::size_t bytes);

    pid_t server_ = -1;
    mooncake::FileDescriptor socket_;
    std::string received_;
};

} // namespace bench
