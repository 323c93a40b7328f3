#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace mooncake {

/// A call: an aggregate that the codec can send, which names its method and what answers it.
///
/// | expression | meaning |
/// |---|---|
/// | `R::method` | `std::uint32_t`, at least 1, one of a kind in its service, never given to another call |
/// | `typename R::Reply` | the aggregate that comes back |
template <class R>
concept RpcRequest = std::is_aggregate_v<R> && std::is_aggregate_v<typename R::Reply> &&
                     std::same_as<std::remove_cvref_t<decltype(R::method)>, std::uint32_t> && (R::method >= 1) &&
                     std::default_initializable<R> && std::default_initializable<typename R::Reply>;

} // namespace mooncake
