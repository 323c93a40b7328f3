#include "engine/segment.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

/// A message of 64 bytes to another process and one back, through shared memory: each side has the engine write into an arena
/// that the other has registered, and spins on its own until the other's message is there. Peer: two processes with one page of
/// shared memory that copy such messages themselves and set a flag. Nobody is woken.
namespace {

using namespace mooncake;

using Engine = TransferEngine<bench::Only<ShmTransport>>;

/// A message, which fits a cache line. It is there when every word of it says the same: it may come in pieces.
struct alignas(64) Line {
    std::array<std::atomic<std::uint64_t>, 8> words;

    [[nodiscard]] bool says(std::uint64_t value) const noexcept {
        for (const auto& word : words)
            if (word.load(std::memory_order_acquire) != value) return false;
        return true;
    }
    [[nodiscard]] std::uint64_t first() const noexcept { return words[0].load(std::memory_order_acquire); }

    static constexpr std::uint64_t none = 0;                 ///< nothing was written yet
    static constexpr std::uint64_t rest = ~std::uint64_t{0}; ///< whoever answers may sleep
};
static_assert(sizeof(Line) == 64);

using Message = std::array<std::uint64_t, 8>;

Message filled(std::uint64_t value) {
    auto message = Message();
    message.fill(value);
    return message;
}

/// Spins until the other has said `value`; false when he has not by then, and is gone.
bool comes(const Line& line, std::uint64_t value, Deadline deadline) {
    for (std::uint64_t looks = 1; !line.says(value); ++looks)
        if (looks % (1 << 20) == 0 && deadline.passed()) return false;
    return true;
}

Error gone() { return {Errc::timed_out, "the other process does not answer"}; }

constexpr auto nap = std::chrono::milliseconds(1);
constexpr std::uint64_t trips = 20'000;

/// One side: its own memory, and the other's.
struct Side {
    explicit Side(Runtime& on)
        : engine(on), arena(bench::must(Arena::create({.bytes = 2 * MiB, .sharing = ArenaSharing::host}))) {
        bench::must(on.run(engine.register_arena(arena, Rights::read_write)));
    }
    /// Nothing of it has to be mapped later: whoever spins serves nobody.
    void meet(Runtime& on, const std::string& locator) {
        other = bench::must(on.run(engine.open(locator)));
        (void)bench::must(on.run(engine.write(std::as_bytes(std::span(message)), other, 0)));
    }
    [[nodiscard]] const Line& line() const { return *reinterpret_cast<const Line*>(arena->bytes().data()); }

    Engine engine;
    std::shared_ptr<Arena> arena;
    Engine::Segment other;
    Message message = filled(Line::none);
    std::atomic<bool> stopped = false;
};

constexpr auto options = TransferOptions{.deadline = Deadline::never()}; // whoever spins reads no clock

/// Writes the side's message to the other: the engine's own task, with none around it.
Task<TransferReport> say(Side& side, std::uint64_t value) {
    side.message.fill(value);
    return side.engine.write(std::as_bytes(std::span(side.message)), side.other, 0, options);
}

/// Answers whatever comes with the same. Asleep, but for a look now and then, from when it is told to until something comes.
Task<void> answer(Side* side) {
    auto last = Line::none;
    auto pause = Event();
    while (!side->stopped.load(std::memory_order_relaxed)) {
        const auto value = side->line().first();
        if (!side->line().says(value)) continue; // half of it is there
        if (value == Line::none || value == Line::rest) {
            const auto wake = co_await pause.wait(Deadline(nap));
            if (wake == Wake::cancelled) co_return ok;
        } else if (value != last) {
            last = value;
            const auto said = co_await say(*side, value);
            if (!said) co_return said.error();
        }
    }
    co_return ok;
}

/// Role `pong`: the other side of the engine whose locator is `arguments[0]`.
void pong(std::vector<std::string> arguments) {
    auto runtime = Runtime({.threads = 1});
    auto side = Side(runtime);
    side.meet(runtime, arguments.at(0));
    auto scope = TaskScope(runtime.executor());
    cluster::announce(side.engine.locator());
    bench::must(scope.spawn(answer(&side)));
    cluster::wait_for_stop();
    side.stopped = true;
    runtime.run(scope.close());
    runtime.run(side.engine.close());
}

Task<void> ping(Side* side, std::uint64_t* next, std::uint64_t count) {
    const auto deadline = Deadline(std::chrono::seconds(60));
    for (const auto end = *next + count; *next != end; ++*next) {
        const auto said = co_await say(*side, *next);
        if (!said) co_return said.error();
        if (!comes(side->line(), *next, deadline)) co_return gone();
    }
    co_return ok;
}

/// Two lines of a page, one to each side, and plain copies.
struct Page {
    Line there, back;
};

void put(Line& line, std::uint64_t value) {
    const auto message = filled(value);
    std::memcpy(static_cast<void*>(&line), message.data(), sizeof message - sizeof value);
    line.words[7].store(value, std::memory_order_release); // the flag
}
[[nodiscard]] std::uint64_t flag(const Line& line) { return line.words[7].load(std::memory_order_acquire); }

Page& mapped_page(int fd) {
    auto* const at = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) throw_error(errno_error("mmap", errno));
    return *static_cast<Page*>(at);
}

