# cmake --install: headers, targets, and a package configuration with components.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/mooncake")

# The default set is one export; each component that needs one more package is an export of its own, loaded when asked for.
set(components testing ${MOONCAKE_LEAVES})
foreach(name IN LISTS MOONCAKE_LAYERS MOONCAKE_LEAVES ITEMS mooncake)
  set(export mooncakeTargets)
  if(name IN_LIST components)
    set(export mooncake-${name})
  endif()
  install(TARGETS mooncake_${name} EXPORT ${export}
          FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
endforeach()
foreach(export IN ITEMS mooncakeTargets LISTS components)
  if(export IN_LIST components)
    set(export mooncake-${export})
  endif()
  install(EXPORT ${export} NAMESPACE mooncake:: DESTINATION "${package_dir}")
endforeach()

configure_package_config_file(cmake/mooncakeConfig.cmake.in "${PROJECT_BINARY_DIR}/mooncakeConfig.cmake"
  INSTALL_DESTINATION "${package_dir}" NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/mooncakeConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/mooncakeConfig.cmake" "${PROJECT_BINARY_DIR}/mooncakeConfigVersion.cmake"
  cmake/MooncakeDependencies.cmake cmake/FindHiredis.cmake cmake/FindXxhash.cmake DESTINATION "${package_dir}")
# The component `compiled` is built by whoever asks for it, with the flags of his project.
install(FILES ${MOONCAKE_COMPILED_SOURCES} DESTINATION "${package_dir}/compiled")
# For projects that are built with g++ 12, which does not say when it miscompiles a coroutine.
install(FILES cmake/lint/coroutines.py cmake/lint/common.py DESTINATION "${CMAKE_INSTALL_DATADIR}/mooncake/lint")
