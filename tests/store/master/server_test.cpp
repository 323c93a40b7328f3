// labels: io
#include <mooncake/rpc/client.hpp>
#include <mooncake/store/master/server.hpp>
#include <mooncake/store/node.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace mooncake;
using namespace std::chrono_literals;

namespace {

/// What was logged, by whatever thread.
class Lines {
  public:
    [[nodiscard]] Log log() {
        return Log([this](Severity, std::string_view line) {
            const auto lock = std::lock_guard(mutex_);
            lines_.emplace_back(line);
        });
    }
    [[nodiscard]] std::ptrdiff_t count(std::string_view part) {
        const auto lock = std::lock_guard(mutex_);
        return std::count_if(lines_.begin(), lines_.end(),
                             [part](const auto& line) { return line.find(part) != std::string::npos; });
    }
    [[nodiscard]] bool says(std::string_view part) {
        for (const auto until = Deadline(10s); !until.passed(); std::this_thread::sleep_for(5ms))
            if (count(part) != 0) return true;
        return false;
    }

  private:
    std::mutex mutex_;
    std::vector<std::string> lines_;
};

} // namespace

TEST_CASE("master server: which segments joined, left and were dropped is said once each, by name") {
    auto lines = Lines(), node_lines = Lines();
    auto runtime = Runtime({.threads = 2});
    auto config = MasterServer<>::Config();
    config.master.segment_ttl = 400ms;
    config.log = lines.log();
    auto master = MasterServer<>(runtime, std::move(config));
    master.start();
    auto node_config = StoreNode<>::Config();
    node_config.engine.name = "well-behaved";
    node_config.master.rpc.server = master.endpoint();
    node_config.memory.bytes = 1 * MiB;
    auto node = StoreNode<>(runtime, std::move(node_config));
    REQUIRE(runtime.run(node.start()).has_value());
    CHECK(lines.says("segment 'well-behaved' joined with 1048576 bytes, at 'well-behaved@127.0.0.1:"));

    auto client = RpcClient<>(runtime.executor(), {.server = master.endpoint()});
    const auto mount =
        store::SegmentMount{.name = "silent", .generation = 7, .endpoint = "silent@nowhere:1", .bytes = 1 * MiB};
    REQUIRE(runtime.run(client.call(mount, 5s)).has_value());
    CHECK(lines.says("segment 'silent' joined"));
    CHECK(lines.says("segment 'silent' sent no heartbeat and was dropped"));
    runtime.run(node.close());
    CHECK(lines.says("segment 'well-behaved' left"));
    CHECK(lines.count("segment 'silent' sent no heartbeat") == 1);
    CHECK(lines.count("segment 'well-behaved' joined") == 1);
    CHECK(lines.count("dropped") == 1);
    runtime.run(client.close());
    runtime.run(master.close());
}

TEST_CASE("master server: a flood of segments is said in few lines, and counted") {
    auto lines = Lines();
    auto runtime = Runtime({.threads = 2});
    auto config = MasterServer<>::Config(); // it looks once in 750 ms
    config.log = lines.log();
    auto master = MasterServer<>(runtime, std::move(config));
    master.start();
    auto client = RpcClient<>(runtime.executor(), {.server = master.endpoint()});
    for (auto i = 0; i < 300; ++i) {
        const auto mount = store::SegmentMount{
            .name = "flood-" + std::to_string(i), .generation = 7, .endpoint = "nowhere:1", .bytes = 1 * MiB};
        REQUIRE(runtime.run(client.call(mount, 5s)).has_value());
    }
    CHECK(lines.says("more segments joined or went"));
    CHECK(lines.count("joined with") <= 128); // the flood may lie across two turns
    runtime.run(client.close());
    runtime.run(master.close());
}

TEST_CASE("node: a master that is gone is said once, and its return as well") {
    auto lines = Lines();
    auto runtime = Runtime({.threads = 2});
    const auto start_master = [&runtime](Endpoint at) {
        auto config = MasterServer<>::Config();
        config.listen.bind = std::move(at);
        config.master.segment_ttl = 400ms;
        auto master = std::make_unique<MasterServer<>>(runtime, std::move(config));
        master->start();
        return master;
    };
    auto master = start_master({"127.0.0.1", 0});
    const auto endpoint = master->endpoint();
    auto config = StoreNode<>::Config();
    config.engine.name = "node";
    config.master.rpc.server = endpoint;
    config.memory.bytes = 1 * MiB;
    config.log = lines.log();
    auto node = StoreNode<>(runtime, std::move(config));
    REQUIRE(runtime.run(node.start()).has_value());
    runtime.run(master->close());
    master.reset();
    CHECK(lines.says("heartbeat: "));
    std::this_thread::sleep_for(1s); // some ten heartbeats
    CHECK(lines.count("heartbeat: ") == 1);
    master = start_master(endpoint);
    CHECK(lines.says("the master takes heartbeats again"));
    CHECK(lines.says("mounted again, empty"));
    CHECK(lines.count("times more") == 1);
    runtime.run(node.close());
    runtime.run(master->close());
}
