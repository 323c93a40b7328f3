#include "support/serve.hpp"

#include <benchmark/benchmark.h>

#include <string>
#include <string_view>
#include <vector>

namespace {

/// Rows by the names they were given: without what Google Benchmark appends about how it measured them.
template <class Reporter>
class PlainNames : public Reporter {
  public:
    using Run = benchmark::BenchmarkReporter::Run;

    void ReportRuns(const std::vector<Run>& runs) override {
        auto plain = runs;
        for (auto& run : plain) run.run_name.iterations = run.run_name.time_type = std::string();
        Reporter::ReportRuns(plain);
    }
};

/// A filter that ends in `$` means the plain name's end.
std::string without_suffix(std::string argument) {
    if (argument.starts_with("--benchmark_filter=") && argument.ends_with('$')) {
        argument.pop_back();
        argument += "(/iterations:1)?(/manual_time)?$";
    }
    return argument;
}

} // namespace

int main(int argc, char** argv) {
    auto status = 0;
    if (bench::play_role(argc, argv, status)) return status;
    auto arguments = std::vector<std::string>();
    auto to_file = false, as_json = false;
    for (auto i = 0; i < argc; ++i) {
        arguments.push_back(without_suffix(argv[i]));
        to_file |= arguments.back().starts_with("--benchmark_out=");
        as_json |= arguments.back() == "--benchmark_format=json";
    }
    auto raw = std::vector<char*>();
    for (auto& argument : arguments) raw.push_back(argument.data());
    auto count = argc;
    benchmark::Initialize(&count, raw.data());
    if (benchmark::ReportUnrecognizedArguments(count, raw.data())) return 1;
    auto console = PlainNames<benchmark::ConsoleReporter>();
    auto json = PlainNames<benchmark::JSONReporter>(), file = PlainNames<benchmark::JSONReporter>();
    auto* const display = as_json ? static_cast<benchmark::BenchmarkReporter*>(&json) : &console;
    benchmark::RunSpecifiedBenchmarks(display, to_file ? &file : nullptr);
    benchmark::Shutdown();
    return 0;
}
