#pragma once

/// Moving bytes: the transfer engine and what one awaits it with. A part of the umbrella.

#include <mooncake/core/combine.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/core/spawn.hpp>
#include <mooncake/engine/transfer_engine.hpp>
