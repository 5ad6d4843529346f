# SPDX-License-Identifier: MIT
# Finds the headers of WebSocket++ and provides the target websocketpp::headers: an include
# directory and nothing else. Of WebSocket++ only the opening handshake is used, which needs neither
# Boost nor Asio, so the dependencies that its own package names are not wanted.

find_package(websocketpp CONFIG QUIET)
if(TARGET websocketpp::websocketpp)
  get_target_property(websocketpp_hint websocketpp::websocketpp INTERFACE_INCLUDE_DIRECTORIES)
endif()
find_path(websocketpp_INCLUDE_DIR NAMES websocketpp/processors/hybi13.hpp
  HINTS ${websocketpp_hint} ${WEBSOCKETPP_INCLUDE_DIR})
mark_as_advanced(websocketpp_INCLUDE_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(websocketpp REQUIRED_VARS websocketpp_INCLUDE_DIR)

if(websocketpp_FOUND AND NOT TARGET websocketpp::headers)
  add_library(websocketpp::headers INTERFACE IMPORTED)
  set_target_properties(websocketpp::headers PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${websocketpp_INCLUDE_DIR}")
endif()
