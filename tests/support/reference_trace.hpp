#pragma once

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace mooncake::testing {

/// Where the real traces lie when the project stands beside `shared/`; the build may say otherwise.
#ifdef MOONCAKE_REFERENCE_TRACE
inline constexpr const char* reference_trace = MOONCAKE_REFERENCE_TRACE;
#else
inline constexpr const char* reference_trace = "../shared/traces/conversation_trace.jsonl";
#endif

/// The other one, beside it: 628,357 uses of blocks by agents.
inline std::string agentic_trace() {
    const auto path = std::string(reference_trace);
    return path.substr(0, path.rfind('/') + 1) + "agentic_trace.jsonl";
}

/// The block ids of each request of a real trace. Empty, after saying so, when it is not there.
template <class Id = std::uint32_t>
std::vector<std::vector<Id>> reference_blocks(const std::string& path = reference_trace) {
    auto requests = std::vector<std::vector<Id>>();
    auto file = std::ifstream(path);
    for (auto line = std::string(); std::getline(file, line);) {
        constexpr auto field = std::string_view("\"hash_ids\":");
        const auto at = line.find(field);
        if (at == std::string::npos) continue;
        auto& ids = requests.emplace_back();
        for (const char* text = line.c_str() + line.find('[', at) + 1; *text != '\0' && *text != ']';) {
            char* end = nullptr;
            ids.push_back(static_cast<Id>(std::strtoul(text, &end, 10)));
            if (end == text) break;
            text = *end == ',' ? end + 1 : end;
        }
    }
    if (requests.empty()) std::cout << "SKIPPED: no trace at " << path << std::endl;
    return requests;
}

} // namespace mooncake::testing
