#pragma once

#include <mooncake/store/store.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mooncake::test {

/// Bytes of which a part is found out not to be another part.
inline std::vector<std::byte> pattern(std::size_t bytes, unsigned seed = 1) {
    auto value = std::vector<std::byte>(bytes);
    for (std::size_t i = 0; i < bytes; ++i) value[i] = static_cast<std::byte>(i * 31 + i / 251 + seed);
    return value;
}

/// A store that is all in this process, of so much memory, and a runtime for it.
struct EmbeddedFixture {
    explicit EmbeddedFixture(std::uint64_t capacity = 16 * MiB) : store(runtime, config(capacity)) {}

    static EmbeddedStore<>::Config config(std::uint64_t capacity) {
        auto config = EmbeddedStore<>::Config();
        config.master.capacity = capacity;
        return config;
    }

    template <class T>
    Result<T> run(Task<T> task) {
        return runtime.run(std::move(task));
    }

    Runtime runtime{{.threads = 2}};
    EmbeddedStore<> store;
};

} // namespace mooncake::test
