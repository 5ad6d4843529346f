# SPDX-License-Identifier: MIT
# What is built: the components that MUSTER_COMPONENTS names and those that they need, or all.
# muster_component refuses one that is not here, or needs another than is said here. All need core.
set(muster_known core lobby msgpack relay shard signal soe websocket asio)
set(muster_needs_shard msgpack)
set(muster_needs_signal msgpack)
set(muster_needs_asio lobby soe websocket)

set(muster_built ${muster_known})
if(MUSTER_COMPONENTS)
  set(muster_built core)
  foreach(name IN LISTS MUSTER_COMPONENTS)
    if(NOT name IN_LIST muster_known)
      message(FATAL_ERROR "MUSTER_COMPONENTS: there is no component ${name} (there are: ${muster_known}).")
    endif()
    list(APPEND muster_built ${name} ${muster_needs_${name}})
  endforeach()
  list(REMOVE_DUPLICATES muster_built)
endif()
