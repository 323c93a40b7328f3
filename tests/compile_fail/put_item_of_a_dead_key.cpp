// A list of puts keeps a view of each key until its call: a key that would be gone by then is refused.
// expect: deleted
#include <mooncake/store/store.hpp>

mooncake::PutItem item(int i) { return {.key = "k-" + std::to_string(i), .value = {}}; }
