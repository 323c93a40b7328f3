// What metadata servers and their clients say to each other beyond HTTP itself: targets, numbers, base64 and etcd's JSON.
#include <mooncake/metadata/etcd.hpp>
#include <mooncake/metadata/http_wire.hpp>
#include <mooncake/net/codec.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace mooncake;
using namespace mooncake::metadata::detail;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = std::string_view(reinterpret_cast<const char*>(data), size);
    if (const auto target = parse_target(text))
        for (const auto& [name, value] : target->fields) require(name.size() + value.size() <= size);
    (void)version_of(text);
    if (const auto number = parse_number(text)) require(parse_number(std::to_string(*number)).value() == *number);
    require(url_decoded(url_encoded(text)).value() == text);
    require(base64_decoded(base64_encoded(text)).value() == text);
    if (const auto bytes = base64_decoded(text)) require(bytes->size() <= size / 4 * 3);
    (void)decode<DocumentChanges>(text);
    if (const auto changes = watched_changes(text, "p/")) {
        auto last = std::uint64_t{0};
        for (const auto& change : *changes) {
            require(change.document.version >= last);
            last = change.document.version;
        }
    }
    const auto json = Json::parse(text, nullptr, false);
    (void)change_of(&json, "p/", Presence::there);
    return 0;
}
