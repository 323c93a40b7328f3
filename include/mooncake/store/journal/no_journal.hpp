#pragma once

#include <mooncake/store/journal/concept.hpp>

namespace mooncake {

/// Choose this when: nobody reads events. Costs nothing; a master with it answers `Events` with `not_supported`.
struct NoJournal {
    static constexpr bool keeps = false;

    void record(const Change&) noexcept {}
    void settle() noexcept {}
    [[nodiscard]] store::EventsReply read(std::uint64_t after, std::uint32_t) { return {.last = after}; }
    [[nodiscard]] bool wait(std::uint64_t, const std::shared_ptr<Waiter>&) noexcept { return false; }
    void forget(const Waiter&) noexcept {}
};

static_assert(Journal<NoJournal>);

} // namespace mooncake