/// Role `raw_pong`: the same with a page that lies in the file `arguments[0]`.
void raw_pong(std::vector<std::string> arguments) {
    const auto file = FileDescriptor(open(arguments.at(0).c_str(), O_RDWR | O_CLOEXEC));
    auto& page = mapped_page(file.get());
    auto stopped = std::atomic<bool>(false);
    auto thread = std::thread([&] {
        for (auto last = Line::none; !stopped.load(std::memory_order_relaxed);) {
            const auto value = flag(page.there);
            if (value == Line::rest || value == Line::none) {
                std::this_thread::sleep_for(nap);
            } else if (value != last) {
                last = value;
                put(page.back, value);
            }
        }
    });
    cluster::announce("there");
    cluster::wait_for_stop();
    stopped = true;
    thread.join();
}

const auto roles = std::array{bench::Role("pong", &pong), bench::Role("raw_pong", &raw_pong)};

void round_trip(benchmark::State& state) {
    auto runtime = Runtime({.threads = 1});
    auto side = Side(runtime);
    const auto other = bench::Child("pong", {side.engine.locator()});
    side.meet(runtime, other.address());
    const auto file = FileDescriptor(memfd_create("page", MFD_CLOEXEC));
    if (ftruncate(file.get(), sizeof(Page)) != 0) throw_error(errno_error("ftruncate", errno));
    auto& page = mapped_page(file.get());
    const auto raw =
        bench::Child("raw_pong", {"/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(file.get())});
    auto next = std::uint64_t{1}, raw_next = next;
    const auto ours = [&] {
        bench::must(runtime.run(ping(&side, &next, 1))); // the other wakes up
        const auto sample = bench::timed(trips, [&] { bench::must(runtime.run(ping(&side, &next, trips))); });
        (void)bench::must(runtime.run(say(side, Line::rest)));
        return sample;
    };
    const auto exchange = [&](std::uint64_t count) {
        const auto deadline = Deadline(std::chrono::seconds(60));
        for (const auto end = raw_next + count; raw_next != end; ++raw_next) {
            put(page.there, raw_next);
            for (std::uint64_t looks = 1; flag(page.back) != raw_next; ++looks)
                if (looks % (1 << 20) == 0 && deadline.passed()) throw_error(gone());
        }
    };
    const auto theirs = [&] {
        exchange(1);
        const auto sample = bench::timed(trips, [&] { exchange(trips); });
        put(page.there, Line::rest);
        return sample;
    };
    bench::run(state, {.unit = bench::Unit::calls, .peer = "raw_spin", .ours = ours, .peers = {theirs}});
    runtime.run(side.engine.close());
}

const auto row = bench::Row("transfer/rtt/shm_busy", &round_trip);

} // namespace
