#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/result.hpp>

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace mooncake {

/// This engine's ends of the transports that agree with their peers before bytes move, by name: what carries a peer's question finds
/// them here. One question is answered at a time. Thread: any.
class Handshakes {
  public:
    static constexpr std::size_t most_bytes = 16 * KiB; ///< of a question, and of an answer
    using Accept = std::function<Result<std::string>(std::string)>;

    void add(std::string_view transport, Accept accept) {
        const auto lock = std::lock_guard(mutex_);
        ends_.insert_or_assign(std::string(transport), std::move(accept));
    }
    /// After this nobody is asked any more, and nobody is being asked.
    void close() {
        const auto lock = std::lock_guard(mutex_);
        ends_.clear();
    }

    /// Errors: `not_supported` (there is no such end), `too_large`, what the end says.
    [[nodiscard]] Result<std::string> accept(std::string_view transport, std::string question) {
        if (question.size() > most_bytes) return too_large("a handshake's question", question.size());
        const auto lock = std::lock_guard(mutex_);
        const auto end = ends_.find(transport);
        if (end == ends_.end())
            return Error(Errc::not_supported, "there is no end of " + in_quotes(transport, 64) + " here to agree with");
        auto answer = end->second(std::move(question));
        if (answer && answer->size() > most_bytes) return too_large("a handshake's answer", answer->size());
        return answer;
    }

  private:
    static Error too_large(std::string_view what, std::size_t bytes) {
        return {Errc::too_large, std::string(what) + " has " + std::to_string(bytes) + " bytes; there may be " +
                                     std::to_string(most_bytes)};
    }

    std::mutex mutex_;
    std::map<std::string, Accept, std::less<>> ends_;
};

} // namespace mooncake
