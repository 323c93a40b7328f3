#pragma once

/// `spawn`: the way in from code that has no coroutines.

#include <mooncake/core/launch.hpp>
#include <mooncake/core/serial.hpp>
#include <mooncake/core/spawn_interface.hpp>
