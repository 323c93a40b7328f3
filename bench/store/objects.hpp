#pragma once

#include <mooncake/core/combine.hpp>
#include <mooncake/store/store.hpp>

#include "support/copies.hpp"

#include <string>
#include <utility>
#include <vector>

namespace bench {

[[nodiscard]] inline std::string object_key(std::uint64_t number) { return "object-" + std::to_string(number); }

/// Puts or gets of `count` objects of `block` bytes, from `first` on, `in_flight` at a time, with the store's defaults:
/// checksums are computed, and compared.
template <class Store>
struct Objects {
    Store* store = nullptr;
    mooncake::MutableBytes memory; ///< where their bytes come from or go to, round and round
    std::uint64_t block = 1 * mooncake::MiB;
    std::uint64_t count = 0;
    std::uint64_t first = 0;
    std::uint64_t in_flight = 1;
    mooncake::GetOptions options = {};
    std::uint64_t next = 0;

    [[nodiscard]] mooncake::MutableBytes place(std::uint64_t number) const {
        return memory.subspan(number * block % memory.size(), block);
    }

    static mooncake::Task<void> put_some(Objects* self) {
        while (self->next < self->count) {
            const auto number = self->next++;
            const auto key = object_key(self->first + number);
            const auto stored = co_await self->store->put(key, self->place(number));
            if (!stored) co_return stored.error();
            if (stored->replicas == 0)
                co_return mooncake::Error(mooncake::Errc::exists, "a key that the row wanted for itself");
        }
        co_return mooncake::ok;
    }
    static mooncake::Task<void> get_some(Objects* self) {
        while (self->next < self->count) {
            const auto number = self->next++;
            const auto key = object_key(self->first + number);
            const auto size = co_await self->store->get_into(key, self->place(number), self->options);
            if (!size) co_return size.error();
        }
        co_return mooncake::ok;
    }
    static mooncake::Task<void> at_once(Objects* self, mooncake::Task<void> (*one)(Objects*)) {
        auto tasks = std::vector<mooncake::Task<void>>();
        for (std::uint64_t i = 0; i < self->in_flight; ++i) tasks.push_back(one(self));
        co_return co_await mooncake::all_or_cancel(std::move(tasks));
    }

    [[nodiscard]] Sample put(mooncake::Runtime& runtime) { return measure(runtime, &put_some); }
    [[nodiscard]] Sample get(mooncake::Runtime& runtime) { return measure(runtime, &get_some); }

  private:
    Sample measure(mooncake::Runtime& runtime, mooncake::Task<void> (*one)(Objects*)) {
        next = 0;
        return timed(static_cast<double>(count * block), [&] { must(runtime.run(at_once(this, one))); });
    }
};

} // namespace bench
