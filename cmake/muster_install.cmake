# SPDX-License-Identifier: MIT
# Install and export rules: libraries, headers, the package configuration and muster.pc.
include(CMakePackageConfigHelpers)

set(muster_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/muster)
get_property(muster_components GLOBAL PROPERTY MUSTER_COMPONENTS)

list(TRANSFORM muster_components PREPEND muster_ OUTPUT_VARIABLE component_targets)
set(muster_c_component)
if(TARGET muster_c)
  set(muster_c_component c)
  list(APPEND component_targets muster_c)
endif()
install(TARGETS ${component_targets} muster
  EXPORT musterTargets
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

install(EXPORT musterTargets NAMESPACE muster:: DESTINATION ${muster_config_dir})
export(EXPORT musterTargets NAMESPACE muster:: FILE ${PROJECT_BINARY_DIR}/musterTargets.cmake)

# Who links static libraries has to link with what they use, too.
set(muster_is_static TRUE)
if(BUILD_SHARED_LIBS)
  set(muster_is_static FALSE)
endif()
configure_package_config_file(
  ${CMAKE_CURRENT_LIST_DIR}/musterConfig.cmake.in ${PROJECT_BINARY_DIR}/musterConfig.cmake
  INSTALL_DESTINATION ${muster_config_dir}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/musterConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)

# The Find modules of what a consumer needs: Asio's headers, and libdeflate and utf8proc to link
# with.
install(FILES
  ${PROJECT_BINARY_DIR}/musterConfig.cmake
  ${PROJECT_BINARY_DIR}/musterConfigVersion.cmake
  ${CMAKE_CURRENT_LIST_DIR}/Findasio.cmake
  ${CMAKE_CURRENT_LIST_DIR}/Findlibdeflate.cmake
  ${CMAKE_CURRENT_LIST_DIR}/Findutf8proc.cmake
  DESTINATION ${muster_config_dir})

# pkg-config: one file for all, with a prefix relative to itself. Libraries that use others come
# first.
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH muster_pc_prefix /prefix/${pkgconfig_dir} /prefix)
list(REVERSE muster_components)
list(TRANSFORM muster_components PREPEND -lmuster- OUTPUT_VARIABLE muster_pc_libs)
list(JOIN muster_pc_libs " " muster_pc_libs)
set(muster_pc_requires)
if(TARGET muster_signal)
  list(APPEND muster_pc_requires libutf8proc)
endif()
if(TARGET muster_asio AND MUSTER_WITH_TLS)
  list(APPEND muster_pc_requires "libssl >= 3.0" libcrypto)
endif()
if(TARGET muster_soe AND MUSTER_WITH_DEFLATE)
  list(APPEND muster_pc_requires "libdeflate >= 1.7")
endif()
if(muster_pc_requires)
  list(JOIN muster_pc_requires ", " muster_pc_requires)
  set(muster_pc_requires "Requires.private: ${muster_pc_requires}\n")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/muster.pc.in ${PROJECT_BINARY_DIR}/muster.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/muster.pc DESTINATION ${pkgconfig_dir})

install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
