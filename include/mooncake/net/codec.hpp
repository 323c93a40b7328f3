#pragma once

#include <mooncake/core/result.hpp>
#include <mooncake/core/small_vector.hpp>

#include <boost/pfr/core.hpp>
#include <boost/pfr/tuple_size.hpp>

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/// How aggregates become bytes: fields in order, numbers little-endian at their width, texts and lists behind a 32-bit
/// count. Messages grow at their end only: what an older peer did not send keeps its default, what it does not know it
/// skips. Decoding trusts nothing: a count is believed only as far as the bytes that are there could hold it.
namespace mooncake {

namespace net::detail {

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T, std::size_t N>
inline constexpr bool is_vector<SmallVector<T, N>> = true;

template <class T>
concept Number = (std::integral<T> && !std::same_as<T, bool>) || std::is_enum_v<T>;

template <class T>
concept Record = std::is_aggregate_v<T> && std::is_class_v<T>;

template <class T>
consteval std::size_t least_size() {
    if constexpr (Number<T> || std::same_as<T, bool>) return sizeof(T);
    else if constexpr (std::same_as<T, std::string> || is_vector<T>) return 4;
    else
        return []<std::size_t... I>(std::index_sequence<I...>) {
            return (std::size_t{0} + ... + least_size<boost::pfr::tuple_element_t<I, T>>());
        }(std::make_index_sequence<boost::pfr::tuple_size_v<T>>());
}

static_assert(std::endian::native == std::endian::little,
              "the wire is little-endian, and so is every machine it runs on");

class Encoder {
  public:
    explicit Encoder(std::string& out) noexcept : out_(out) {}

    template <class T>
    void put(const T& value) {
        if constexpr (std::same_as<T, bool>) {
            put(static_cast<std::uint8_t>(value));
        } else if constexpr (Number<T>) {
            out_.append(reinterpret_cast<const char*>(&value), sizeof value);
        } else if constexpr (std::same_as<T, std::string>) {
            put(static_cast<std::uint32_t>(value.size()));
            out_.append(value);
        } else if constexpr (is_vector<T>) {
            put(static_cast<std::uint32_t>(value.size()));
            if constexpr (Number<typename T::value_type>)
                out_.append(reinterpret_cast<const char*>(value.data()), value.size() * sizeof(typename T::value_type));
            else
                for (const auto& item : value) put(item);
        } else {
            static_assert(Record<T>, "messages are aggregates of numbers, enums, std::string, std::vector and such");
            boost::pfr::for_each_field(value, [&](const auto& field) { put(field); });
        }
    }

  private:
    std::string& out_;
};

class Decoder {
  public:
    static constexpr std::size_t most_items = 262'144; ///< of lists of more than numbers, in one message

    explicit Decoder(std::string_view in) noexcept : in_(in) {}

    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] bool empty() const noexcept { return in_.empty(); }

    template <class T>
    void get(T& value) {
        if (failed_) return;
        if constexpr (std::same_as<T, bool>) {
            auto byte = std::uint8_t{0};
            get(byte);
            if (byte > 1) failed_ = true; // neither
            else value = byte == 1;
        } else if constexpr (Number<T>) {
            if (const auto bytes = take(sizeof value); !failed_) std::memcpy(&value, bytes.data(), sizeof value);
        } else if constexpr (std::same_as<T, std::string>) {
            const auto bytes = take(count(1));
            if (!failed_) value.assign(bytes);
        } else if constexpr (is_vector<T>) {
            using Item = typename T::value_type;
            const auto items = count(least_size<Item>());
            // A small text can announce a list whose items take ten times its size: they are counted over the whole message.
            if (!Number<Item> && items > items_left_) failed_ = true;
            if (failed_) return;
            if constexpr (Number<Item>) {
                const auto bytes = take(items * sizeof(Item));
                value.resize(items);
                if (items != 0) std::memcpy(value.data(), bytes.data(), bytes.size());
            } else {
                items_left_ -= items;
                value.clear();
                value.reserve(items);
                for (std::size_t i = 0; i < items && !failed_; ++i) get(value.emplace_back());
            }
        } else {
            static_assert(Record<T>, "messages are aggregates of numbers, enums, std::string, std::vector and such");
            boost::pfr::for_each_field(value, [&](auto& field) { get(field); });
        }
    }

  private:
    std::string_view take(std::size_t bytes) noexcept {
        if (failed_ || bytes > in_.size()) {
            failed_ = true;
            return {};
        }
        const auto taken = in_.substr(0, bytes);
        in_.remove_prefix(bytes);
        return taken;
    }

    std::size_t count(std::size_t least) noexcept {
        auto items = std::uint32_t{0};
        get(items);
        if (!failed_ && least != 0 && items > in_.size() / least) failed_ = true;
        return failed_ ? 0 : items;
    }

    std::string_view in_;
    std::size_t items_left_ = most_items;
    bool failed_ = false;
};

} // namespace net::detail

/// Appends `message` to `out`. Shapes: no text or list is longer than 2³² - 1.
template <net::detail::Record T>
void encode(const T& message, std::string& out) {
    net::detail::Encoder(out).put(message);
}

template <net::detail::Record T>
[[nodiscard]] std::string encode(const T& message) {
    auto out = std::string();
    encode(message, out);
    return out;
}

/// Errors: `protocol_error` (bare) when a field is cut or a count cannot be true. An enum may hold any number.
template <net::detail::Record T>
    requires std::is_default_constructible_v<T>
[[nodiscard]] Result<T> decode(std::string_view in) {
    auto message = T();
    auto decoder = net::detail::Decoder(in);
    boost::pfr::for_each_field(message, [&decoder](auto& field) {
        if (!decoder.empty()) decoder.get(field);
    });
    if (decoder.failed()) return Errc::protocol_error;
    return message;
}

} // namespace mooncake
