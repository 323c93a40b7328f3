# Debian's cross compiler for AArch64; what is built runs under qemu-user. Headers of libraries that are the same for every
# machine come from the host, by links in a folder of their own: the host's C library must not be seen.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)

set(stage "${CMAKE_BINARY_DIR}/host_headers")
foreach(header boost doctest nlohmann xxhash.h xxh3.h)
  if(EXISTS "/usr/include/${header}" AND NOT EXISTS "${stage}/include/${header}")
    file(MAKE_DIRECTORY "${stage}/include")
    file(CREATE_LINK "/usr/include/${header}" "${stage}/include/${header}" SYMBOLIC)
  endif()
endforeach()
set(CMAKE_FIND_ROOT_PATH "${stage}" /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(Boost_NO_BOOST_CMAKE ON) # its package is of the host's libraries; the headers are enough
set(nlohmann_json_DIR /usr/share/cmake/nlohmann_json)
set(doctest_DIR /usr/lib/cmake/doctest)
