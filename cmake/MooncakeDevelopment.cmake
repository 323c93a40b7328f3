# What our own tests, benchmarks, examples and programs are compiled with. Nothing here reaches a user of the library.
option(MOONCAKE_WERROR "Warnings are errors" OFF)
set(CMAKE_CXX_EXTENSIONS OFF)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The sloppiness is what ccache asks for to cache files that use a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime "${CCACHE_PROGRAM}")
endif()

add_library(mooncake_development INTERFACE)
target_compile_options(mooncake_development INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Woverloaded-virtual
  # Options are aggregates of which a caller names the fields it wants.
  -Wno-missing-field-initializers
  $<$<BOOL:${MOONCAKE_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(mooncake_development INTERFACE
    -fpch-preprocess
    # Coroutine frames and Asio's recycling allocator draw these from g++ 12 where nothing is wrong.
    -Wno-maybe-uninitialized -Wno-mismatched-new-delete -Wno-array-bounds -Wno-stringop-overflow)
else()
  target_compile_options(mooncake_development INTERFACE
    -Wno-missing-designated-field-initializers
    # Lets ccache reuse a precompiled header that was made again.
    "SHELL:-Xclang -fno-pch-timestamp")
endif()

enable_testing()
