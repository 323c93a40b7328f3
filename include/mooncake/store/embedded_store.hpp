#pragma once

/// A store that is all in this process, and all that it is made of.

#include <mooncake/metadata/memory.hpp>
#include <mooncake/store/basic_store.hpp>
#include <mooncake/store/embedded_master.hpp>
#include <mooncake/store/store_bodies.hpp>
#include <mooncake/transport/loopback.hpp>
