#pragma once

#include <mooncake/core/task.hpp>
#include <mooncake/store/master_link.hpp>

#include <memory>
#include <utility>

namespace mooncake::store::detail {

/// One virtual `call` for each of the messages.
template <class... Messages>
class Asked;
template <class Last>
class Asked<Last> {
  public:
    virtual ~Asked() = default;
    virtual Task<typename Last::Reply> call(const Last& message, Deadline deadline) = 0;
};
template <class First, class... Rest>
class Asked<First, Rest...> : public Asked<Rest...> {
  public:
    using Asked<Rest...>::call;
    virtual Task<typename First::Reply> call(const First& message, Deadline deadline) = 0;
};

/// A master as its client sees it, whichever `MasterLink` is behind it.
class MasterCalls : public ToClientMessages<Asked> {
  public:
    /// Whether a call costs no round trip.
    [[nodiscard]] virtual bool in_process() const noexcept = 0;
    [[nodiscard]] virtual MasterLimits limits() const = 0;
    virtual asio::awaitable<void, Executor> close() = 0;
};

/// Answers the messages one after the other out of a link.
template <class Link, class... Messages>
class Answering;
template <class Link>
class Answering<Link> : public MasterCalls {
  public:
    explicit Answering(std::shared_ptr<Link> link) : link_(std::move(link)) {}

    [[nodiscard]] bool in_process() const noexcept final { return Link::in_process; }
    [[nodiscard]] MasterLimits limits() const final { return link_->limits(); }
    asio::awaitable<void, Executor> close() final { return link_->close(); }

  protected:
    const std::shared_ptr<Link> link_; // whatever it is of: it is deleted as that
};
template <class Link, class First, class... Rest>
class Answering<Link, First, Rest...> : public Answering<Link, Rest...> {
  public:
    using Answering<Link, Rest...>::Answering;
    using Answering<Link, Rest...>::call;
    Task<typename First::Reply> call(const First& message, Deadline deadline) final {
        return this->link_->call(message, deadline);
    }
};

/// Requires: `Link` is a `MasterLink`.
template <class Link>
std::unique_ptr<MasterCalls> calls_through(std::shared_ptr<Link> link) {
    return std::make_unique<ToClientMessages<Answering, Link>>(std::move(link));
}

} // namespace mooncake::store::detail
