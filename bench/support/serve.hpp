#pragma once

#include "cluster/processes.hpp"

#include <string>
#include <vector>

namespace bench {

/// What this program does as somebody's child, from a variable at namespace scope:
/// `const auto sink = bench::Role("sink", [](std::vector<std::string> arguments) {...});`. The function says where it
/// serves with `cluster::announce` and returns after `cluster::wait_for_stop`.
struct Role {
    Role(std::string name, void (*serve)(std::vector<std::string> arguments));
};

/// This program again, in a role: `--serve <role> <arguments>`. It is ready once constructed, and gone once destroyed.
class Child {
  public:
    /// Throws when it ends, or 60 s pass, before it has said where it serves.
    Child(std::string role, std::vector<std::string> arguments);
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child();

    [[nodiscard]] const std::string& address() const noexcept { return address_; }

  private:
    cluster::Process process_;
    std::string address_;
};

/// Whether the command line asks for a role; then it has been played, and `status` is the program's.
bool play_role(int argc, char** argv, int& status);

} // namespace bench
