#pragma once

#include <mooncake/core/errc.hpp>

#include <boost/system/system_error.hpp>

#include <cassert>
#include <cerrno>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace mooncake {

inline std::ostream& operator<<(std::ostream& out, Errc code) { return out << to_string(code); }

/// A code, and a sentence of context: which segment or key, what was expected, what to do.
/// A bare code costs no allocation; batches answer with those and the sentence is made at the public boundary.
class [[nodiscard]] Error {
  public:
    Error() = default;
    Error(Errc code) noexcept : code_(code) {}
    Error(Errc code, std::string context)
        : code_(code), context_(std::make_shared<const std::string>(std::move(context))) {}

    [[nodiscard]] Errc code() const noexcept { return code_; }
    [[nodiscard]] std::string_view context() const noexcept {
        return context_ ? std::string_view{*context_} : std::string_view{};
    }
    /// The code and its context; where there is none, what the code means and what to do about it.
    [[nodiscard]] std::string message() const {
        return std::string(to_string(code_)).append(": ").append(context_ ? *context_ : explain(code_));
    }

    friend bool operator==(const Error& error, Errc code) noexcept { return error.code_ == code; }
    friend std::ostream& operator<<(std::ostream& out, const Error& error) { return out << error.message(); }

  private:
    Errc code_ = Errc::ok;
    std::shared_ptr<const std::string> context_;
};

/// What constructors that acquire resources throw.
[[noreturn]] inline void throw_error(const Error& error) {
    throw boost::system::system_error(make_error_code(error.code()), std::string(error.context()));
}

/// A value, or why there is none. The part of `boost::system::result` that is wanted of it: its variant costs every unit
/// that includes us a fifth of its compile time. `T` has an empty default, since it lies beside the error.
template <class T>
class [[nodiscard]] Result {
    static_assert(std::is_default_constructible_v<T>, "a Result's value needs an empty default");
    static_assert(!std::is_same_v<T, bool>,
                  "`if (result)` of a Result<bool> asks whether there was an error, and reads as "
                  "if it asked for the value: use Result<void> with an error for no, or an enum");

  public:
    using value_type = T;
    using error_type = Error;

    Result() = default;
    template <class U = T>
        requires(std::is_convertible_v<U, T> && !std::is_same_v<std::remove_cvref_t<U>, Result>)
    Result(U&& value) : value_(std::forward<U>(value)) {}
    Result(Error error) noexcept : error_(std::move(error)), has_value_(false) {}
    Result(Errc code) noexcept : error_(code), has_value_(false) {}

    [[nodiscard]] bool has_value() const noexcept { return has_value_; }
    [[nodiscard]] bool has_error() const noexcept { return !has_value_; }
    [[nodiscard]] explicit operator bool() const noexcept { return has_value_; }

    /// Throws `boost::system::system_error` where there is an error.
    [[nodiscard]] T& value() & {
        if (!has_value_) throw_error(error_);
        return value_;
    }
    [[nodiscard]] const T& value() const& {
        if (!has_value_) throw_error(error_);
        return value_;
    }
    [[nodiscard]] T value() && { return std::move(value()); }

    /// Require: there is a value.
    [[nodiscard]] T& operator*() & noexcept { return there(value_); }
    [[nodiscard]] const T& operator*() const& noexcept { return there(value_); }
    [[nodiscard]] T&& operator*() && noexcept { return std::move(there(value_)); }
    [[nodiscard]] T* operator->() noexcept { return &there(value_); }
    [[nodiscard]] const T* operator->() const noexcept { return &there(value_); }

    /// `Errc::ok` where there is a value.
    [[nodiscard]] const Error& error() const noexcept { return error_; }

  private:
    template <class Value>
    Value& there(Value& value) const noexcept {
        assert(has_value_ && "a Result was used as a value and holds an error: ask it first");
        return value;
    }

    T value_{};
    Error error_;
    bool has_value_ = true;
};

template <>
class [[nodiscard]] Result<void> {
  public:
    using value_type = void;
    using error_type = Error;

    Result() = default;
    Result(Error error) noexcept : error_(std::move(error)), has_value_(false) {}
    Result(Errc code) noexcept : error_(code), has_value_(false) {}

    [[nodiscard]] bool has_value() const noexcept { return has_value_; }
    [[nodiscard]] bool has_error() const noexcept { return !has_value_; }
    [[nodiscard]] explicit operator bool() const noexcept { return has_value_; }
    void value() const {
        if (!has_value_) throw_error(error_);
    }
    [[nodiscard]] const Error& error() const noexcept { return error_; }

  private:
    Error error_;
    bool has_value_ = true;
};

/// `Result<void>` that succeeded: `return ok;`, `co_return ok;`.
struct Ok {
    operator Result<void>() const noexcept { return {}; }
};
inline constexpr Ok ok{};

/// `Errc::system` with the call and the reason, from an errno taken right after the call that set it.
[[nodiscard]] inline Error errno_error(std::string_view call, int number) {
    return {number == ENOMEM ? Errc::out_of_memory : Errc::system,
            std::string(call) + ": " + std::generic_category().message(number)};
}

} // namespace mooncake
