// labels: cluster
// A real master, and peers that mean it no good, beside one that does. MOONCAKE_HOSTILE_SECONDS: for how long each; 1.
#include <mooncake/rpc/client.hpp>
#include <mooncake/store/messages.hpp>

#include "../net/raw_peer.hpp"
#include "program.hpp"
#include "support/sanitized.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace mooncake;
using namespace mooncake::test;
using namespace std::chrono_literals;

namespace {

Duration patience() {
    const auto* const seconds = std::getenv("MOONCAKE_HOSTILE_SECONDS");
    return std::chrono::seconds(seconds != nullptr ? std::atoi(seconds) : 1);
}

/// MiB that the process has in memory.
double resident(pid_t pid) {
    auto file = std::ifstream("/proc/" + std::to_string(pid) + "/status");
    for (auto word = std::string(); file >> word;)
        if (word == "VmRSS:") {
            auto kib = 0.0;
            file >> kib;
            return kib / 1024;
        }
    return 0;
}

std::ptrdiff_t open_descriptors(pid_t pid) {
    return std::distance(std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd"),
                         std::filesystem::directory_iterator());
}

/// The 99th percentile of calls one after the other, in ms.
double p99_of_calls(Runtime& runtime, RpcClient<>& client, Duration length, std::size_t& failures) {
    auto took = std::vector<double>();
    for (const auto until = Deadline(length); !until.passed(); std::this_thread::sleep_for(1ms)) {
        const auto begun = SteadyClock{}.now();
        failures += runtime.run(client.call(store::Describe(), 10s)) ? 0U : 1U;
        took.push_back(std::chrono::duration<double, std::milli>(SteadyClock{}.now() - begun).count());
    }
    std::sort(took.begin(), took.end());
    return took.at(took.size() * 99 / 100);
}

/// Connections that stay as long as the attack lasts.
class Crowd {
  public:
    Crowd(const Endpoint& server, std::string first) : server_(server), first_(std::move(first)) {}

    void grow_to(std::size_t number) {
        while (peers_.size() < number) {
            auto& peer = *peers_.emplace_back(std::make_unique<RawPeer>(server_));
            if (!first_.empty()) peer.say(first_);
        }
    }

  private:
    const Endpoint server_;
    const std::string first_;
    std::vector<std::unique_ptr<RawPeer>> peers_;
};

std::string half_a_frame() {
    auto header = FrameHeader();
    header.method = store::Get::method;
    return hello("rpc") + frame(header, std::string(1 * MiB, 'x')).substr(0, 600'000);
}
std::string announced_payload() {
    auto header = FrameHeader();
    header.method = store::Get::method;
    auto text = frame(header, "x");
    reinterpret_cast<FrameHeader*>(text.data())->payload_bytes = std::uint64_t{1} << 33;
    return hello("rpc") + text;
}
struct Attack {
    const char* name;
    std::size_t number; ///< connections that stay
    std::string first;  ///< what each says
    bool again;         ///< whether they go and come back, as fast as they can
};

/// For as long as it lives.
class UnderAttack {
  public:
    UnderAttack(const Endpoint& server, const Attack& attack) : server_(server), attack_(attack) {
        attacking_ = std::thread([this] { run(); });
        if (!attack.again) std::this_thread::sleep_for(500ms);
    }
    UnderAttack(const UnderAttack&) = delete;
    UnderAttack& operator=(const UnderAttack&) = delete;
    ~UnderAttack() {
        stop_ = true;
        attacking_.join();
    }

  private:
    void run() {
        auto crowd = Crowd(server_, attack_.first);
        try {
            do {
                if (attack_.again) Crowd(server_, attack_.first).grow_to(attack_.number);
                else crowd.grow_to(attack_.number);
                if (!attack_.again) std::this_thread::sleep_for(10ms);
            } while (!stop_);
        } catch (const boost::system::system_error&) { // it is refused: so be it
        }
    }

    const Endpoint server_;
    const Attack attack_;
    std::atomic<bool> stop_{false};
    std::thread attacking_;
};

Endpoint endpoint_of(Program& master) {
    REQUIRE(master.says(".out", "ready "));
    const auto said = master.said(".out");
    return parse_endpoint(said.substr(6, said.find('\n') - 6)).value();
}

std::string count_that_cannot_be() {
    auto header = FrameHeader();
    header.method = store::Get::method;
    return hello("rpc") + frame(header, std::string(64, '\xff'));
}

} // namespace

TEST_CASE("hostile: peers without a key take little of a server, and those who mean it well are served") {
    auto program = Program({"mooncake_master"}), bystander = Program({"mooncake_master"});
    const auto server = endpoint_of(program), other = endpoint_of(bystander);
    auto runtime = Runtime({.threads = 1});
    auto client = RpcClient<>(runtime.executor(), {.server = server});
    auto failures = std::size_t{0};
    const auto idle = p99_of_calls(runtime, client, patience(), failures);

    for (const auto& attack :
         {Attack{"half frames", 1'000, half_a_frame(), false}, Attack{"silent connections", 1'000, "", false},
          Attack{"silence after the hello", 1'000, hello("rpc"), false},
          Attack{"announced payloads", 200, announced_payload(), false},
          Attack{"a flood of hellos", 1, hello("rpc"), true},
          Attack{"counts that cannot be", 1, count_that_cannot_be(), true}}) {
        CAPTURE(std::string(attack.name));
        // What the attackers take of the machine, and not of the server, is none of its doing.
        auto machine = 0.0;
        {
            const auto elsewhere = UnderAttack(other, attack);
            machine = p99_of_calls(runtime, client, patience(), failures);
        }
        const auto before = resident(program.pid());
        const auto here = UnderAttack(server, attack);
        const auto p99 = p99_of_calls(runtime, client, patience(), failures);
        const auto grown = resident(program.pid()) - before;
        const auto descriptors = open_descriptors(program.pid());
        MESSAGE(std::string(attack.name), ": ", grown, " MiB more, p99 ", p99, " ms; ", machine,
                " ms when another server is attacked, idle ", idle, " ms");
        CHECK(descriptors < 2'500); // as many as one address may have, and those on their way out
        // Sanitizers keep what was freed, and take their time.
        if (!sanitized) {
            CHECK(grown < 32);
            CHECK(p99 < 1'000);
        }
    }
    CHECK(failures == 0);
    runtime.run(client.close());
    for (auto* const master : {&program, &bystander}) {
        kill(master->pid(), SIGTERM);
        CHECK(master->finish().status == 0);
    }
}
