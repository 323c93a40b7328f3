// labels: unit
#include <mooncake/net/send_queue.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

using namespace mooncake;
using namespace std::chrono_literals;
using net::detail::SendQueue;

namespace {

const auto nothing = [](LaneOperation&) {};

/// Bytes that are gathered.
std::string gathered(SendQueue& queue, TimePoint now = {}) {
    auto buffers = std::array<asio::const_buffer, net::detail::most_buffers>();
    auto text = std::string();
    for (std::size_t i = 0, count = queue.gather(buffers, now); i < count; ++i)
        text.append(static_cast<const char*>(buffers[i].data()), buffers[i].size());
    return text;
}

LaneOperation operation(std::string meta) {
    auto made = LaneOperation();
    made.meta = std::move(meta);
    made.unsent = net::detail::SpanCursor<const std::byte>(made.payload);
    made.header.fill(std::byte{'h'});
    return made;
}

} // namespace

TEST_CASE("send queue: an operation has left when its first byte was gathered first") {
    auto queue = SendQueue();
    auto first = operation("first"), second = operation("second");
    queue.push(first);
    (void)gathered(queue, TimePoint(1s));
    CHECK(first.left_at == TimePoint(1s));
    CHECK(queue.advance(3, nothing, nothing));
    queue.push(second);
    (void)gathered(queue, TimePoint(2s));
    CHECK(first.left_at == TimePoint(1s));
    CHECK(second.left_at == TimePoint(2s));
}

TEST_CASE("send queue: a question has gone out when all of it has, and the next one has not") {
    auto queue = SendQueue();
    queue.push_question("question");
    CHECK_FALSE(queue.question_sent());
    CHECK(gathered(queue) == "question");
    CHECK(queue.advance(7, nothing, nothing));
    CHECK_FALSE(queue.question_sent());
    CHECK(gathered(queue) == "n");
    CHECK(queue.advance(1, nothing, nothing));
    CHECK(queue.question_sent());
    CHECK(queue.empty());
    queue.push_question("another");
    CHECK_FALSE(queue.question_sent());
}

TEST_CASE("send queue: one that is given up half sent is finished from a copy, one that is not begun is forgotten") {
    auto queue = SendQueue();
    auto first = operation("first"), second = operation("second"), third = operation("third");
    for (auto* one : {&first, &second, &third}) queue.push(*one);
    const auto all = gathered(queue);
    CHECK(all == std::string(32, 'h') + "first" + std::string(32, 'h') + "second" + std::string(32, 'h') + "third");
    CHECK(queue.drop(first) == SendQueue::Drop::in_hand);
    first.given_up = second.given_up = true;
    auto released = std::vector<LaneOperation*>(), out = released;
    CHECK(queue.advance(
        33, [&](LaneOperation& one) { out.push_back(&one); }, [&](LaneOperation& one) { released.push_back(&one); }));
    CHECK(released == std::vector{&first, &second});
    CHECK(out.empty());
    CHECK(first.maybe_sent);
    CHECK_FALSE(second.maybe_sent);
    first.meta = "is the owner's again";
    CHECK(gathered(queue) == "irst" + std::string(32, 'h') + "third");
    CHECK(queue.advance(4, nothing, nothing));
    CHECK(queue.drop(third) == SendQueue::Drop::released);
    CHECK(queue.empty());
}

TEST_CASE("send queue: what is half sent, and too large to be copied, is stuck") {
    auto queue = SendQueue();
    auto large = operation(std::string(SendQueue::most_copied + 100, 'x'));
    queue.push(large);
    (void)gathered(queue);
    CHECK(queue.advance(40, nothing, nothing));
    CHECK(queue.drop(large) == SendQueue::Drop::stuck);
}

TEST_CASE("send queue: the urgent goes first, but not before what is begun or in hand") {
    auto queue = SendQueue();
    const auto come = [](std::string text, Priority priority, Duration since) {
        auto made = operation(std::move(text));
        made.standing = {.priority = priority, .deadline = Deadline::never(), .since = TimePoint(Duration(1) + since)};
        return made;
    };
    const auto head = std::string(32, 'h');
    auto first = come("first", Priority::background, {}), second = come("second", Priority::normal, {}),
         third = come("third", Priority::background, {});
    queue.push(first);
    CHECK(gathered(queue) == head + "first"); // in hand now
    queue.push(third);
    queue.push(second);
    CHECK(queue.advance(10, nothing, nothing)); // and begun
    auto urgent = come("urgent", Priority::urgent, {}), late = come("late", Priority::urgent, 3 * core::detail::aging);
    queue.push(urgent);
    queue.push(late); // the others have waited for too long
    CHECK(gathered(queue) ==
          std::string(22, 'h') + "first" + head + "urgent" + head + "second" + head + "third" + head + "late");
    CHECK(queue.advance(27, nothing, nothing));
    CHECK(queue.drop(urgent) == SendQueue::Drop::released);
    CHECK(gathered(queue) == head + "second" + head + "third" + head + "late");
}
