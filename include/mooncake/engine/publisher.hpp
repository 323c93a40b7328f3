#pragma once

#include <mooncake/core/event.hpp>
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/log.hpp>
#include <mooncake/core/scope.hpp>
#include <mooncake/memory/region_table.hpp>
#include <mooncake/metadata/concept.hpp>
#include <mooncake/metadata/record.hpp>
#include <mooncake/net/codec.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::engine::detail {

/// A segment's record, its buffers by offset. Errors: `protocol_error`.
template <class Record = SegmentRecord>
[[nodiscard]] Result<Record> decode_record(std::string_view document) {
    auto record = decode<Record>(document);
    if (!record) return record;
    auto by_offset = [](const BufferRecord& a, const BufferRecord& b) { return a.offset < b.offset; };
    std::sort(record->buffers.begin(), record->buffers.end(), by_offset);
    return record;
}

/// Keeps the record of this process's segment in the metadata backend. Thread: everything from any executor.
template <MetadataBackend M>
class Publisher {
  public:
    /// `record`: the segment without buffers. `ttl`: how long it stays where it would outlive this process.
    Publisher(SegmentRecord record, std::shared_ptr<M> metadata, Duration ttl, Executor executor, Log log)
        : record_(std::move(record)), metadata_(std::move(metadata)), ttl_(std::chrono::ceil<Milliseconds>(ttl)),
          log_(std::move(log)), keeping_(std::move(executor)) {}

    /// The next record that is written holds the region, with its keys if they are for everybody.
    void show(const Region& region, KeySharing sharing) {
        const auto open = sharing == KeySharing::in_record;
        const auto lock = std::lock_guard(mutex_);
        ++changes_;
        record_.buffers.push_back({.offset = region.offset,
                                   .length = region.bytes.size(),
                                   .location = region.location,
                                   .rights = region.rights,
                                   .read_key = open ? region.keys.read : 0,
                                   .write_key = open ? region.keys.write : 0});
    }

    void hide(const Region& region) {
        const auto lock = std::lock_guard(mutex_);
        ++changes_;
        std::erase_if(record_.buffers, [&](const auto& buffer) { return buffer.offset == region.offset; });
    }

    /// Writes the record; many that wait to do so do it once. Where the backend can tell, a name that somebody else took is
    /// not taken from him.
    /// Errors: `conflict` (names who holds it), those of the backend. Cancellation: none before its turn.
    Task<void> publish() {
        auto mine = Event();
        auto change = std::uint64_t{0};
        {
            const auto lock = std::lock_guard(mutex_);
            change = changes_;
            if (busy_) waiting_.push_back(&mine);
            else mine.set();
            busy_ = true;
        }
        co_await mine.wait(Deadline::never(), Interrupt::no);
        const auto turn = Turn{this};
        const auto executor = co_await asio::this_coro::executor;
        co_await asio::post(executor, asio::use_awaitable); // those who begin beside this one come along
        {
            const auto lock = std::lock_guard(mutex_);
            if (written_ >= change) co_return outcome_;
        }
        auto outcome = co_await write();
        const auto lock = std::lock_guard(mutex_);
        outcome_ = outcome;
        co_return outcome;
    }

    /// Removes the record, if it is this engine's: one of that name that was never written is somebody else's.
    asio::awaitable<void> forget() {
        co_await keeping_.close();
        auto name = std::string();
        auto version = std::uint64_t{0};
        {
            const auto lock = std::lock_guard(mutex_);
            version = std::exchange(version_, 0);
            if (version == 0) co_return;
            name = record_.name;
        }
        const auto within = Deadline(std::chrono::seconds(1));
        auto forgotten = Result<void>();
        // By its version: while this process was stopped it may have lapsed, and somebody else may have the name.
        if constexpr (M::capabilities.compare_and_swap) {
            forgotten = co_await metadata_->remove(name, version, within);
            if (!forgotten && forgotten.error() == Errc::conflict) {
                version = co_await version_of_mine(name); // of which we were not told
                if (version != 0) forgotten = co_await metadata_->remove(name, version, within);
            }
        } else {
            forgotten = co_await metadata_->remove(name, within);
        }
        if (!forgotten && forgotten.error() != Errc::conflict)
            log_(Severity::warning,
                 "the record of " + in_quotes(name, 256) + " could not be removed: " + forgotten.error().message());
    }

  private:
    /// The right to write the record: of two written at once, the older one could come last, or seem somebody else's.
    struct Turn {
        Publisher* publisher;
        ~Turn() {
            const auto lock = std::lock_guard(publisher->mutex_);
            publisher->busy_ = !publisher->waiting_.empty();
            if (!publisher->busy_) return;
            publisher->waiting_.front()->set();
            publisher->waiting_.pop_front();
        }
    };

    /// Where the backend asks for the record when somebody wants it, it is told once that there is one. It asks this, and is not
    /// to any more when this is gone: see `forget`.
    Task<void> offer() {
        auto name = std::string();
        {
            const auto lock = std::lock_guard(mutex_);
            written_ = changes_;
            if (version_ != 0) co_return ok;
            name = record_.name;
        }
        auto make = [this] {
            const auto lock = std::lock_guard(mutex_);
            return encode(record_);
        };
        const auto offered = co_await metadata_->offer(std::move(name), std::move(make), Deadline());
        if (!offered) co_return offered.error();
        const auto lock = std::lock_guard(mutex_);
        version_ = *offered;
        co_return ok;
    }

