// SPDX-License-Identifier: MIT
// One session: its state, what it does with a datagram, and what it has to send.
#pragma once

#include <muster/bytes.hpp>
#include <muster/soe/disconnect_reason.hpp>
#include <muster/soe/event.hpp>
#include <muster/soe/packet.hpp>
#include <muster/soe/stats.hpp>
#include <muster/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "datagram_builder.hpp"
#include "framing.hpp"
#include "negotiated.hpp"
#include "receive_channel.hpp"
#include "recovery.hpp"
#include "resources.hpp"
#include "send_channel.hpp"

namespace muster::soe {

/// A client's session from its request on, or a server's from the first packet that proves that the
/// client has the response.
///
/// States: connecting (client) → open → closing → ended.
class Session {
 public:
  /// A client that asks.
  Session(Resources& resources, SessionId id, std::string_view protocol, time_point now);

  /// A server that was asked, and has answered.
  /// @param cipher   null: not encrypted
  Session(Resources& resources, SessionId id, const Negotiated& negotiated, const Rc4* cipher,
          time_point now);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // In.

  enum class Intake : std::uint8_t {
    used,
    dropped,       ///< and counted
    bad_checksum,  ///< and counted: damaged, or of another session with this address
  };
  Intake receive(mutable_byte_view datagram, time_point now);

  /// A request from this address. A server's client repeats it when our response got lost.
  /// @return whether it is this session's own
  [[nodiscard]] bool is_own_request(std::uint32_t session_id) const noexcept {
    return session_id == negotiated_.session_id;
  }
  void answer_again();

  /// A client met its own request: it talks to itself.
  void connected_to_self();

  EnqueueStatus enqueue(byte_view message, Channel channel);
  void set_encryption(unsigned channels, const Rc4* cipher);

  /// Acknowledgements of a batch are complete.
  void finish_batch(time_point now);

  /// What may leave now, leaves.
  void flush(time_point now);

  void close(DisconnectReason reason, time_point now);
  void end(DisconnectReason reason, bool by_peer, bool tells_peer);

  /// The peer goes on from another port.
  void moved(time_point now) noexcept { last_received_ = now; }

  /// Heartbeats, retries, timeouts.
  void advance_life(time_point now);

  /// Losses, probes, late acknowledgements: `flush` follows.
  void advance_transport(time_point now) {
    const std::uint32_t silences = recovery_.silences();
    recovery_.advance(now);
    if (recovery_.silences() != silences) is_silence_ = true;
  }

  [[nodiscard]] time_point life_deadline() const noexcept;
  [[nodiscard]] time_point transport_deadline() const noexcept;

  // State.
  [[nodiscard]] bool is_connecting() const noexcept { return state_ == State::connecting; }
  [[nodiscard]] bool is_open() const noexcept { return state_ == State::open; }
  [[nodiscard]] bool has_ended() const noexcept { return state_ == State::ended; }
  [[nodiscard]] bool is_client() const noexcept { return is_client_; }
  [[nodiscard]] SessionId id() const noexcept { return id_; }
  [[nodiscard]] std::uint32_t session_id() const noexcept { return negotiated_.session_id; }
  [[nodiscard]] std::uint32_t crc_seed() const noexcept { return negotiated_.crc_seed; }
  [[nodiscard]] SessionStats stats() const noexcept;

 private:
  enum class State : std::uint8_t { connecting, open, closing, ended };

  // A mistaken or forged word of a peer is answered, and asked about, at most so often.
  static constexpr duration probe_interval = std::chrono::seconds{1};

  struct ReliableChannel {
    ReliableChannel(unsigned number, time_point now) : send(number), receive(number, now) {}
    SendChannel send;
    ReceiveChannel receive;
  };

  void adopt(const Negotiated& negotiated) noexcept;
  [[nodiscard]] ReliableChannel& channel(unsigned number, time_point now);
  [[nodiscard]] SendContext send_context() noexcept;
  [[nodiscard]] ReceiveContext receive_context() noexcept;

