# Finds xxHash, which Debian ships without a CMake package: target Xxhash::xxhash, version Xxhash_VERSION.
# Where there is no library for the target, or with an empty -DXxhash_LIBRARY=, its code is compiled in: on x86
# that is slower, since only the library chooses the processor's widest vectors as it runs.
find_path(Xxhash_INCLUDE_DIR xxhash.h)
find_library(Xxhash_LIBRARY xxhash)
mark_as_advanced(Xxhash_INCLUDE_DIR Xxhash_LIBRARY)

if(Xxhash_INCLUDE_DIR)
  set(Xxhash_VERSION "")
  foreach(part MAJOR MINOR RELEASE)
    file(STRINGS "${Xxhash_INCLUDE_DIR}/xxhash.h" line REGEX "^#define XXH_VERSION_${part} +[0-9]+" LIMIT_COUNT 1)
    string(REGEX MATCH "[0-9]+$" number "${line}")
    list(APPEND Xxhash_VERSION "${number}")
  endforeach()
  list(JOIN Xxhash_VERSION "." Xxhash_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Xxhash REQUIRED_VARS Xxhash_INCLUDE_DIR VERSION_VAR Xxhash_VERSION)

if(Xxhash_FOUND AND NOT TARGET Xxhash::xxhash)
  set(scope "")
  if(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL)
    set(scope GLOBAL)
  endif()
  if(Xxhash_LIBRARY)
    add_library(Xxhash::xxhash UNKNOWN IMPORTED ${scope})
    set_target_properties(Xxhash::xxhash PROPERTIES IMPORTED_LOCATION "${Xxhash_LIBRARY}")
  else()
    add_library(Xxhash::xxhash INTERFACE IMPORTED ${scope})
    set_target_properties(Xxhash::xxhash PROPERTIES INTERFACE_COMPILE_DEFINITIONS XXH_INLINE_ALL)
  endif()
  set_target_properties(Xxhash::xxhash PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${Xxhash_INCLUDE_DIR}")
endif()
