// What an application may get wrong at its end: it is told, and nothing goes on with memory that is gone.
#include <mooncake/store/store.hpp>

#include "support/dying_words.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

using namespace mooncake;
using test::dying_words;

namespace {

struct Application {
    Application() {
        auto config = EmbeddedStore<>::Config();
        config.master.capacity = 4 * MiB;
        store.emplace(*runtime, std::move(config));
    }
    std::unique_ptr<Runtime> runtime = std::make_unique<Runtime>(RuntimeConfig{.threads = 1});
    std::optional<EmbeddedStore<>> store;
};

asio::awaitable<void> destroy(EmbeddedStore<>* store) {
    std::destroy_at(store);
    co_return;
}

} // namespace

TEST_CASE("ends: a runtime that goes before its store ends the program with a sentence") {
    const auto words = dying_words([] {
        auto application = Application();
        application.runtime.reset();
    });
    CHECK_MESSAGE(
        words.find("a Runtime was destroyed before the engines, stores and servers that use it (1 not closed)") !=
            std::string::npos,
        words);
}

TEST_CASE("ends: a store that was closed may go after its runtime") {
    const auto words = dying_words([] {
        auto application = Application();
        application.runtime->run(application.store->close());
        application.runtime.reset();
        application.store.reset();
    });
    CHECK(words == "");
}

TEST_CASE(
    "ends: a store that goes on a thread of its runtime, where it cannot wait, ends the program with a sentence") {
    const auto words = dying_words([] {
        auto application = Application();
        application.runtime->run(destroy(&*application.store));
    });
    CHECK_MESSAGE(words.find("a Store was destroyed on a thread of its own Runtime") != std::string::npos, words);
}
