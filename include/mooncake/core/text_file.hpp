#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>

namespace mooncake::core::detail {

/// A small file of the kernel's, such as `/proc/meminfo`; empty when it cannot be read.
[[nodiscard]] inline std::string read_text_file(const char* path) {
    auto text = std::string();
    const auto fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return text;
    auto piece = std::array<char, 4096>();
    for (auto got = ::read(fd, piece.data(), piece.size()); got > 0; got = ::read(fd, piece.data(), piece.size()))
        text.append(piece.data(), static_cast<std::size_t>(got));
    ::close(fd);
    return text;
}

} // namespace mooncake::core::detail
