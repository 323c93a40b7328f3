#pragma once

/// A store whose master and nodes run elsewhere, and all that it is made of.

#include <mooncake/engine/transfer_engine.hpp>
#include <mooncake/store/basic_store.hpp>
#include <mooncake/store/remote_master.hpp>
#include <mooncake/store/store_bodies.hpp>
