#pragma once

#include <mooncake/mooncake.hpp>

/// Compiled without `compiled.hpp`: uses a store that somebody made who has it.
mooncake::Result<void> put_without(mooncake::Runtime& runtime, mooncake::EmbeddedStore<>& store);
/// Makes one, and an engine, for somebody who has it.
std::unique_ptr<mooncake::EmbeddedStore<>> make_without(mooncake::Runtime& runtime);
std::unique_ptr<mooncake::TransferEngine<>> make_engine_without(mooncake::Runtime& runtime);
