#pragma once

#include <mooncake/low/other.hpp>
#include <mooncake/top/part.hpp> // bad
#include "other.hpp" // bad
#include <boost/asio.hpp> // bad
#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp> // bad
#include <vector>

// #include <mooncake/top/part.hpp>
/* #include <nlohmann/json.hpp> */
