# SPDX-License-Identifier: MIT
# Finds the headers of msgpack-c for C++, under any of the names its packagers use, and provides the
# target msgpack-cxx::headers: the include directory and MSGPACK_NO_BOOST, so that Boost is not read.

find_package(msgpack-cxx CONFIG QUIET)
foreach(target msgpack-cxx msgpackc-cxx)
  if(TARGET ${target})
    get_target_property(msgpack-cxx_hint ${target} INTERFACE_INCLUDE_DIRECTORIES)
  endif()
endforeach()
find_path(msgpack-cxx_INCLUDE_DIR NAMES msgpack.hpp HINTS ${msgpack-cxx_hint})
mark_as_advanced(msgpack-cxx_INCLUDE_DIR)

# Where the version is written has changed its name.
find_file(msgpack-cxx_VERSION_FILE NAMES version_master.hpp version_master.h
  PATHS "${msgpack-cxx_INCLUDE_DIR}/msgpack" NO_DEFAULT_PATH)
mark_as_advanced(msgpack-cxx_VERSION_FILE)
if(msgpack-cxx_VERSION_FILE)
  file(STRINGS "${msgpack-cxx_VERSION_FILE}" msgpack-cxx_lines
    REGEX "#define MSGPACK_VERSION_(MAJOR|MINOR|REVISION)")
  string(REGEX MATCHALL "[0-9]+" msgpack-cxx_numbers "${msgpack-cxx_lines}")
  list(JOIN msgpack-cxx_numbers "." msgpack-cxx_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(msgpack-cxx
  REQUIRED_VARS msgpack-cxx_INCLUDE_DIR VERSION_VAR msgpack-cxx_VERSION)

if(msgpack-cxx_FOUND AND NOT TARGET msgpack-cxx::headers)
  add_library(msgpack-cxx::headers INTERFACE IMPORTED)
  set_target_properties(msgpack-cxx::headers PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${msgpack-cxx_INCLUDE_DIR}"
    INTERFACE_COMPILE_DEFINITIONS MSGPACK_NO_BOOST)
endif()
