#pragma once

#include <mooncake/low/other.hpp>
#include <mooncake/top/part.hpp> // bad
#include "other.hpp" // bad
#include <boost/asio.hpp> // bad
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ssl/error.hpp> // bad
#include <nlohmann/json.hpp> // bad
#include <openssl/ssl.h> // bad
#include <vector>

// #include <mooncake/top/part.hpp>
/* #include <nlohmann/json.hpp> */
