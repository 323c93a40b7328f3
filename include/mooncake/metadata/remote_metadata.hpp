#pragma once

#include <mooncake/core/in_quotes.hpp>
#include <mooncake/metadata/concept.hpp>
#include <mooncake/metadata/server_connections.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake::metadata::detail {

/// How a document is to be put.
struct Putting {
    std::optional<std::uint64_t> over{}; ///< only if it is at this version now, 0: if there is none
    std::uint64_t lease = 0;             ///< by which it is held; 0: by none
};

/// A metadata backend that asks a server: each call runs until it is over, its deadline passes, or the backend is closed.
/// `Backend` derives from this, befriends it, and has the calls themselves, as tasks without a deadline: `get_now(key)`,
/// `put_now(key, value, putting)` and `remove_now(key, version or none)`, and, as far as it claims them, `list_now(prefix)`,
/// `watch_now(prefix, version, deadline)`, `grant_now(ttl)` and `keep_alive_now(lease)`.
template <class Backend, StreamPolicy P>
class RemoteMetadata {
  public:
    Task<std::uint64_t> put(std::string key, std::string value, Deadline deadline) {
        return connections_.run(self().put_now(std::move(key), std::move(value), {}), deadline);
    }
    Task<Document> get(std::string key, Deadline deadline) {
        return connections_.run(self().get_now(std::move(key)), deadline);
    }
    Task<void> remove(std::string key, Deadline deadline) {
        return connections_.run(self().remove_now(std::move(key), std::nullopt), deadline);
    }

    Task<std::uint64_t> compare_and_swap(std::string key, std::uint64_t version, std::string value, Deadline deadline)
        requires(Backend::capabilities.compare_and_swap)
    {
        return connections_.run(self().put_now(std::move(key), std::move(value), {.over = version}), deadline);
    }
    Task<std::uint64_t> compare_and_swap(std::string key, std::uint64_t version, std::string value, std::uint64_t lease,
                                         Deadline deadline)
        requires(Backend::capabilities.compare_and_swap && Backend::capabilities.lease)
    {
        const auto putting = Putting{.over = version, .lease = lease};
        return connections_.run(self().put_now(std::move(key), std::move(value), putting), deadline);
    }
    Task<void> remove(std::string key, std::uint64_t version, Deadline deadline)
        requires(Backend::capabilities.compare_and_swap)
    {
        return connections_.run(self().remove_now(std::move(key), version), deadline);
    }

    Task<std::vector<DocumentChange>> list(std::string prefix, Deadline deadline)
        requires(Backend::capabilities.list)
    {
        return connections_.run(self().list_now(std::move(prefix)), deadline);
    }
    Task<std::vector<DocumentChange>> watch(std::string prefix, std::uint64_t version, Deadline deadline)
        requires(Backend::capabilities.watch)
    {
        if (deadline.is_never()) deadline = Deadline(long_time);
        return connections_.run(self().watch_now(std::move(prefix), version, deadline), deadline);
    }

    Task<std::uint64_t> grant(std::chrono::milliseconds ttl, Deadline deadline)
        requires(Backend::capabilities.lease)
    {
        return connections_.run(self().grant_now(ttl), deadline);
    }
    Task<void> keep_alive(std::uint64_t lease, Deadline deadline)
        requires(Backend::capabilities.lease)
    {
        return connections_.run(self().keep_alive_now(lease), deadline);
    }
    Task<std::uint64_t> put_leased(std::string key, std::string value, std::uint64_t lease, Deadline deadline)
        requires(Backend::capabilities.lease)
    {
        return connections_.run(self().put_now(std::move(key), std::move(value), {.lease = lease}), deadline);
    }

    [[nodiscard]] std::string locator(std::string key) const { return key; }
    void start() noexcept {}
    asio::awaitable<void> close() { return connections_.close(); }

  protected:
    RemoteMetadata(Runtime& runtime, Endpoint server, std::chrono::milliseconds answer_within, P policy)
        : connections_(runtime, std::move(server), answer_within, std::move(policy)) {}

    [[nodiscard]] static Error lease_over() {
        return {Errc::not_found, "the lease is over; grant another and put again"};
    }
    [[nodiscard]] Error no_record_of(std::string_view key) const {
        return {Errc::not_found, to_string(connections_.server()) + " has no record of " + in_quotes(key, 256)};
    }
    [[nodiscard]] static Error conflict(std::string_view key, std::uint64_t expected) {
        return {Errc::conflict, in_quotes(key, 256) + " is at another version than " + std::to_string(expected)};
    }

    ServerConnections<P> connections_;

  private:
    static constexpr auto long_time = std::chrono::hours{24 * 365}; ///< of a wait that has no end

    [[nodiscard]] Backend& self() noexcept { return static_cast<Backend&>(*this); }
};

} // namespace mooncake::metadata::detail
