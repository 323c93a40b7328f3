#pragma once

#include <mooncake/core/task.hpp>
#include <mooncake/engine/batch.hpp>
#include <mooncake/engine/plan.hpp>
#include <mooncake/engine/report.hpp>

#include <atomic>
#include <memory>
#include <utility>

namespace mooncake {

/// A batch that is submitted many times, such as the pages that each step reads: it is planned when it is submitted first, and again
/// only if checksums are wanted and were not, or the other way round, or if the record of a segment had shown no key.
///
/// One submission at a time. Lifetime: as a batch's; the local memory is used each time.
template <class Engine>
class PreparedBatch {
  public:
    /// For the engine.
    struct Parts {
        explicit Parts(Batch<Engine> requests) : batch(std::move(requests)) {}

        const Batch<Engine> batch;
        engine::detail::Plan<typename Engine::Segment> plan;
        bool planned = false;
        std::atomic<bool> under_way = false;
    };

    PreparedBatch(Engine& engine, Batch<Engine> batch)
        : engine_(&engine), parts_(std::make_unique<Parts>(std::move(batch))) {}

    [[nodiscard]] const Batch<Engine>& batch() const noexcept { return parts_->batch; }

    /// See `TransferEngine::submit`. Lifetime: it outlives the task.
    Task<BatchReport> submit(TransferOptions options = {}) & { return engine_->submit(*this, options); }
    Task<BatchReport> submit(TransferOptions options = {}) && = delete; // it would be gone before the task begins

  private:
    friend Engine;

    Engine* engine_;
    std::unique_ptr<Parts> parts_; // stays where it is
};

} // namespace mooncake
