// labels: io coroutine
#include <mooncake/core/combine.hpp>
#include <mooncake/core/random.hpp>
#include <mooncake/engine/transfer_engine.hpp>
#include <mooncake/metadata/memory.hpp>
#include <mooncake/testing/transport_pair.hpp>

#include "support/sanitized.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace mooncake;
using namespace std::chrono_literals;

namespace {

template <class T>
struct Only : DefaultEngineTraits {
    using Transports = TransportSet<T>;
    using Metadata = MemoryMetadata;
};

constexpr std::size_t threads = 2, users = 4, in_a_round = 128;
constexpr std::uint64_t most = 1 * MiB; ///< bytes of a request
constexpr auto lent = std::byte{0x5A}, sent = std::byte{0x11}, scribble = std::byte{0xEE};

/// Whoever cancels: asks for it when it is time, and says when that was.
class Canceller {
  public:
    /// One operation that may be cancelled.
    struct Mark {
        std::mutex mutex; // of what follows
        std::optional<Event> stop;
        TimePoint at = TimePoint::max();
        TimePoint asked = TimePoint::max();
    };

    explicit Canceller(std::deque<Mark>& marks)
        : marks_(marks), thread_([this](const std::stop_token& end) {
              while (!end.stop_requested()) {
                  std::this_thread::sleep_for(20us);
                  for (auto& mark : marks_) {
                      const auto lock = std::lock_guard(mark.mutex);
                      const auto now = SteadyClock{}.now();
                      if (mark.at > now) continue;
                      mark.at = TimePoint::max();
                      mark.asked = now;
                      mark.stop->set();
                  }
              }
          }) {}

  private:
    std::deque<Mark>& marks_;
    std::jthread thread_;
};

/// What came of it all.
struct Tally {
    std::mutex mutex; // of what follows
    std::vector<Duration> acknowledged;
    std::size_t done = 0, failed = 0;
    std::uint64_t changed = 0; ///< bytes of memory that its owner had back
};

std::uint64_t count_other(ConstBytes bytes, std::byte expected) {
    if (testing::untouched(bytes, expected)) return 0;
    return static_cast<std::uint64_t>(
        std::count_if(bytes.begin(), bytes.end(), [expected](std::byte byte) { return byte != expected; }));
}

template <class T>
struct Scene {
    using Engine = TransferEngine<Only<T>>;

    Scene()
        : owner(runtime, {.name = "owner", .metadata = metadata}),
          user(runtime, {.name = "user", .metadata = metadata}) {
        readable = lend(most, Rights::read, lent);
        writable = lend(users * strip, Rights::read_write, sent);
        segment = runtime.run(user.open("owner", 10s)).value();
    }
    ~Scene() {
        runtime.run(user.close());
        runtime.run(owner.close());
    }
    RegionPin lend(std::uint64_t bytes, Rights rights, std::byte filled) {
        auto arena = Arena::create({.bytes = bytes, .prefault_threads = 1}).value();
        std::memset(arena->bytes().data(), static_cast<int>(filled), bytes);
        return runtime.run(owner.register_arena(std::move(arena), rights)).value();
    }

    /// What one user does in a round, and how.
    struct User {
        SplitMix64 random;
        std::array<std::vector<std::byte>, 2> memory; ///< in turn, so that there is time before one is looked at again
        std::array<std::uint64_t, 2> used = {};       ///< bytes of it by the last request
        std::uint64_t place = 0;                      ///< of the next write, in the user's own strip
    };

    /// A request that is cancelled by its mark, or by its deadline; whose memory is scribbled upon as soon as it is over.
    static Task<void> ask(Scene* scene, Direction direction, MutableBytes bytes, std::uint64_t offset,
                          TransferOptions options, Result<TransferReport>* result, TimePoint* ended) {
        if (direction == Direction::read) *result = co_await scene->user.read(bytes, scene->segment, offset, options);
        else *result = co_await scene->user.write(bytes, scene->segment, offset, options);
        *ended = SteadyClock{}.now();
        std::memset(bytes.data(), static_cast<int>(scribble), bytes.size());
        co_return ok;
    }
    static Task<void> wait_for(Canceller::Mark* mark) {
        const auto wake = co_await mark->stop->wait();
        co_return wake == Wake::set ? Result<void>(ok) : Result<void>(Errc::cancelled);
    }

