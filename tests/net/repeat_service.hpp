#pragma once

#include <mooncake/rpc/service.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace mooncake::test {

/// A call that is answered with what it says.
struct Text {
    std::string text;
};
struct Repeat {
    static constexpr std::uint32_t method = 1;
    using Reply = Text;
    std::string text;
};

inline std::unique_ptr<RpcService> make_repeat_service() {
    auto made = std::make_unique<RpcService>();
    made->on<Repeat>([](const Repeat& request) -> Result<Text> { return Text{request.text}; });
    return made;
}

} // namespace mooncake::test
