// SPDX-License-Identifier: MIT
// A WebSocket session between two loops.
#pragma once

#include <muster/address.hpp>
#include <muster/backlog.hpp>
#include <muster/luggage.hpp>
#include <muster/service.hpp>
#include <muster/websocket/frame_codec.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace muster::websocket {

/// Everything of an open session but its transport. Sessions fill it and empty it; a driver carries
/// it to the other loop together with the transport.
/// @threads may be given from one thread to another
struct Transit {
  std::size_t loop = 0;                   ///< where it goes
  Service* service = nullptr;             ///< used there only
  std::unique_ptr<Luggage> luggage{};     ///< for `on_arrival`
  Address remote{};                       ///< the peer
  Backlog backlog{};                      ///< what is to be sent
  bool has_message = false;               ///< `message` is to be handed out again
  MessageKind kind{};                     ///< of that message
  std::vector<std::byte> message{};       ///< the one that made it move
  std::vector<std::byte> input{};         ///< what came behind it, not decoded
  std::optional<FrameDecoder> decoder{};  ///< with what is there of an unfinished message
  std::size_t max_message = 0;            ///< what the peer may send, in bytes
  time_point activity{};                  ///< the last sign of life, or the stage's start
  bool is_pinged = false;                 ///< since then
  bool awaits_first = false;              ///< no message has come yet
  bool is_stream = false;                 ///< of server-sent events
  std::uint64_t ignored = 0;              ///< of a stream: bytes that came behind the request
};

}  // namespace muster::websocket
