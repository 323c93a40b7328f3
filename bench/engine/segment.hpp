#pragma once

#include <mooncake/engine/transfer_engine.hpp>

#include "cluster/daemon.hpp"
#include "support/copies.hpp"
#include "support/serve.hpp"

#include <string>

namespace bench {

/// An engine that has only one way to reach others.
template <mooncake::Transport T>
struct Only : mooncake::DefaultEngineTraits {
    using Transports = mooncake::TransportSet<T>;
};

/// Lends a cold arena of `arguments[0]` bytes over `T`, until the process is to end.
template <mooncake::Transport T>
void lend(mooncake::Runtime& runtime, std::vector<std::string> arguments) {
    auto engine = mooncake::TransferEngine<Only<T>>(runtime);
    const auto arena = cold_arena(std::stoull(arguments.at(0)), mooncake::ArenaSharing::host);
    must(runtime.run(engine.register_arena(arena, mooncake::Rights::read_write)));
    cluster::announce(engine.locator());
    cluster::wait_for_stop();
}

/// The same as a role, with default settings.
template <mooncake::Transport T>
void lend(std::vector<std::string> arguments) {
    auto runtime = mooncake::Runtime();
    lend<T>(runtime, std::move(arguments));
}

} // namespace bench
