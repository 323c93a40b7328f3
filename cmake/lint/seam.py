#!/usr/bin/env python3
"""Clocks, threads, secrets, sockets, look-ups and the like are reached in a few headers only: what lies above them runs
unchanged in the simulation. The table says which header may do what, and why it is the place for it."""

import re

from common import ROOT, finish, sources

SEAMS = {
    "core/clock.hpp": r"steady_clock::now",
    "core/environment.hpp": r"steady_clock",
    "core/secret.hpp": r"getrandom",
    "core/deadline_service.hpp": r"steady_timer",
    "core/serial.hpp": r"io_context",
    "core/runtime.hpp": r"io_context|std::thread|pthread_",
    "core/signals.hpp": r"pthread_",
    "net/plain_tcp.hpp": r"socket\(|accept4|asio::ip::tcp|getifaddrs",
    "net/resolve.hpp": r"getaddrinfo|std::thread|asio::ip::tcp",
    "topology/host_addresses.hpp": r"getifaddrs",
    "memory/prefault.hpp": r"std::thread",
    "transport/shm_link.hpp": r"socket\(AF_|::connect\(",
    "transport/shm_server.hpp": r"socket\(AF_|accept4",
}
OUTSIDE = re.compile(
    r"steady_clock::now|system_clock::now|high_resolution_clock|clock_gettime|steady_timer|system_timer|\bio_context\b"
    r"|std::j?thread\b|std::async\b|pthread_|getrandom|random_device|\brand\(\)|(?<![\w.>_])socket\(AF_"
    r"|accept4|(?<!\w)::connect\(|asio::ip::tcp::|getaddrinfo|getifaddrs|std::this_thread::sleep"
)


def main():
    problems = []
    for header in sources("include/mooncake"):
        name = header.relative_to(ROOT / "include/mooncake").as_posix()
        if name.startswith("testing/"):
            continue  # runs in tests, on real threads
        allowed = re.compile(SEAMS.get(name, r"(?!)"))
        for number, line in enumerate(header.read_text().splitlines(), 1):
            code = line.split("//")[0]
            if code.lstrip().startswith("#include"):
                continue
            for match in OUTSIDE.finditer(code):
                if not allowed.search(code):
                    problems.append(
                        f"{header}:{number}: {match[0]} reaches the outside past the seam: ask the runtime, the stream or "
                        "the clock that is given, or say in cmake/lint/seam.py why this is a place for it"
                    )
    finish(problems, "the outside is reached through the seam")


main()
