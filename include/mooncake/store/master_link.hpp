#pragma once

#include <mooncake/core/deadline.hpp>
#include <mooncake/core/task_fwd.hpp>
#include <mooncake/rpc/concept.hpp>
#include <mooncake/store/messages.hpp>

#include <concepts>
#include <type_traits>
#include <utility>

namespace mooncake {

namespace store::detail {

template <class M, class Message>
concept Answers = RpcRequest<Message> && requires(M& link, const Message& message, Deadline deadline) {
    { link.call(message, deadline) } -> std::same_as<Task<typename Message::Reply>>;
};

template <class M, class... Messages>
struct AnswersAll : std::bool_constant<(Answers<M, Messages> && ...)> {};

} // namespace store::detail

/// What a master takes in one message, as far as clients have to know.
struct MasterLimits {
    std::uint64_t max_keys = 65'536;
    std::uint64_t max_write_deadline_ms = 600'000;
    std::uint32_t newest_mode = static_cast<std::uint32_t>(store::WriteMode::compare); ///< see `DescribeReply`
};

/// How a client gets at its master: in this process or over a network. Everything a client does is a message.
///
/// | expression | effect | errors | thread |
/// |---|---|---|---|
/// | `M::in_process` | whether a call costs no round trip | | |
/// | `m.call(message, deadline)` | the master's reply | the master's, with its sentence; `unreachable`, `connection_lost`, `timed_out`, `cancelled`, `closed` | any executor |
/// | `m.attach(engine)` | contributes what the link brings along (the embedded master its own memory); once, before the first call | | any executor |
/// | `m.limits()` | what the master takes in one message; known once attached | none | any executor |
/// | `m.close()` | ends calls in progress; idempotent | none | any executor |
///
/// Cancellation of a call is partial: the master may have done it all the same. Lifetime: the message is not looked at after
/// `call` has returned its task.
template <class M>
concept MasterLink = std::default_initializable<typename M::Config> &&
                     store::ToClientMessages<store::detail::AnswersAll, M, store::Describe>::value &&
                     requires(M& link, const M& constant) {
                         { constant.limits() } -> std::same_as<MasterLimits>;
                         { M::in_process } -> std::convertible_to<bool>;
                         { link.close() } -> std::same_as<asio::awaitable<void, Executor>>;
                     };

} // namespace mooncake
