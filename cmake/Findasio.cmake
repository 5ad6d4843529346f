# SPDX-License-Identifier: MIT
# Finds standalone Asio, however it is packaged, and provides the target asio::asio.
# First a package configuration (Conan, vcpkg), then the plain headers (Debian, Homebrew).
# Search elsewhere with asio_ROOT or CMAKE_PREFIX_PATH.

if(NOT TARGET asio::asio)
  find_package(asio CONFIG QUIET)
endif()

if(TARGET asio::asio)
  get_target_property(asio_INCLUDE_DIR asio::asio INTERFACE_INCLUDE_DIRECTORIES)
else()
  find_path(asio_INCLUDE_DIR NAMES asio/io_context.hpp)
  mark_as_advanced(asio_INCLUDE_DIR)
endif()

# ASIO_VERSION is major * 100000 + minor * 100 + patch.
if(NOT asio_VERSION AND EXISTS "${asio_INCLUDE_DIR}/asio/version.hpp")
  file(STRINGS "${asio_INCLUDE_DIR}/asio/version.hpp" asio_version_line
    REGEX "#define ASIO_VERSION [0-9]+")
  if(asio_version_line MATCHES "ASIO_VERSION ([0-9]+)")
    math(EXPR asio_major "${CMAKE_MATCH_1} / 100000")
    math(EXPR asio_minor "${CMAKE_MATCH_1} / 100 % 1000")
    math(EXPR asio_patch "${CMAKE_MATCH_1} % 100")
    set(asio_VERSION ${asio_major}.${asio_minor}.${asio_patch})
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(asio REQUIRED_VARS asio_INCLUDE_DIR VERSION_VAR asio_VERSION)

if(asio_FOUND AND NOT TARGET asio::asio)
  find_package(Threads REQUIRED)
  add_library(asio::asio INTERFACE IMPORTED)
  set_target_properties(asio::asio PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${asio_INCLUDE_DIR}"
    INTERFACE_COMPILE_DEFINITIONS ASIO_STANDALONE
    INTERFACE_LINK_LIBRARIES Threads::Threads)
endif()
