#pragma once

#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/serving/admission/any.hpp>
#include <mooncake/serving/prefill/any.hpp>
#include <mooncake/serving/simulator/config.hpp>

#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace serve {

using namespace mooncake;

struct Options {
    SimulatorConfig config{};
    std::string trace{}; // a file; empty: the generator
    std::string policy{LeastDelay::name}, admission{AdmitAll::name}, table{}, svg{};
    std::uint64_t requests = 12'031; // of the generator, or of the scale table
    bool help = false;
};

inline constexpr const char* usage =
    "usage: mooncake_serve_sim [--trace FILE] [--policy NAME] [--admission NAME] [--table NAME|all]\n"
    "  --trace FILE       JSON lines: timestamp, input_length, output_length, hash_ids; without it requests are "
    "generated\n"
    "  --requests N       how many are generated, or how many the table `scale` runs\n"
    "  --prefill N --decode N   instances, 8 and 8\n"
    "  --coupled          --prefill instances that decode as well\n"
    "  --speed X          replays the trace X times as fast\n"
    "  --staleness S      seconds until the conductor hears of what is cached\n"
    "  --ttft S --tbt S   what is promised, seconds: 30 and .2\n"
    "  --seed N\n"
    "  --svg FILE         the table `load` draws itself there\n"
    "  --table NAME       prefill schedulers rules published caches rejections priorities load pd capacity traps "
    "scale\n"
    "                     forecast faults roles balance, or all\n";

inline std::string joined(std::span<const std::string_view> names) {
    auto text = std::string();
    for (const auto name : names) text += (text.empty() ? "" : ", ") + std::string(name);
    return text;
}

template <class T>
Result<void> number(std::string_view flag, std::string_view text, T& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return ok;
    return Error(Errc::invalid_argument, std::string(flag) + " is " + in_quotes(text, 40) + "; expected a number");
}

inline Result<Options> parse(int argc, char** argv) {
    auto options = Options();
    auto& conductor = options.config.conductor;
    const auto arguments = std::span(argv, static_cast<std::size_t>(argc)).subspan(1);
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const auto flag = std::string_view(arguments[i]);
        if (flag == "--help") {
            options.help = true;
            return options;
        }
        if (flag == "--coupled") {
            conductor.mode = ServingMode::coupled;
            continue;
        }
        const auto text = i + 1 < arguments.size() ? std::string_view(arguments[i + 1]) : std::string_view();
        auto done = Result<void>(ok);
        if (flag == "--trace") options.trace = text;
        else if (flag == "--policy") options.policy = text;
        else if (flag == "--admission") options.admission = text;
        else if (flag == "--table") options.table = text;
        else if (flag == "--svg") options.svg = text;
        else if (flag == "--requests") done = number(flag, text, options.requests);
        else if (flag == "--prefill") done = number(flag, text, conductor.prefill_instances);
        else if (flag == "--decode") done = number(flag, text, conductor.decode_instances);
        else if (flag == "--speed") done = number(flag, text, options.config.speed);
        else if (flag == "--staleness") done = number(flag, text, options.config.staleness);
        else if (flag == "--ttft") done = number(flag, text, conductor.ttft_slo);
        else if (flag == "--tbt") done = number(flag, text, conductor.tbt_slo);
        else if (flag == "--seed") done = number(flag, text, options.config.seed);
        else return Error(Errc::invalid_argument, "there is no option " + in_quotes(flag, 40) + "; see --help");
        if (text.empty()) return Error(Errc::invalid_argument, std::string(flag) + " needs a value; see --help");
        if (!done) return done.error();
        ++i;
    }
    if (!make_prefill_policy(options.policy))
        return Error(Errc::invalid_argument, "there is no policy " + in_quotes(options.policy, 40) + "; there are " +
                                                 joined(prefill_policy_names()));
    if (!make_admission_policy(options.admission))
        return Error(Errc::invalid_argument, "there is no admission policy " + in_quotes(options.admission, 40) +
                                                 "; there are " + joined(admission_policy_names));
    if (options.requests == 0) return Error(Errc::invalid_argument, "--requests must be at least 1");
    if (auto valid = validate(options.config); !valid) return valid.error();
    return options;
}

} // namespace serve
