// A stranger's file as a trace: reading ends, and what was accepted keeps every promise of a request.
#include <mooncake/serving/trace_json.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto in = std::istringstream(std::string(reinterpret_cast<const char*>(data), size));
    const auto trace = mooncake::read_trace(in);
    if (!trace) {
        if (trace.error().context().empty()) std::abort(); // an error without a sentence helps nobody
        return 0;
    }
    if (trace->empty()) std::abort();
    for (const auto& request : *trace)
        if (!mooncake::validate(request)) std::abort();
    return 0;
}
