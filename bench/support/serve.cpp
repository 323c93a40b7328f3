#include "support/serve.hpp"

#include "cluster/daemon.hpp"
#include "support/cpu.hpp"
#include "support/pairs.hpp"

#include <chrono>
#include <exception>
#include <map>

namespace bench {
namespace {

auto& roles() {
    static auto all = std::map<std::string, void (*)(std::vector<std::string>)>();
    return all;
}

std::vector<std::string> command(std::string role, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--serve", std::move(role)});
    return arguments;
}

} // namespace

Role::Role(std::string name, void (*serve)(std::vector<std::string>)) { roles().emplace(std::move(name), serve); }

Child::Child(std::string role, std::vector<std::string> arguments)
    : process_(must(cluster::Process::start("/proc/self/exe", command(std::move(role), std::move(arguments))))) {
    address_ = must(process_.ready(mooncake::Deadline(std::chrono::seconds(60))));
    count_as_ours(process_.pid());
}

Child::~Child() { forget(process_.pid()); }

bool play_role(int argc, char** argv, int& status) {
    if (argc < 3 || argv[1] != std::string_view("--serve")) return false;
    auto arguments = std::vector<std::string>(argv + 3, argv + argc);
    // `Process::start` puts the parent at the end.
    if (arguments.size() >= 2 && arguments[arguments.size() - 2] == "--parent") {
        cluster::follow(std::stoull(arguments.back()));
        arguments.resize(arguments.size() - 2);
    }
    cluster::block_stop_signals();
    status = EXIT_FAILURE;
    const auto found = roles().find(argv[2]);
    if (found == roles().end()) {
        std::cerr << argv[0] << ": no role '" << argv[2] << "'\n";
        return true;
    }
    try {
        found->second(std::move(arguments));
        status = EXIT_SUCCESS;
    } catch (const std::exception& error) {
        std::cerr << argv[0] << " --serve " << argv[2] << ": " << error.what() << '\n';
    }
    return true;
}

} // namespace bench
