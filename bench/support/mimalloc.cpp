#include "support/mimalloc.hpp"

#include <dlfcn.h>

namespace bench {

const Mimalloc& Mimalloc::get() {
    static const auto loaded = Mimalloc();
    return loaded;
}

Mimalloc::Mimalloc() {
#ifdef MOONCAKE_BENCH_MIMALLOC
    auto* const library = dlopen(MOONCAKE_BENCH_MIMALLOC, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        problem_ = std::string("mimalloc cannot be loaded: ") + dlerror();
        return;
    }
    malloc_ = reinterpret_cast<void* (*)(std::size_t)>(dlsym(library, "mi_malloc"));
    free_ = reinterpret_cast<void (*)(void*)>(dlsym(library, "mi_free"));
    if (malloc_ == nullptr || free_ == nullptr)
        problem_ = MOONCAKE_BENCH_MIMALLOC " has no mi_malloc and mi_free: it is not mimalloc 1.7 or later";
#else
    problem_ = "without its peer mimalloc, which was not found when this was built. Debian package: libmimalloc-dev";
#endif
}

} // namespace bench
