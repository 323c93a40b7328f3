#pragma once

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <array>
#include <map>
#include <string>

namespace mooncake {

/// IP addresses by interface.
using InterfaceAddresses = std::multimap<std::string, std::string, std::less<>>;

/// Those of this host, as this process sees them; link-local ones of IPv6 are left out: they need to be told the interface.
[[nodiscard]] inline InterfaceAddresses host_addresses() {
    auto all = InterfaceAddresses();
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return all;
    for (const auto* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr || entry->ifa_name == nullptr) continue;
        auto text = std::array<char, INET6_ADDRSTRLEN>();
        const void* address = nullptr;
        if (entry->ifa_addr->sa_family == AF_INET) {
            address = &reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr;
        } else if (entry->ifa_addr->sa_family == AF_INET6) {
            const auto& v6 = reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr)->sin6_addr;
            if (!IN6_IS_ADDR_LINKLOCAL(&v6)) address = &v6;
        }
        if (address != nullptr && inet_ntop(entry->ifa_addr->sa_family, address, text.data(), text.size()) != nullptr)
            all.emplace(entry->ifa_name, text.data());
    }
    freeifaddrs(list);
    return all;
}

} // namespace mooncake
