#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/errc.hpp>
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/serving/trace.hpp>

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <istream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {
namespace serving::detail {

/// A line of more bytes cannot be a valid request.
inline constexpr std::size_t max_trace_line = 2 * MiB;

[[nodiscard]] inline Error field_error(std::string_view field, const nlohmann::json& value, std::string_view expected) {
    auto text = value.is_structured() ? "an " + std::string(value.type_name()) : value.dump(); // never print what nests
    if (text.size() > 40) text = text.substr(0, 40) + "...";
    return {Errc::invalid_argument,
            "field \"" + std::string(field) + "\" is " + text + "; expected " + std::string(expected)};
}

[[nodiscard]] inline Result<std::uint64_t> number_field(const nlohmann::json& line, const char* field,
                                                        std::string_view meaning) {
    const auto expected = std::string(meaning) + ", a whole number of 0 or more";
    const auto found = line.find(field);
    if (found == line.end())
        return Error(Errc::invalid_argument, "field \"" + std::string(field) + "\" is missing; expected " + expected);
    if (!found->is_number_unsigned()) return field_error(field, *found, expected);
    return found->get<std::uint64_t>();
}

[[nodiscard]] inline Result<TraceRequest> request_of(const nlohmann::json& line) {
    if (!line.is_object())
        return field_error("(the line)", line, "an object with timestamp, input_length, output_length, hash_ids");
    auto request = TraceRequest{};
    const auto timestamp = number_field(line, "timestamp", "milliseconds since the start");
    if (!timestamp) return timestamp.error();
    const auto input = number_field(line, "input_length", "tokens");
    if (!input) return input.error();
    const auto output = number_field(line, "output_length", "tokens");
    if (!output) return output.error();
    request.timestamp_ms = *timestamp;
    request.input_length = *input;
    request.output_length = *output;
    const auto ids = line.find("hash_ids");
    constexpr auto expected = std::string_view("an array of block ids, whole numbers of 0 or more");
    if (ids == line.end())
        return Error(Errc::invalid_argument, "field \"hash_ids\" is missing; expected " + std::string(expected));
    if (!ids->is_array()) return field_error("hash_ids", *ids, expected);
    if (ids->size() > max_request_blocks)
        return Error(Errc::too_large, "field \"hash_ids\" has " + std::to_string(ids->size()) + " ids; the limit is " +
                                          std::to_string(max_request_blocks) + " a request");
    request.hash_ids.reserve(ids->size());
    for (const auto& id : *ids) {
        if (!id.is_number_unsigned())
            return field_error("hash_ids[" + std::to_string(request.hash_ids.size()) + "]", id,
                               "a whole number of 0 or more");
        request.hash_ids.push_back(id.get<std::uint64_t>());
    }
    if (auto valid = validate(request); !valid) return valid.error();
    return request;
}

/// Reads up to the next newline, but keeps at most `max_trace_line + 1` bytes. Whether there was anything.
[[nodiscard]] inline bool next_line(std::istream& in, std::string& line) {
    line.clear();
    auto& buffer = *in.rdbuf();
    auto next = buffer.sbumpc();
    if (next == std::char_traits<char>::eof()) return false;
    for (; next != std::char_traits<char>::eof() && next != '\n'; next = buffer.sbumpc())
        if (line.size() <= max_trace_line) line.push_back(static_cast<char>(next));
    return true;
}

} // namespace serving::detail

/// A trace of JSON lines, each an object with `timestamp`, `input_length`, `output_length` and `hash_ids`; other fields
/// and empty lines are passed over. `name`: what errors call it. Memory: the trace, and one line.
/// Errors: `invalid_argument`, `too_large`, naming the line, the field, and what would be right.
[[nodiscard]] inline Result<std::vector<TraceRequest>> read_trace(std::istream& in, std::string_view name = "trace") {
    namespace detail = serving::detail;
    auto requests = std::vector<TraceRequest>();
    auto text = std::string();
    for (std::size_t number = 1; detail::next_line(in, text); ++number) {
        const auto at_line = [&](Errc code, std::string_view what) {
            return Error(code, std::string(name) + ", line " + std::to_string(number) + ": " + std::string(what));
        };
        if (text.size() > detail::max_trace_line)
            return at_line(Errc::too_large, "longer than " + std::to_string(detail::max_trace_line) +
                                                " bytes; field \"hash_ids\" may have " +
                                                std::to_string(max_request_blocks) + " ids at most");
        if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
        const auto line = nlohmann::json::parse(text, nullptr, false);
        if (line.is_discarded())
            return at_line(Errc::invalid_argument, "not JSON: " + in_quotes(text, 60) + "; expected one object a line");
        auto request = detail::request_of(line);
        if (!request) return at_line(request.error().code(), request.error().context());
        requests.push_back(*std::move(request));
    }
    if (requests.empty()) return Error(Errc::invalid_argument, std::string(name) + " holds no request");
    return requests;
}

/// The trace in the file at `path`. Errors: as above, and `system` when it cannot be read.
[[nodiscard]] inline Result<std::vector<TraceRequest>> read_trace_file(const std::string& path) {
    errno = 0;
    auto file = std::ifstream(path, std::ios::binary);
    if (!file) return errno_error("open trace " + path, errno);
    try {
        return read_trace(file, path);
    } catch (const std::ios_base::failure&) { // a folder opens as a file does, and throws when it is read
        return errno_error("read trace " + path, errno);
    }
}

} // namespace mooncake
