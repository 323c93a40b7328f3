#pragma once

#include <mooncake/low/part.hpp>
#include <mooncake/middle/part.hpp>
#include <mooncake/top/leaf.hpp> // bad
#include <mooncake/top/part.hpp>
