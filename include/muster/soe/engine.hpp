// SPDX-License-Identifier: MIT
// The part of a multiplexer that does not depend on what an address is.
#pragma once

#include <muster/bytes.hpp>
#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/result.hpp>
#include <muster/soe/config.hpp>
#include <muster/soe/disconnect_reason.hpp>
#include <muster/soe/event.hpp>
#include <muster/soe/stats.hpp>
#include <muster/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace muster::soe {

/// The answer to a client that wants a session.
struct Admission {
  enum class Verdict : std::uint8_t {
    accept,
    refuse,  ///< with a response and a disconnect that has the reason
    drop,    ///< without a word
  };
  Verdict verdict = Verdict::accept;
  DisconnectReason reason = DisconnectReason::connection_refused;

  /// Of the new session, in place of `Config::encryption_key`: 1 to 256 bytes; empty: not
  /// encrypted.
  std::optional<std::vector<std::byte>> encryption_key;

  [[nodiscard]] static Admission accept() { return {}; }
  [[nodiscard]] static Admission refuse(
      DisconnectReason reason = DisconnectReason::connection_refused) {
    return {Verdict::refuse, reason, {}};
  }
  [[nodiscard]] static Admission drop() {
    return {Verdict::drop, DisconnectReason::connection_refused, {}};
  }
};

/// Whoever knows which address leads to which session. Asked seldom: never for a message.
class MUSTER_API Directory {
 public:
  /// The session's address leads nowhere any more; it is still wanted for what is to be sent.
  virtual void forget(std::uint32_t slot) noexcept = 0;

  /// The address of `from` leads to `to` from now on.
  virtual void redirect(std::uint32_t from, std::uint32_t to) = 0;

 protected:
  ~Directory() = default;
};

/// Sessions by number. Not for direct use: see `SoeMultiplexer`, which has the same words.
class MUSTER_API Engine {
 public:
  static constexpr std::uint32_t none = 0xffffffff;

  Engine(const Config& config, Entropy& entropy, Directory& directory, time_point now);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // In. `slot` is the number that an address leads to.

  /// A datagram that is no handshake, from a peer that is known.
  /// @return where the address leads from now on
  std::uint32_t receive(std::uint32_t slot, mutable_byte_view datagram, time_point now);

  /// Any other datagram of a stranger.
  /// @return whether it deserves to hear that it has no session
  bool receive_from_stranger(byte_view datagram, time_point now);

  /// Whether a datagram is a request for a session, or asks to move one to another port.
  [[nodiscard]] static bool is_handshake(byte_view datagram) noexcept {
    return datagram.size() >= 2 && datagram[0] == std::byte{0} &&
           (datagram[1] == std::byte{0x01} || datagram[1] == std::byte{0x1e});
  }
  [[nodiscard]] static bool is_remap(byte_view datagram) noexcept {
    return datagram[1] == std::byte{0x1e};
  }

  /// A request: answered, counted and dropped, or an application to be admitted.
  struct Request {
    std::uint32_t slot = none;  ///< where the address leads now
    std::uint32_t session_id = 0;
    std::uint32_t udp_length = 0;
    std::uint16_t receive_window = 0;  ///< 0: not said
    std::string_view protocol;         ///< of the datagram
  };
  [[nodiscard]] std::optional<Request> screen_request(std::uint32_t slot, std::uint64_t host_hash,
                                                      byte_view datagram, time_point now);

  /// What the configuration alone says to a protocol.
  [[nodiscard]] Admission admission_of(std::string_view protocol) const;

  /// @return where the address leads from now on
  std::uint32_t answer_request(const Request& request, const Admission& admission, time_point now);

  /// The session that a remap names, or `none`.
  [[nodiscard]] std::uint32_t find_remap(byte_view datagram, time_point now) noexcept;
  void remapped(std::uint32_t slot, time_point now) noexcept;
  void count(Drop drop) noexcept;

  /// Everything of one batch has been handed in.
  void finish_batch(time_point now);

  /// Whether events still wait, so that nothing may be handed in; if not, a new batch begins.
  [[nodiscard]] bool begin_batch() noexcept;

  result<std::uint32_t> connect(std::string_view protocol, time_point now);
  EnqueueStatus enqueue(SessionId session, byte_view message, Channel channel);
  bool set_encryption(SessionId session, unsigned channels, byte_view key);
  bool terminate(SessionId session, DisconnectReason reason, time_point now);
  bool close(SessionId session, DisconnectReason reason, time_point now);
  void advance(time_point now);

  // Out.
  bool poll_event(Event& event);
  bool poll_transmit(std::uint32_t& slot, std::span<const byte_view>& datagrams);
  [[nodiscard]] time_point next_deadline() const noexcept;

  // State.
  [[nodiscard]] SessionId id_of(std::uint32_t slot) const noexcept;
  [[nodiscard]] bool is_known(SessionId session) const noexcept;
  [[nodiscard]] bool is_open(SessionId session) const noexcept;
  [[nodiscard]] std::size_t session_count() const noexcept;
  [[nodiscard]] std::size_t half_open_count() const noexcept;
  [[nodiscard]] SessionStats stats(SessionId session) const noexcept;
  [[nodiscard]] const Totals& totals() const noexcept;
  [[nodiscard]] const Config& config() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::soe
