#pragma once

/// `TransferEngine`, and all that one with the default parts is made of.

#include <mooncake/engine/engine_bodies.hpp>
#include <mooncake/metadata/peer.hpp>
#include <mooncake/transport/loopback.hpp>
#include <mooncake/transport/shm.hpp>
#include <mooncake/transport/tcp.hpp>
