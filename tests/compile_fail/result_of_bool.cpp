// `if (result)` of a yes or no reads as the answer, and is not: it is refused.
// expect: use Result<void> with an error for no
#include <mooncake/core/result.hpp>

mooncake::Result<bool> absent() { return false; }
