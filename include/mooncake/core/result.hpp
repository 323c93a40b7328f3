#pragma once

#include <mooncake/core/errc.hpp>

#include <boost/system/result.hpp>
#include <boost/system/system_error.hpp>
#include <boost/throw_exception.hpp>

#include <cerrno>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace mooncake {

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
    [[nodiscard]] std::string message() const {
        auto text = std::string(to_string(code_));
        if (context_) text.append(": ").append(*context_);
        return text;
    }

    friend bool operator==(const Error& error, Errc code) noexcept { return error.code_ == code; }
    friend std::ostream& operator<<(std::ostream& out, const Error& error) { return out << error.message(); }

  private:
    Errc code_ = Errc::ok;
    std::shared_ptr<const std::string> context_;
};

template <class T>
using Result = boost::system::result<T, Error>;

/// `Result<void>` that succeeded: `return ok;`, `co_return ok;`.
struct Ok {
    operator Result<void>() const noexcept { return {}; }
};
inline constexpr Ok ok{};

/// Called by `Result::value()` on an error. Found by argument-dependent look-up.
[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location& location) {
    boost::throw_exception(boost::system::system_error(make_error_code(error.code()), std::string(error.context())),
                           location);
}

/// What constructors that acquire resources throw.
[[noreturn]] inline void throw_error(const Error& error) {
    throw boost::system::system_error(make_error_code(error.code()), std::string(error.context()));
}

/// `Errc::system` with the call and the reason, from an errno taken right after the call that set it.
[[nodiscard]] inline Error errno_error(std::string_view call, int number) {
    return {number == ENOMEM ? Errc::out_of_memory : Errc::system,
            std::string(call) + ": " + std::generic_category().message(number)};
}

} // namespace mooncake
