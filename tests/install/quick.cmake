# SPDX-License-Identifier: MIT
# Compiles each component as one source, which takes a third of the time: CMAKE_PROJECT_muster_INCLUDE names this
# file where muster is built only to see that it can be. A source is compiled alone if a name of its own
# would meet another source's; one for which that is forgotten fails to compile with "redefinition". Warnings would be about
# the meeting, and are off.
set(muster_alone_core outbox.cpp url.cpp)
set(muster_alone_shard shard/client.cpp)
set(muster_alone_signal signal/metrics.cpp signal/vocabulary.cpp)
set(muster_alone_soe soe/endpoint.cpp soe/round_trip.cpp soe/send_channel.cpp)
set(muster_alone_websocket websocket/proxy_header.cpp)
set(muster_alone_asio asio/soe_port.cpp asio/soe_socket.cpp asio/socket.cpp asio/websocket_server.cpp)

function(muster_compile_quickly)
  get_property(components GLOBAL PROPERTY MUSTER_COMPONENTS)
  foreach(name IN LISTS components)
    set_target_properties(muster_${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
    target_compile_options(muster_${name} PRIVATE -w)
    list(TRANSFORM muster_alone_${name} PREPEND ${PROJECT_SOURCE_DIR}/lib/)
    set_source_files_properties(${muster_alone_${name}}
      TARGET_DIRECTORY muster_${name} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endforeach()
endfunction()
cmake_language(DEFER CALL muster_compile_quickly)