    Task<void> write() {
        if constexpr (M::capabilities.on_demand) co_return co_await offer();
        auto name = std::string();
        auto document = std::string();
        auto known = std::uint64_t{0};
        {
            const auto lock = std::lock_guard(mutex_);
            name = record_.name;
            document = encode(record_);
            known = version_;
            written_ = changes_;
        }
        auto stored = co_await store(name, known, document);
        if (!stored && stored.error() == Errc::conflict) {
            // It may be our own, of which we were not told: the answer was lost.
            const auto mine = co_await version_of_mine(name);
            if (mine != 0) stored = co_await store(name, mine, std::move(document));
        }
        if (!stored && stored.error() == Errc::conflict)
            co_return Error(Errc::conflict, "another process holds the name " + in_quotes(name, 256) + " (" +
                                                std::string(stored.error().context()) +
                                                "); choose another EngineConfig::name");
        if (!stored) co_return stored.error();
        const auto lock = std::lock_guard(mutex_);
        version_ = *stored;
        co_return ok;
    }

    Task<std::uint64_t> store(std::string name, std::uint64_t known, std::string document) {
        if constexpr (leased) return swap_leased(std::move(name), known, std::move(document));
        else if constexpr (M::capabilities.compare_and_swap)
            return metadata_->compare_and_swap(std::move(name), known, std::move(document), Deadline());
        else return metadata_->put(std::move(name), std::move(document), Deadline());
    }

    /// The version of the record that is there, if it is of this incarnation of this segment; else 0.
    asio::awaitable<std::uint64_t> version_of_mine(std::string name) {
        const auto there = co_await metadata_->get(std::move(name), Deadline(std::chrono::seconds(5)));
        if (!there) co_return 0;
        const auto record = decode_record(there->value);
        co_return record && record->generation == record_.generation ? there->version : 0;
    }

    /// The record goes with its lease, and that with this process, which keeps it alive. One that is over, since nothing was
    /// held by it, or since this process was stopped, has a successor.
    Task<std::uint64_t> swap_leased(std::string name, std::uint64_t known, std::string document) {
        for (auto first = true;; first = false) {
            auto lease = this->lease();
            if (lease == 0) {
                const auto granted = co_await metadata_->grant(ttl_, Deadline());
                if (!granted) co_return granted.error();
                lease = *granted;
                const auto lock = std::lock_guard(mutex_);
                lease_ = lease;
            }
            auto stored = co_await metadata_->compare_and_swap(name, known, document, lease, Deadline());
            if (stored && !std::exchange(kept_, true)) (void)keeping_.spawn(keep());
            if (stored || stored.error() != Errc::not_found || !first) co_return stored;
            lapsed();
            known = 0;
        }
    }

    Task<void> keep() {
        auto pause = Event();
        auto failing = false;
        for (;;) {
            const auto wake = co_await pause.wait(Deadline(ttl_ / 3));
            if (wake == Wake::cancelled) co_return ok;
            auto kept = Result<void>(Errc::not_found);
            const auto lease = is_written() ? this->lease() : 0;
            if (lease != 0) kept = co_await metadata_->keep_alive(lease, Deadline(ttl_ / 3));
            if (!kept && kept.error() == Errc::not_found) {
                lapsed();
                kept = co_await publish();
            }
            const auto cancellation = co_await asio::this_coro::cancellation_state;
            if (core::detail::stopping(cancellation)) co_return ok;
            if (!kept.has_error() == !failing) continue;
            failing = !failing;
            if (failing)
                log_(Severity::warning, "this segment's record is not kept in the metadata: " + kept.error().message());
            else log_(Severity::info, "this segment's record is kept in the metadata again");
        }
    }

    [[nodiscard]] std::uint64_t lease() {
        const auto lock = std::lock_guard(mutex_);
        return lease_;
    }
    [[nodiscard]] bool is_written() {
        const auto lock = std::lock_guard(mutex_);
        return version_ != 0;
    }
    /// The lease is over, and the record gone, whatever the reason: this process was stopped, or the backend was.
    void lapsed() {
        const auto lock = std::lock_guard(mutex_);
        lease_ = version_ = 0;
        ++changes_;
    }

    using Milliseconds = std::chrono::milliseconds;
    static constexpr bool leased =
        M::capabilities.outlives && M::capabilities.lease && M::capabilities.compare_and_swap;

    std::mutex mutex_; // of what follows
    SegmentRecord record_;
    std::uint64_t lease_ = 0;                 ///< by which the record is held, where it would outlive us
    std::uint64_t version_ = 0;               ///< of the record that was written last
    std::uint64_t changes_ = 0, written_ = 0; ///< how many there were, and how many the last record written had
    Result<void> outcome_;                    ///< of writing that
    bool busy_ = false;
    std::deque<Event*> waiting_; ///< for their turn to write

    const std::shared_ptr<M> metadata_;
    const Milliseconds ttl_;
    const Log log_;
    bool kept_ = false; ///< in turn, as all that writes
    TaskScope keeping_;
};

} // namespace mooncake::engine::detail
