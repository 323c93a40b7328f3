#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

namespace mooncake {

enum class Severity : std::uint8_t { info, warning, error };

/// Where a component says what a person who runs it should know: rare events, never the data path. Silent by default;
/// there is no global one. Copies share the sink. Thread: the sink is called from any, also at once.
class Log {
  public:
    using Sink = std::function<void(Severity, std::string_view)>;

    Log() = default;
    explicit Log(Sink sink) : sink_(std::make_shared<const Sink>(std::move(sink))) {}

    [[nodiscard]] explicit operator bool() const noexcept { return sink_ != nullptr; }
    void operator()(Severity severity, std::string_view sentence) const {
        if (sink_) (*sink_)(severity, sentence);
    }

  private:
    std::shared_ptr<const Sink> sink_;
};

} // namespace mooncake
