#include "support/perftest.hpp"

#include <mooncake/core/bytes.hpp>

#include "support/program.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace bench {
namespace {

using namespace mooncake;

using Words = std::vector<std::string>;

/// What the client says once it has got through to its server, which may not be listening yet.
template <class Valid>
std::string say(const Words& client, const Words& environment, Valid valid) {
    for (auto tries = 0; tries < 80; ++tries, std::this_thread::sleep_for(std::chrono::milliseconds(25)))
        if (auto said = Program(client, environment).output(); valid(said)) return said;
    throw_error(
        {Errc::unreachable, client.front() + " did not get through to its server, or did not say what it measured"});
}

/// The last line's columns: messages, then (of one line's columns) times, and bandwidths of late and of all, in MiB/s.
std::vector<double> columns(const std::string& text) {
    auto numbers = std::vector<double>();
    auto lines = std::istringstream(text);
    auto line = std::string(), last = line;
    while (std::getline(lines, line)) last = line;
    auto words = std::istringstream(last);
    for (auto word = std::string(); std::getline(words, word, ',');)
        numbers.push_back(std::strtod(word.c_str(), nullptr));
    return numbers;
}

struct UcxTest {
    std::string name;
    Words environment;
    std::uint64_t message, count;
};

Sample ucx(const UcxTest& test) {
    const auto port = std::to_string(free_port());
    const auto server = Program({"ucx_perftest", "-p", port}, test.environment);
    const auto client = Words{"ucx_perftest", "127.0.0.1",
                              "-p",           port,
                              "-t",           test.name,
                              "-s",           std::to_string(test.message),
                              "-n",           std::to_string(test.count),
                              "-w",           std::to_string(test.count / 10),
                              "-f",           "-v"};
    constexpr std::size_t of_all = 5;
    const auto said = say(client, test.environment, [](const std::string& text) {
        const auto numbers = columns(text);
        return numbers.size() > of_all && numbers[of_all] > 0;
    });
    const auto bytes = static_cast<double>(test.message * test.count);
    return {.work = bytes, .seconds = bytes / (columns(said)[of_all] * static_cast<double>(MiB))};
}

void add_ucx(Contest& contest, UcxTest test, const std::vector<Words>& environments) {
    if (!is_installed("ucx_perftest")) {
        contest.note += "NO vs_ucx: there is no ucx_perftest; Debian package: ucx-utils. ";
        return;
    }
    auto rival = Rival{.name = "ucx", .ways = {}};
    for (const auto& environment : environments) {
        test.environment = environment;
        rival.ways.push_back([test] { return ucx(test); });
    }
    contest.rivals.push_back(std::move(rival));
}

Sample iperf3() {
    const auto port = std::to_string(free_port());
    const auto server = Program({"iperf3", "-s", "-1", "-B", "127.0.0.1", "-p", port});
    const auto said =
        say({"iperf3", "-c", "127.0.0.1", "-p", port, "-l", "1M", "-n", "512M", "-J"}, {}, [](const std::string& text) {
            const auto result = nlohmann::json::parse(text, nullptr, false);
            return !result.is_discarded() && !result.contains("error");
        });
    const auto sum = nlohmann::json::parse(said).at("end").at("sum_received");
    return {.work = sum.at("bytes"), .seconds = sum.at("seconds")};
}

} // namespace

void add_ucx_over_tcp(Contest& contest, std::uint64_t message) {
    const auto count = std::min<std::uint64_t>(20'000, 256 * MiB / message);
    const auto plain = Words{"UCX_TLS=tcp", "UCX_NET_DEVICES=lo"};
    auto larger = plain;
    larger.insert(larger.end(), {"UCX_RNDV_THRESH=inf", "UCX_TCP_TX_SEG_SIZE=256k", "UCX_TCP_RX_SEG_SIZE=256k",
                                 "UCX_TCP_SNDBUF=4m", "UCX_TCP_RCVBUF=4m"});
    add_ucx(contest, {.name = "tag_bw", .environment = {}, .message = message, .count = count}, {plain, larger});
}

void add_ucx_over_shm(Contest& contest, std::uint64_t message) {
    const auto count = std::uint64_t{2 * GiB / message};
    add_ucx(contest, {.name = "ucp_get", .environment = {}, .message = message, .count = count}, {{"UCX_TLS=posix"}});
}

void add_iperf3(Contest& contest) {
    if (!is_installed("iperf3")) {
        contest.note += "NO vs_iperf3: there is no iperf3; Debian package: iperf3. ";
        return;
    }
    contest.rivals.push_back({.name = "iperf3", .ways = {&iperf3}});
}

} // namespace bench
