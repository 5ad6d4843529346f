# SPDX-License-Identifier: MIT
# How muster's own targets are made. Nothing in here is forced on a project that uses muster.

# Language level and warnings for one of our targets.
function(muster_target_defaults target)
  target_compile_features(${target} PRIVATE cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  if(MSVC)
    target_compile_options(${target} PRIVATE /W4 /permissive- /utf-8)
  else()
    target_compile_options(${target} PRIVATE
      -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
      # GCC 12 warns about every inlined std::string assignment of a literal (GCC bug 105329).
      target_compile_options(${target} PRIVATE -Wno-restrict)
    endif()
  endif()
  if(MUSTER_WARNINGS_AS_ERRORS)
    set_target_properties(${target} PROPERTIES COMPILE_WARNING_AS_ERROR ON)
  endif()
endfunction()

# Uses the headers of a header-only library privately: include directories and definitions reach
# the compiler, and nothing reaches the link interface, so a consumer never has to find it.
function(muster_private_headers target)
  foreach(library IN LISTS ARGN)
    target_include_directories(${target} SYSTEM PRIVATE
      $<TARGET_PROPERTY:${library},INTERFACE_INCLUDE_DIRECTORIES>)
    target_compile_definitions(${target} PRIVATE
      $<TARGET_PROPERTY:${library},INTERFACE_COMPILE_DEFINITIONS>)
  endforeach()
endfunction()

# muster_component(NAME
#   SOURCES file...             relative to lib/
#   [HEADER_DIRECTORIES dir...] relative to include/muster/; default: NAME
#   [PUBLIC target...]          linked, and passed on to consumers
#   [PRIVATE target...]         header-only libraries that only our sources include
#   [NO_EXCEPTIONS]             -fno-exceptions -fno-rtti when MUSTER_NO_EXCEPTIONS is on
#   [EXCEPTIONS_IN file...])    ... except in these sources
#
# Makes the library muster::NAME with its public headers as a file set, and adds it to
# muster::muster and to the install rules; unless it is not to be built (muster_components.cmake).
function(muster_component name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "NO_EXCEPTIONS" ""
    "SOURCES;HEADER_DIRECTORIES;PUBLIC;PRIVATE;EXCEPTIONS_IN")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "muster_component(${name}): unknown argument ${arg_UNPARSED_ARGUMENTS}.")
  endif()
  if(NOT DEFINED arg_HEADER_DIRECTORIES)
    set(arg_HEADER_DIRECTORIES ${name})
  endif()
  if(NOT name IN_LIST muster_known)
    message(FATAL_ERROR "muster_components.cmake does not know the component ${name}.")
  endif()
  if(NOT name IN_LIST muster_built)
    return()
  endif()
  foreach(needed IN LISTS arg_PUBLIC)
    if(needed MATCHES "^muster::(.*)" AND NOT CMAKE_MATCH_1 IN_LIST muster_built)
      message(FATAL_ERROR "muster_components.cmake does not say that ${name} needs ${CMAKE_MATCH_1}.")
    endif()
  endforeach()

  set(include_dir ${PROJECT_SOURCE_DIR}/include)
  set(headers)
  foreach(directory IN LISTS arg_HEADER_DIRECTORIES)
    file(GLOB found CONFIGURE_DEPENDS ${include_dir}/muster/${directory}/*.hpp)
    list(APPEND headers ${found})
  endforeach()
  list(REMOVE_ITEM headers ${include_dir}/muster/./muster.hpp ${include_dir}/muster/muster.hpp)

  set(target muster_${name})
  add_library(${target} ${arg_SOURCES})
  add_library(muster::${name} ALIAS ${target})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${include_dir} FILES ${headers})
  target_compile_features(${target} PUBLIC cxx_std_20)
  muster_target_defaults(${target})
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${name}
    OUTPUT_NAME muster-${name}
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    WINDOWS_EXPORT_ALL_SYMBOLS ON)
  # Only what is MUSTER_API leaves a shared library (include/muster/export.hpp). The tests use internals
  # too, and so would not link with one that hides them.
  if(NOT (BUILD_SHARED_LIBS AND MUSTER_BUILD_TESTS))
    set_target_properties(${target} PROPERTIES
      CXX_VISIBILITY_PRESET hidden
      VISIBILITY_INLINES_HIDDEN ON)
  endif()
  if(UNIX AND NOT APPLE)  # installed libraries find each other, wherever that is
    set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN")
  endif()
  if(NOT DEFINED CMAKE_POSITION_INDEPENDENT_CODE)  # so that a shared library may contain it
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  endif()
  target_link_libraries(${target} PUBLIC ${arg_PUBLIC})
  muster_private_headers(${target} ${arg_PRIVATE})

  # Under a sanitizer what most sources include is parsed once, unless a compiler cache keeps the
  # objects. In every other build a source has to include what it uses.
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize" AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    target_precompile_headers(${target} PRIVATE <algorithm> <array> <chrono> <functional> <map>
      <memory> <optional> <span> <string> <string_view> <unordered_map> <utility> <vector>)
  endif()

  if(MUSTER_NO_EXCEPTIONS AND arg_NO_EXCEPTIONS AND NOT MSVC)
    foreach(source IN LISTS arg_SOURCES)
      if(NOT source IN_LIST arg_EXCEPTIONS_IN)
        set_property(SOURCE ${source} APPEND PROPERTY COMPILE_OPTIONS
          -fno-exceptions -fno-rtti)
      endif()
    endforeach()
  endif()

  set_property(GLOBAL APPEND PROPERTY MUSTER_COMPONENTS ${name})
endfunction()

# A program of ours, installed as muster-NAME: muster_program(NAME SOURCES file... LINK target...)
function(muster_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  add_executable(muster-${name} ${arg_SOURCES})
  muster_target_defaults(muster-${name})
  target_link_libraries(muster-${name} PRIVATE ${arg_LINK})
  if(MUSTER_INSTALL)
    install(TARGETS muster-${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endfunction()
