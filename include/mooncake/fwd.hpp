#pragma once

/// The names of what one hands on, for headers that need no more.

#include <mooncake/core/runtime_fwd.hpp>
#include <mooncake/core/task_fwd.hpp>
#include <mooncake/engine/fwd.hpp>
#include <mooncake/metadata/fwd.hpp>
#include <mooncake/store/fwd.hpp>
