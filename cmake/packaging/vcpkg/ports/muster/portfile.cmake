# SPDX-License-Identifier: MIT
# An overlay port: it builds the checkout that it lies in.
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../../.." ABSOLUTE)

vcpkg_check_features(OUT_FEATURE_OPTIONS features
  FEATURES
    deflate MUSTER_WITH_DEFLATE
    postgresql MUSTER_BUILD_EXAMPLES
    postgresql CMAKE_REQUIRE_FIND_PACKAGE_PostgreSQL
    tls MUSTER_WITH_TLS)

vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS
    ${features}
    -DMUSTER_BUILD_TESTS=OFF
  MAYBE_UNUSED_VARIABLES CMAKE_REQUIRE_FIND_PACKAGE_PostgreSQL)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME muster CONFIG_PATH lib/cmake/muster)
vcpkg_fixup_pkgconfig()

if("postgresql" IN_LIST FEATURES)
  file(GLOB programs RELATIVE "${CURRENT_PACKAGES_DIR}/bin" "${CURRENT_PACKAGES_DIR}/bin/muster-*")
  vcpkg_copy_tools(TOOL_NAMES ${programs} AUTO_CLEAN)
  file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/lib/systemd" "${CURRENT_PACKAGES_DIR}/debug/lib/systemd")
endif()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")

file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
