// labels: coroutine
#include <mooncake/core/runtime.hpp>
#include <mooncake/net/shared_links.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <set>
#include <string>

using namespace mooncake;

namespace {

/// Leaves its name behind when it is closed.
struct Link {
    std::string name;
    std::multiset<std::string>& closed;
    asio::awaitable<void> close() {
        closed.insert(name);
        co_return;
    }
};

struct Links {
    std::multiset<std::string> closed;
    int made = 0;
    Runtime runtime = Runtime({.threads = 1});
    net::detail::SharedLinks<std::string, Link> shared;

    explicit Links(std::size_t keep) : shared(runtime.executor(), keep) {}
    ~Links() { close(); }

    std::shared_ptr<Link> get(const std::string& name) {
        return shared.find_or_make(name, [&] {
            ++made;
            return std::shared_ptr<Link>(new Link{name, closed});
        });
    }
    void close() { runtime.run(shared.close()); }
};

} // namespace

TEST_CASE("shared links: whoever asks for the same peer gets the same link, as long as somebody uses it") {
    auto links = Links(0);
    auto first = links.get("a");
    CHECK(links.get("a") == first);
    CHECK(links.made == 1);
    const auto b = links.get("b"); // a is in use, and stays
    CHECK(links.get("a") == first);
    first.reset();
    const auto c = links.get("c"); // nobody uses a: it goes
    const auto again = links.get("a");
    CHECK(links.made == 4);
    links.close();
    CHECK(links.closed == std::multiset<std::string>{"a", "a", "b", "c"});
}

TEST_CASE("shared links: unused ones stay until there are more than are to be kept") {
    auto links = Links(3);
    for (const auto* name : {"a", "b", "c", "a", "b", "c"}) (void)links.get(name);
    CHECK(links.made == 3);
    (void)links.get("d");
    (void)links.get("a");
    CHECK(links.made == 5);
}

TEST_CASE("shared links: what nobody uses any more goes when asked, without anybody coming for another") {
    auto links = Links(0), keeping = Links(1);
    auto a = links.get("a"), b = links.get("b");
    (void)keeping.get("a");
    links.shared.retire_unused();
    a.reset();
    links.shared.retire_unused();
    keeping.shared.retire_unused();
    CHECK(links.get("b") == b);
    CHECK(links.made == 2);
    (void)keeping.get("a");
    CHECK(keeping.made == 1);
    (void)links.get("a");
    CHECK(links.made == 3);
}

TEST_CASE("shared links: once closed there are none, and closing again does nothing") {
    auto links = Links(3);
    const auto held = links.get("a");
    links.close();
    CHECK(links.closed == std::multiset<std::string>{"a"});
    CHECK(links.get("a") == nullptr);
    CHECK(links.get("b") == nullptr);
    links.close();
    CHECK(links.closed.size() == 1);
}