    static Task<void> use(Scene* scene, std::size_t number, Tally* tally) {
        auto& self = scene->each[number];
        auto& mark = scene->marks[number];
        for (std::size_t i = 0; i < in_a_round; ++i) {
            auto& memory = self.memory[i % 2];
            const auto wrong = count_other(ConstBytes(memory).first(self.used[i % 2]), scribble);
            const auto direction = self.random() % 2 == 0 ? Direction::read : Direction::write;
            const auto length = 1 + self.random() % (std::uint64_t{1} << (1 + self.random() % 20));
            const auto bytes = MutableBytes(memory).first(self.used[i % 2] = length);
            auto offset = scene->readable->offset + self.random() % (most - length + 1);
            if (direction == Direction::write) {
                std::memset(bytes.data(), static_cast<int>(sent), length);
                if (self.place + length > strip) self.place = 0;
                offset = scene->writable->offset + number * strip + std::exchange(self.place, self.place + length);
            }
            const auto moment = std::chrono::microseconds{self.random() % (1U << (self.random() % scene->doublings))};
            const auto by_deadline = self.random() % 4 == 0;
            auto options = TransferOptions{.deadline = Deadline(30s)};
            if (by_deadline) options.deadline = Deadline(moment);
            {
                const auto lock = std::lock_guard(mark.mutex);
                mark.stop.emplace();
                mark.asked = by_deadline ? options.deadline.at() : TimePoint::max();
                mark.at = by_deadline ? TimePoint::max() : SteadyClock{}.now() + moment;
            }
            auto result = Result<TransferReport>();
            auto ended = TimePoint();
            auto race = std::vector<Task<void>>();
            race.push_back(ask(scene, direction, bytes, offset, options, &result, &ended));
            race.push_back(wait_for(&mark));
            (void)co_await first_of(std::move(race));
            const auto lock = std::lock_guard(mark.mutex);
            mark.at = TimePoint::max();
            const auto given_up = !result && (result.error() == Errc::cancelled || result.error() == Errc::timed_out);
            const auto counting = std::lock_guard(tally->mutex);
            tally->changed += wrong;
            if (given_up) tally->acknowledged.push_back(ended - std::min(mark.asked, ended));
            else result ? ++tally->done : ++tally->failed;
        }
        co_return ok;
    }

    /// All users at once, until each has made its requests; and then a look at all memory.
    void round(Tally& tally) {
        {
            auto running = std::vector<std::jthread>();
            for (std::size_t i = 0; i < threads; ++i) {
                auto tasks = std::vector<Task<void>>();
                for (auto number = i; number < users; number += threads) tasks.push_back(use(this, number, &tally));
                running.emplace_back([this, i, all = all_of(std::move(tasks))]() mutable {
                    (void)sync_wait(runtime.executor(i), std::move(all));
                });
            }
        }
        std::this_thread::sleep_for(5ms); // what was given up is on its way to the owner still
        runtime.run(pause());
        for (const auto& one : each)
            for (const auto& memory : one.memory) tally.changed += count_other(memory, scribble);
        tally.changed += count_other(writable->bytes, sent);
    }
    static asio::awaitable<void> pause() { co_return; }
    static Task<void> all_of(std::vector<Task<void>> tasks) {
        (void)co_await all_settled(std::move(tasks));
        co_return ok;
    }

    static constexpr std::uint64_t strip = 8 * MiB; ///< of each user: a round's writes hardly cover one another

    testing::OrderedRuntime runtime{{.threads = threads}};
    std::shared_ptr<MemoryMetadata> metadata = std::make_shared<MemoryMetadata>();
    Engine owner, user;
    RegionPin readable, writable;
    typename Engine::Segment segment;
    unsigned doublings = 1; ///< of the longest time after which somebody gives up
    std::deque<User> each;
    std::deque<Canceller::Mark> marks;
};

template <class T>
void cancel_at_random(std::uint64_t seed, std::size_t cancellations, unsigned doublings) {
    CAPTURE(seed);
    auto scene = Scene<T>();
    scene.doublings = doublings;
    for (std::size_t i = 0; i < users; ++i) {
        const auto mine = std::vector<std::byte>(most, scribble);
        scene.each.push_back({.random = SplitMix64(seed + i), .memory = {mine, mine}});
        scene.marks.emplace_back();
    }
    auto tally = Tally();
    {
        const auto canceller = Canceller(scene.marks);
        for (const auto until = Deadline(120s); tally.acknowledged.size() < cancellations && !until.passed();)
            scene.round(tally);
    }
    auto& times = tally.acknowledged;
    REQUIRE(times.size() >= cancellations);
    std::sort(times.begin(), times.end());
    const auto micros = [](Duration time) {
        return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    };
    const auto p99 = times[times.size() * 99 / 100];
    MESSAGE(T::name, ": ", times.size(), " given up (", tally.done, " were done first), acknowledged after ",
            micros(times[times.size() / 2]), " us (median), ", micros(p99), " us (p99), ", micros(times.back()),
            " us (most); ", tally.changed, " bytes changed after that");
    CHECK(tally.changed == 0);
    CHECK(tally.failed == 0);
    CHECK(p99 < (test::sanitized ? 2s : 500ms)); // measured in quiet: below 10 ms
}

} // namespace

TEST_CASE("cancellation: whoever gives up at a random moment has his memory to himself, over tcp") {
    cancel_at_random<TcpTransport<>>(1, 7'000, 11);
}

TEST_CASE("cancellation: whoever gives up at a random moment has his memory to himself, over shm") {
    cancel_at_random<ShmTransport>(2, 3'000, 6); // most are done within microseconds
}
