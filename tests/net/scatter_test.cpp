// labels: unit
#include <mooncake/net/scatter.hpp>

#include <doctest/doctest.h>

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using namespace mooncake;
using net::detail::SpanCursor;

namespace {

std::vector<ConstBytes> spans_of(const std::vector<std::string>& texts) {
    auto spans = std::vector<ConstBytes>();
    for (const auto& text : texts) spans.push_back(std::as_bytes(std::span(text)));
    return spans;
}

std::string visited(const SpanCursor<const std::byte>& cursor) {
    auto text = std::string();
    cursor.for_each([&](ConstBytes bytes) { text += text_of(bytes); });
    return text;
}

std::string gathered(const SpanCursor<const std::byte>& cursor) {
    auto buffers = std::array<boost::asio::const_buffer, 8>();
    const auto count = cursor.gather(buffers, 0, buffers.size());
    auto text = std::string();
    for (std::size_t i = 0; i < count; ++i) {
        CHECK(buffers[i].size() != 0);
        text.append(static_cast<const char*>(buffers[i].data()), buffers[i].size());
    }
    return text;
}

} // namespace

TEST_CASE("cursor: wherever it stands, all of its ways to look ahead see the same rest") {
    const auto texts = std::vector<std::string>{"", "abc", "", "d", "efgh", ""};
    const auto whole = std::string_view("abcdefgh");
    const auto spans = spans_of(texts);
    for (std::size_t first = 0; first <= whole.size(); ++first)
        for (std::size_t second = 0; first + second <= whole.size(); ++second) {
            auto cursor = SpanCursor<const std::byte>(spans);
            CHECK(cursor.advance(first) == 0);
            CHECK(cursor.advance(second) == 0);
            const auto rest = whole.substr(first + second);
            CHECK(cursor.left() == rest.size());
            CHECK(gathered(cursor) == rest);
            CHECK(visited(cursor) == rest);
        }
    auto cursor = SpanCursor<const std::byte>(spans);
    CHECK(cursor.advance(whole.size() + 3) == 3);
    CHECK(cursor.done());
}

TEST_CASE("cursor: no more buffers are gathered than there is room for") {
    const auto texts = std::vector<std::string>{"a", "b", "c"};
    const auto spans = spans_of(texts);
    auto buffers = std::array<boost::asio::const_buffer, 4>();
    CHECK(SpanCursor<const std::byte>(spans).gather(buffers, 2, 4) == 4);
    CHECK(std::string_view(static_cast<const char*>(buffers[3].data()), buffers[3].size()) == "b");
}

TEST_CASE("cursor: what comes in pieces fills the spans in order, and what does not fit is not taken") {
    auto first = std::array<std::byte, 3>();
    auto second = std::array<std::byte, 2>();
    const auto spans = std::vector<std::span<std::byte>>{first, {}, second};
    auto cursor = SpanCursor<std::byte>(spans);
    const auto text = std::string("12345678");
    const auto bytes = std::as_bytes(std::span(text));
    CHECK(cursor.fill_from(bytes.first(2)) == 2);
    CHECK(cursor.fill_from(bytes.subspan(2)) == 3);
    CHECK(cursor.done());
    CHECK(std::string(text_of(first)) + std::string(text_of(second)) == "12345");
}
