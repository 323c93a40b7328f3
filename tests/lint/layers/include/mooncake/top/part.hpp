#pragma once

#include <mooncake/low/part.hpp>
#include <mooncake/middle/part.hpp> // bad
#include <mooncake/mooncake.hpp> // bad
#include <mooncake/top/leaf.hpp> // bad
#include <mooncake/top/other.hpp>

#if __has_include(<numa.h>) // bad
#endif
