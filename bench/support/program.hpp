#pragma once

#include <mooncake/memory/file_descriptor.hpp>

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

/// A port of the loopback that nobody has just now.
[[nodiscard]] std::uint16_t free_port();

/// Whether `name` is somewhere in PATH.
[[nodiscard]] bool is_installed(const std::string& name);

/// Somebody else's program. What it says is for `output`, but for its errors, which nobody reads. It is killed, by its id, when
/// this dies.
class Program {
  public:
    /// `environment`: what is added to our own, as `NAME=value`.
    explicit Program(std::vector<std::string> command, std::vector<std::string> environment = {});
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program();

    /// All that it says until it ends, or until 60 s have passed.
    [[nodiscard]] std::string output();

  private:
    pid_t pid_ = -1;
    mooncake::FileDescriptor output_;
};

} // namespace bench
