#include <mooncake/net/reply_queue.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>

using namespace mooncake;
using net::detail::ReplyQueue;

namespace {

const auto start = TimePoint(Duration(1));

std::unique_ptr<Exchange> reply(std::string text, Priority priority = Priority::normal, ConstBytes payload = {}) {
    auto made = std::make_unique<Exchange>();
    made->request.priority = priority;
    made->reply = std::move(text);
    made->reply_header.fill(std::byte{'h'});
    if (!payload.empty()) made->payload.push_back(payload);
    return made;
}

std::string gathered(ReplyQueue& queue) {
    auto buffers = std::array<asio::const_buffer, net::detail::most_buffers>();
    auto text = std::string();
    for (std::size_t i = 0, count = queue.gather(buffers); i < count; ++i)
        text.append(static_cast<const char*>(buffers[i].data()), buffers[i].size());
    return text;
}

const auto head = std::string(32, 'h');

} // namespace

TEST_CASE("reply queue: what was gathered goes out in any pieces") {
    const auto payload = std::string("payload");
    const auto all = head + "first" + "payload" + head + "second";
    for (std::size_t piece = 1; piece <= all.size(); ++piece) {
        auto queue = ReplyQueue();
        queue.push(reply("first", Priority::normal, bytes_of(payload)), start);
        queue.push(reply("second"), start);
        CHECK(queue.bytes() == all.size());
        auto out = std::string();
        while (!queue.empty()) {
            const auto next = gathered(queue).substr(0, piece);
            out += next;
            queue.advance(next.size());
        }
        CHECK(out == all);
        CHECK(queue.bytes() == 0);
    }
}

TEST_CASE("reply queue: the urgent goes first, but not before what is begun or in hand") {
    auto queue = ReplyQueue();
    queue.push(reply("bulk"), start);
    queue.push(reply("more"), start);
    CHECK(gathered(queue) == head + "bulk" + head + "more"); // both in hand
    queue.push(reply("background", Priority::background), start);
    queue.push(reply("urgent", Priority::urgent), start);
    queue.advance(10); // and one begun
    queue.push(reply("pressing", Priority::urgent), start);
    queue.push(reply("late", Priority::urgent), start + 3 * core::detail::aging);
    CHECK(gathered(queue) == head.substr(10) + "bulk" + head + "more" + head + "urgent" + head + "pressing" + head +
                                 "background" + head + "late");
}
