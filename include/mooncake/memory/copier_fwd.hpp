#pragma once

namespace mooncake {

struct AutoCopier;

} // namespace mooncake
