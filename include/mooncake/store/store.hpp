#pragma once

/// `Store`, and all that the ready-made ones are made of.

#include <mooncake/store/cluster_store.hpp>
#include <mooncake/store/embedded_store.hpp>
