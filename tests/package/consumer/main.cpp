#if __has_include(<mooncake/mooncake.hpp>)
#include <mooncake/mooncake.hpp>
#endif
int main() {}
