// SPDX-License-Identifier: MIT
// An open session of the SOE protocol between an end and a peer that the test plays by hand.
#pragma once

#include <muster/soe/config.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/soe_end.hpp"
#include "support/soe_peer.hpp"

namespace test {

class SoeTalk {
 public:
  /// Of the end; the peer is the other.
  enum class Role { server, client };

  static inline const muster::Address here = muster::Address::v4(0x0A000001, 6000);
  static inline const muster::Address there = muster::Address::v4(0x0A000002, 5000);

  /// @param as   the end's role. What the server decides is in `config` or in `player`.
  explicit SoeTalk(Role as, const muster::soe::Config& config = {}, SoePeer player = {})
      : role(as), end(with_protocol(config, player.protocol), here), peer(std::move(player)) {
    if (role == Role::client) peer.crc_seed = 0xCAFE0001;
    session = role == Role::server ? peer.join(end, there) : peer.serve(end, there);
  }

  /// The peer's datagram arrives, and the end does what is to be done.
  void say(muster::byte_view datagram) {
    end.receive(there, datagram);
    end.advance();
  }

  /// What the end has sent to the peer since the last time, except what cannot be read.
  [[nodiscard]] std::vector<SoePeer::Packet> heard() { return peer.read(end.take_sent()); }

  /// How many packets of one kind are in what the end has sent. Takes it all.
  [[nodiscard]] std::size_t hear(std::uint16_t op) {
    std::size_t count = 0;
    for (const SoePeer::Packet& packet : heard()) count += packet.op == op ? 1 : 0;
    return count;
  }
  [[nodiscard]] std::size_t hear(muster::soe::OpCode op) {
    return hear(static_cast<std::uint16_t>(op));
  }

  /// Whether the session is as it was: nothing has been told of it, and a message passes in each
  /// direction.
  /// @return what is wrong; empty: nothing
  std::string problem() {
    if (!end.events.empty()) return "there are events";
    if (!end.mux.is_open(session)) return "the session is not open";
    if (end.mux.find(there) != session) return "the address leads elsewhere";
    end.sent.clear();
    const std::string up = "up " + std::to_string(next_up);
    say(peer.reliable(next_up++, up));
    if (end.events.size() != 1 || end.events[0].data != up) return "no message arrives";
    end.events.clear();
    const std::string down = "down " + std::to_string(next_down);
    if (end.mux.enqueue(session, muster::as_bytes(down)) != muster::soe::EnqueueStatus::queued) {
      return "no message is taken";
    }
    end.advance();
    const Bytes expected = SoePeer::numbered(next_down, down);
    bool is_there = false;
    for (const SoePeer::Packet& packet : heard()) is_there |= packet.body == expected;
    if (!is_there) return "no message leaves";
    say(peer.acknowledge_all(next_down++));
    if (!end.events.empty()) return "an acknowledgement is an event";
    return end.mux.stats(session).queued_bytes == 0 ? "" : "the acknowledgement is not taken";
  }

  /// Whether the session has ended, and the peer was told, with this reason.
  /// @return what is wrong; empty: nothing
  std::string problem_of_end(muster::soe::DisconnectReason reason) {
    const std::vector<SoeEvent> events = end.take_events();
    if (events.empty() || events.back().kind != SoeEvent::Kind::closed) return "it has not ended";
    if (events.back().reason != reason) return "it ended with another reason";
    if (events.back().by_peer) return "it says that the peer ended it";
    if (end.mux.is_open(session) || end.mux.find(there).generation != 0) return "it lives on";
    const Bytes expected =
        SoePeer::join_bytes({SoePeer::number(peer.session_id, 4),
                             SoePeer::number(static_cast<std::uint64_t>(reason), 2)});
    for (const SoePeer::Packet& packet : heard()) {
      if (packet.op == 5 && packet.body == expected) return "";
    }
    return "the peer was not told";
  }

  Role role;
  SoeEnd end;
  SoePeer peer;
  muster::soe::SessionId session;
  std::uint16_t next_up = 0;    ///< of channel 0
  std::uint16_t next_down = 0;  ///< of channel 0

 private:
  static muster::soe::Config with_protocol(muster::soe::Config config, const std::string& name) {
    config.protocols.push_back(name);
    return config;
  }
};

}  // namespace test
