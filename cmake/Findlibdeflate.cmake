# SPDX-License-Identifier: MIT
# Finds libdeflate, however it is packaged, and provides the target libdeflate::libdeflate.
# First a package configuration (Conan, vcpkg), which has a target for each kind of library; then
# header and library (Debian, Homebrew). Search elsewhere with libdeflate_ROOT or CMAKE_PREFIX_PATH.

if(NOT TARGET libdeflate::libdeflate)
  find_package(libdeflate CONFIG QUIET)
  foreach(kind shared static)
    if(TARGET libdeflate::libdeflate_${kind} AND NOT TARGET libdeflate::libdeflate)
      add_library(libdeflate::libdeflate INTERFACE IMPORTED)
      set_target_properties(libdeflate::libdeflate PROPERTIES
        INTERFACE_LINK_LIBRARIES libdeflate::libdeflate_${kind})
    endif()
  endforeach()
endif()

if(TARGET libdeflate::libdeflate)
  set(libdeflate_LIBRARY libdeflate::libdeflate)
  set(libdeflate_required libdeflate_LIBRARY)
else()
  find_path(libdeflate_INCLUDE_DIR NAMES libdeflate.h)
  find_library(libdeflate_LIBRARY NAMES deflate libdeflate deflatestatic libdeflatestatic)
  mark_as_advanced(libdeflate_INCLUDE_DIR libdeflate_LIBRARY)
  set(libdeflate_required libdeflate_LIBRARY libdeflate_INCLUDE_DIR)
  if(EXISTS "${libdeflate_INCLUDE_DIR}/libdeflate.h")
    file(STRINGS "${libdeflate_INCLUDE_DIR}/libdeflate.h" libdeflate_version_line
      REGEX "#define LIBDEFLATE_VERSION_STRING")
    if(libdeflate_version_line MATCHES "\"([0-9.]+)\"")
      set(libdeflate_VERSION ${CMAKE_MATCH_1})
    endif()
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(libdeflate
  REQUIRED_VARS ${libdeflate_required} VERSION_VAR libdeflate_VERSION)

if(libdeflate_FOUND AND NOT TARGET libdeflate::libdeflate)
  add_library(libdeflate::libdeflate UNKNOWN IMPORTED)
  set_target_properties(libdeflate::libdeflate PROPERTIES
    IMPORTED_LOCATION "${libdeflate_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${libdeflate_INCLUDE_DIR}")
endif()
