#pragma once

#include <mooncake/net/lane_operation.hpp>

#include <utility>

namespace mooncake::net::detail {

/// The operation to whose memory a read points. Whatever happens to it meanwhile, it is over when the read is, and not before:
/// a stream that is cancelled or closed says when it has let go of the memory by ending the read, and not earlier.
class Landing {
  public:
    /// For as long as the read; then calls `finish(operation, error)` if the operation was over meanwhile.
    template <class Finish>
    class During {
      public:
        During(Landing& landing, LaneOperation& operation, Finish finish)
            : landing_(landing), finish_(std::move(finish)) {
            landing_.operation_ = &operation;
        }
        During(const During&) = delete;
        During& operator=(const During&) = delete;
        ~During() {
            auto* const operation = std::exchange(landing_.operation_, nullptr);
            if (std::exchange(landing_.over_, false)) finish_(*operation, std::move(landing_.error_));
        }

      private:
        Landing& landing_;
        Finish finish_;
    };

    /// Whether `operation`, which is over with `error`, waits for its read.
    [[nodiscard]] bool keeps(const LaneOperation& operation, Error& error) {
        if (operation_ != &operation) return false;
        error_ = std::move(error);
        return over_ = true;
    }

  private:
    LaneOperation* operation_ = nullptr;
    bool over_ = false;
    Error error_;
};

} // namespace mooncake::net::detail
