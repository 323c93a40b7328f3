// A stranger's matrix of devices, and a kernel's lists: reading ends, and what was accepted is what it will be written as.
#include <mooncake/topology/sysfs.hpp>
#include <mooncake/topology/topology_json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = std::string_view(reinterpret_cast<const char*>(data), size);
    const auto list = mooncake::topology::detail::list_of(text);
    if (!std::is_sorted(list.begin(), list.end()) || list.size() > 65'536) std::abort();
    const auto half = text.substr(0, size / 2), rest = text.substr(size / 2);
    using mooncake::topology::detail::natural_less;
    if (natural_less(half, rest) && natural_less(rest, half)) std::abort();

    const auto matrix = mooncake::matrix_from_json(text);
    if (!matrix) {
        if (matrix.error().context().empty()) std::abort(); // an error without a sentence helps nobody
        return 0;
    }
    const auto again = mooncake::matrix_from_json(mooncake::to_json(*matrix).dump());
    if (!again || *again != *matrix) std::abort();
    return 0;
}