  Intake drop(Drop reason) noexcept;
  Intake receive_unreliable(mutable_byte_view datagram, time_point now);
  Intake receive_contextless(std::uint16_t op, byte_view datagram, time_point now);
  Intake receive_response(byte_view datagram, time_point now);
  Intake receive_unknown_sender(time_point now);
  Intake fail_checksum();
  void heard(time_point now) noexcept;
  void dispatch(std::uint16_t op, mutable_byte_view body, bool is_stable, bool is_sub,
                time_point now);
  void dispatch_multi(mutable_byte_view body, bool is_stable, bool is_sub, time_point now);
  void receive_reliable(unsigned number, mutable_byte_view body, bool is_fragment, bool is_stable,
                        time_point now);
  void receive_acknowledgement(unsigned number, byte_view body, bool is_all, time_point now);
  void receive_disconnect(byte_view body);
  void receive_net_status(OpCode op, byte_view body, time_point now);
  void receive_ordered(unsigned number, mutable_byte_view body, bool is_stable);
  void deliver(Channel channel, byte_view message, bool is_stable);
  void corrupt();

  EnqueueStatus enqueue_unreliable(byte_view message, Channel to);
  void send_now(OpCode op, byte_view body = {});
  template <class Body>
  void send_body(OpCode op, const Body& body) {
    std::array<std::byte, Body::size> bytes{};
    send_now(op, byte_view{bytes}.first(body.encode(bytes)));
  }
  template <class Handshake>
  void send_contextless(const Handshake& packet);
  void send_request();
  void send_heartbeat(time_point now);
  void ask(time_point now);
  void send_net_status(time_point now);
  template <class Write>
  void compose(std::size_t most, Write write);
  void flush_acknowledgements(DatagramBuilder& builder, unsigned number, bool with_data,
                              time_point now);
  void flush_packets(DatagramBuilder& builder, time_point now);
  void ask_newest(DatagramBuilder& builder, time_point now);
  void send_packet(DatagramBuilder& builder, Packet& packet);
  void add_rides(DatagramBuilder& builder, const Packet& packet, time_point now);
  [[nodiscard]] Packet* next_packet(bool& is_new) noexcept;
  [[nodiscard]] bool has_unsent() const noexcept;
  [[nodiscard]] time_point oldest_sent() const noexcept;
  [[nodiscard]] unsigned redundancy() const noexcept;

  Resources& resources_;
  SessionId id_;
  Negotiated negotiated_;  // a client's that is connecting: only the id
  Framing framing_;
  State state_ = State::connecting;
  bool is_client_;
  bool wants_writable_ = false;
  bool is_silence_ = false;            // nothing was acknowledged in time
  bool has_acknowledgements_ = false;  // in this batch
  DisconnectReason close_reason_ = DisconnectReason::none;
  std::uint8_t next_channel_ = 0;  // takes the first turn
  Compressor::Experience experience_;
  std::array<std::uint16_t, 2> ordered_sent_{};
  std::array<std::uint16_t, 2> ordered_received_{};
  std::uint32_t bad_in_a_row_ = 0;
  std::array<std::unique_ptr<ReliableChannel>, reliable_channel_count> channels_;
  std::unique_ptr<Rc4> cipher_;            // what a new channel starts with
  std::unique_ptr<std::string> protocol_;  // while connecting
  Recovery recovery_;
  std::size_t queued_bytes_ = 0;

  time_point started_;  // connecting, then closing
  time_point last_received_;
  time_point last_probe_;                   // heartbeat, request or net status
  time_point unknown_since_ = no_deadline;  // the peer says that it does not know us

  // Counters.
  std::size_t datagrams_sent_ = 0;
  std::size_t bytes_sent_ = 0;
  std::uint64_t datagrams_received_ = 0;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t peer_sent_ = 0;
  std::uint64_t peer_received_ = 0;
  std::uint32_t bad_checksums_ = 0;
};

}  // namespace muster::soe
