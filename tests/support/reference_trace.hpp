#pragma once

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace mooncake::testing {

/// Where the real trace lies when the project stands beside `shared/`; the build may say otherwise.
#ifdef MOONCAKE_REFERENCE_TRACE
inline constexpr const char* reference_trace = MOONCAKE_REFERENCE_TRACE;
#else
inline constexpr const char* reference_trace = "../shared/traces/conversation_trace.jsonl";
#endif

/// The block ids of each request of the real trace. Empty, after saying so, when it is not there.
inline std::vector<std::vector<std::uint32_t>> reference_blocks() {
    auto requests = std::vector<std::vector<std::uint32_t>>();
    auto file = std::ifstream(reference_trace);
    for (auto line = std::string(); std::getline(file, line);) {
        constexpr auto field = std::string_view("\"hash_ids\": [");
        const auto at = line.find(field);
        if (at == std::string::npos) continue;
        auto& ids = requests.emplace_back();
        for (const char* text = line.c_str() + at + field.size(); *text != '\0' && *text != ']';) {
            char* end = nullptr;
            ids.push_back(static_cast<std::uint32_t>(std::strtoul(text, &end, 10)));
            if (end == text) break;
            text = *end == ',' ? end + 1 : end;
        }
    }
    if (requests.empty()) std::cout << "SKIPPED: no trace at " << reference_trace << std::endl;
    return requests;
}

} // namespace mooncake::testing
