#pragma once

#include <mooncake/core/result.hpp>
#include <mooncake/store/master/waiter.hpp>
#include <mooncake/store/messages.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace mooncake::store::detail {

class Listing;
class Sweep;

/// One virtual `handle` for each of the messages.
template <class... Messages>
class Handling;
template <class Last>
class Handling<Last> {
  public:
    virtual ~Handling() = default;
    [[nodiscard]] virtual Result<typename Last::Reply> handle(const Last& message) = 0;
};
template <class First, class... Rest>
class Handling<First, Rest...> : public Handling<Rest...> {
  public:
    using Handling<Rest...>::handle;
    [[nodiscard]] virtual Result<typename First::Reply> handle(const First& message) = 0;
};

/// A master as those see it who bring it messages, whatever its policies are: they are compiled once for all of them.
/// What each handler does, and its errors, stand at `Master`'s.
class Handlers : public ToPlainMessages<Handling> {
  public:
    [[nodiscard]] virtual Result<Listing> begin(List message) = 0;
    virtual bool go_on(Listing& listing) = 0;
    [[nodiscard]] virtual Result<Sweep> begin(RemoveMatching message) = 0;
    virtual bool go_on(Sweep& sweep) = 0;
    [[nodiscard]] virtual Result<void> wait_for(const std::vector<std::string>& keys,
                                                const std::shared_ptr<Waiter>& waiter) = 0;
    virtual bool cancel_wait(Waiter& waiter) = 0;

    [[nodiscard]] virtual Result<EventsReply> read(const Events& message) = 0;
    [[nodiscard]] virtual bool wait_for_event(std::uint64_t after, const std::shared_ptr<Waiter>& waiter) = 0;
    virtual void forget(const Waiter& waiter) = 0;

    [[nodiscard]] virtual std::uint64_t fenced_bytes() const noexcept = 0;
};

} // namespace mooncake::store::detail
