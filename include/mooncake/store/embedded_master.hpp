#pragma once

#include <mooncake/core/runtime_fwd.hpp>
#include <mooncake/store/embedded_link.hpp>
#include <mooncake/store/embedded_master_config.hpp>
#include <mooncake/store/master/master.hpp>

#include <memory>
#include <utility>

namespace mooncake {

/// Choose this when: one process is the whole cluster (a cache inside a serving process, tests, simulations). The master is
/// an object of this process, and so is all its memory.
template <class Traits>
class EmbeddedMaster : public store::detail::EmbeddedLink<> {
    static_assert(MasterTraitsLike<Traits>);

  public:
    using Config = EmbeddedMasterConfig<Traits>;
    using Link = store::detail::EmbeddedLink<>;

    EmbeddedMaster(Runtime&, Config config)
        : Link(std::make_unique<Master<Traits>>(config.master, std::move(config.parts)),
               {.capacity = config.capacity,
                .least_capacity = Traits::Allocator::granularity,
                .pages = config.pages,
                .limits = {.max_keys = config.master.limits.max_keys,
                           .max_write_deadline_ms = config.master.limits.max_write_deadline_ms}}) {}

    /// The master itself, for its statistics and for tests.
    [[nodiscard]] Master<Traits>& master() noexcept { return static_cast<Master<Traits>&>(this->handlers()); }
};

} // namespace mooncake
