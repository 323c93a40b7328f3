#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/result.hpp>

#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

/// This engine's ends of the transports that agree with their peers before bytes move, by name: what carries a peer's question finds
/// them here. One question is answered at a time. Thread: any.
class Handshakes {
  public:
    static constexpr std::size_t most_bytes = 16 * KiB; ///< of a question, and of an answer

    /// `T`: has a constant `name`, and `accept(question)` as a `HandshakingTransport` has it. Lifetime: until `close`.
    template <class T>
    void add(T& transport) {
        const auto lock = std::lock_guard(mutex_);
        ends_.push_back({T::name, &transport, [](void* end, std::string question) {
                             return static_cast<T*>(end)->accept(std::move(question));
                         }});
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
        for (const auto& end : ends_) {
            if (end.name != transport) continue;
            auto answer = end.accept(end.transport, std::move(question));
            if (answer && answer->size() > most_bytes) return too_large("a handshake's answer", answer->size());
            return answer;
        }
        return Error(Errc::not_supported, "there is no end of " + in_quotes(transport, 64) + " here to agree with");
    }

  private:
    struct End {
        std::string_view name;
        void* transport;
        Result<std::string> (*accept)(void* transport, std::string question);
    };

    static Error too_large(std::string_view what, std::size_t bytes) {
        return {Errc::too_large, std::string(what) + " has " + std::to_string(bytes) + " bytes; there may be " +
                                     std::to_string(most_bytes)};
    }

    std::mutex mutex_;
    std::vector<End> ends_;
};

} // namespace mooncake
