#pragma once

namespace mooncake {

struct DefaultEngineTraits;

template <class Traits = DefaultEngineTraits>
class TransferEngine;

} // namespace mooncake
