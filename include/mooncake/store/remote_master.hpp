#pragma once

#include <mooncake/core/runtime.hpp>
#include <mooncake/rpc/client.hpp>
#include <mooncake/store/master_link.hpp>
#include <mooncake/store/remote_master_config.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

namespace mooncake {

/// Choose this when: a master serves a cluster. Its policies are its own and are set where it is started, not here.
template <class P>
class RemoteMaster {
    static_assert(StreamPolicy<P>);

  public:
    static constexpr bool in_process = false;
    using Config = BasicRemoteMasterConfig<P>;

    RemoteMaster(Runtime& runtime, Config config)
        : answer_within_(config.answer_within),
          client_(runtime.next_executor(), std::move(config.rpc), std::move(config.stream)) {}

    /// Makes sure that there is a master, and that it speaks this version.
    /// Errors: `invalid_argument` (no address), `unreachable`, `version_mismatch`, `protocol_error` (something else listens there).
    template <class Engine>
    Task<void> attach(Engine&) {
        if (client_.server().host.empty() || client_.server().port == 0)
            co_return Error(Errc::invalid_argument,
                            "RemoteMasterConfig::rpc.server is empty; give the address of the master");
        const auto described = co_await call(store::Describe(), Deadline());
        if (described.error() == Errc::unknown_method)
            co_return Error(
                Errc::unknown_method,
                to_string(client_.server()) +
                    " is a mooncake server, but it is no master: a node's address, perhaps; give the one that "
                    "the master said it is ready at");
        if (!described) co_return described.error();
        max_keys_ = std::max<std::uint64_t>(described->max_keys, 1);
        max_write_deadline_ms_ = std::max<std::uint64_t>(described->max_write_deadline_ms, 1);
        newest_mode_ = described->newest_mode;
        co_return ok;
    }

    template <RpcRequest Message>
    Task<typename Message::Reply> call(const Message& message, Deadline deadline) {
        if (deadline.is_never() && !std::same_as<Message, store::WaitFor>) deadline = Deadline(answer_within_);
        return client_.call(message, deadline);
    }

    [[nodiscard]] MasterLimits limits() const noexcept {
        return {.max_keys = max_keys_, .max_write_deadline_ms = max_write_deadline_ms_, .newest_mode = newest_mode_};
    }

    asio::awaitable<void> close() { return client_.close(); }

  private:
    const std::chrono::milliseconds answer_within_;
    std::atomic<std::uint64_t> max_keys_ = MasterLimits().max_keys;
    std::atomic<std::uint64_t> max_write_deadline_ms_ = MasterLimits().max_write_deadline_ms;
    std::atomic<std::uint32_t> newest_mode_ = MasterLimits().newest_mode;
    RpcClient<P> client_;
};

} // namespace mooncake
