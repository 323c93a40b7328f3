#pragma once

#include <mooncake/core/later.hpp>
#include <mooncake/core/serial_interface.hpp>

#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/strand.hpp>

namespace mooncake::core::detail {

/// The `Runtime` that the calling thread is one of; null: none.
inline thread_local const void* runtime_of_this_thread = nullptr;

/// The context that the calling thread turns, for as long as it lives, and what is looked up in it again and again, which
/// would cost a lock and a walk through its services each time; null on threads that are not a `Runtime`'s.
struct TurnedHere {
    const asio::execution_context* context = nullptr;
    asio::execution_context::service* deadlines = nullptr; ///< null until it was looked up
};
inline thread_local TurnedHere turned_here;

/// In the contexts of a `Runtime`: one thread turns each, and they stay until nothing of ours runs on them any more.
class OwnContext final : public asio::execution_context::service {
  public:
    using key_type = OwnContext;
    inline static asio::execution_context::id id;

    explicit OwnContext(asio::execution_context& context, const void* runtime = nullptr)
        : service(context), runtime_(runtime) {}

    /// Whether the calling thread is one of the runtime's whose context this is.
    [[nodiscard]] bool turned_by_this_thread() const noexcept {
        return runtime_ != nullptr && runtime_of_this_thread == runtime_;
    }

  private:
    void shutdown() noexcept override {}
    const void* runtime_;
};

template <class Void>
Executor serial(Executor executor) {
    if (asio::has_service<OwnContext>(asio::query(executor, asio::execution::context))) return executor;
    using Strand = asio::strand<later<Executor, Void>>;
    using Plain = later<asio::io_context::executor_type, Void>;
    using PlainStrand = asio::strand<Plain>; // fits into an executor, and needs no memory of its own
    if (const auto* const plain = executor.template target<Plain>()) return PlainStrand(*plain);
    if (executor.template target<PlainStrand>() || executor.template target<Strand>()) return executor;
    return Strand(executor);
}

template <class Void>
bool runs_here(const Executor& executor) noexcept {
    const auto* const own = executor.template target<later<asio::io_context::executor_type, Void>>();
    if (own == nullptr) return false;
    const auto& context = own->context();
    if (&context == turned_here.context) return true;
    return own->running_in_this_thread() && asio::has_service<OwnContext>(own->context());
}

} // namespace mooncake::core::detail
