#pragma once

/// Stores of both kinds and what one awaits them with. A part of the umbrella.

#include <mooncake/core/combine.hpp>
#include <mooncake/core/runtime.hpp>
#include <mooncake/core/spawn.hpp>
#include <mooncake/store/store.hpp>
