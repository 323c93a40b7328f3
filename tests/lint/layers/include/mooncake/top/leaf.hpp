#pragma once

#include <mooncake/top/part.hpp>
#include <nlohmann/json.hpp>
