#pragma once

#include <mooncake/core/deadline_service.hpp>

#include <boost/asio/post.hpp>

#include <memory>
#include <utility>

namespace mooncake::net::detail {

/// Calls `stalled()` of its owner, on its executor, unless what is watched is over in time. It is one of the owner's members.
template <class Owner>
class StallWatch : core::detail::DeadlineService::Node {
  public:
    explicit StallWatch(core::detail::DeadlineService& deadlines) noexcept : deadlines_(deadlines) {}

    void begin(std::weak_ptr<Owner> who, const Executor& executor, Duration within) {
        owner_ = std::move(who);
        executor_ = executor;
        this->expire = [](core::detail::DeadlineService::Node& node) noexcept {
            const auto& self = static_cast<StallWatch&>(node);
            if (auto alive = self.owner_.lock()) asio::post(self.executor_, [alive] { alive->stalled(); });
        };
        deadlines_.add(executor, *this, Deadline(within));
    }
    void over() noexcept { deadlines_.remove(*this); }

    /// What is watched for as long as this lives.
    class Scope {
      public:
        Scope(StallWatch& watch, std::weak_ptr<Owner> who, const Executor& executor, Duration within) : watch_(watch) {
            watch.begin(std::move(who), executor, within);
        }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;
        ~Scope() { watch_.over(); }

      private:
        StallWatch& watch_;
    };

  private:
    core::detail::DeadlineService& deadlines_;
    std::weak_ptr<Owner> owner_;
    Executor executor_;
};

} // namespace mooncake::net::detail
