# SPDX-License-Identifier: MIT
# Finds utf8proc, however it is packaged, and provides the target utf8proc::utf8proc.
# First a package configuration (Conan, vcpkg), under any of its names; then header and library
# (Debian, Homebrew). Search elsewhere with utf8proc_ROOT or CMAKE_PREFIX_PATH.

if(NOT TARGET utf8proc::utf8proc)
  find_package(utf8proc CONFIG QUIET)
  if(NOT TARGET utf8proc::utf8proc AND NOT TARGET utf8proc)
    find_package(unofficial-utf8proc CONFIG QUIET)
  endif()
  if(TARGET utf8proc AND NOT TARGET utf8proc::utf8proc)
    add_library(utf8proc::utf8proc INTERFACE IMPORTED)
    set_target_properties(utf8proc::utf8proc PROPERTIES INTERFACE_LINK_LIBRARIES utf8proc)
  endif()
endif()

if(TARGET utf8proc::utf8proc)
  set(utf8proc_LIBRARY utf8proc::utf8proc)
  set(utf8proc_required utf8proc_LIBRARY)
else()
  find_path(utf8proc_INCLUDE_DIR NAMES utf8proc.h)
  find_library(utf8proc_LIBRARY NAMES utf8proc utf8proc_static)
  mark_as_advanced(utf8proc_INCLUDE_DIR utf8proc_LIBRARY)
  set(utf8proc_required utf8proc_LIBRARY utf8proc_INCLUDE_DIR)
  if(EXISTS "${utf8proc_INCLUDE_DIR}/utf8proc.h")
    file(STRINGS "${utf8proc_INCLUDE_DIR}/utf8proc.h" utf8proc_lines
      REGEX "#define UTF8PROC_VERSION_(MAJOR|MINOR|PATCH) ")
    string(REGEX MATCHALL " [0-9]+" utf8proc_numbers "${utf8proc_lines}")
    list(TRANSFORM utf8proc_numbers STRIP)
    list(JOIN utf8proc_numbers "." utf8proc_VERSION)
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(utf8proc
  REQUIRED_VARS ${utf8proc_required} VERSION_VAR utf8proc_VERSION)

if(utf8proc_FOUND AND NOT TARGET utf8proc::utf8proc)
  add_library(utf8proc::utf8proc UNKNOWN IMPORTED)
  set_target_properties(utf8proc::utf8proc PROPERTIES
    IMPORTED_LOCATION "${utf8proc_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${utf8proc_INCLUDE_DIR}")
endif()
