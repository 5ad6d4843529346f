// SPDX-License-Identifier: MIT
// How SOE sessions are set up, bounded and timed.
#pragma once

#include <muster/export.hpp>
#include <muster/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

namespace muster::soe {

/// Datagram sizes that a peer may ask for, in bytes.
inline constexpr std::uint32_t min_udp_length = 64;
inline constexpr std::uint32_t max_udp_length = 65507;  // what UDP over IPv4 carries

/// What decides how much may be under way at once, and how fast it leaves.
enum class Pacing : std::uint8_t {
  model,         ///< measured: the largest delivery rate and the shortest round trip of late
  fixed_window,  ///< up to `send_window` packets as fast as possible, as the published crate sends
  fixed_rate,    ///< up to `send_window` packets, at most `bytes_per_second`
};

/// Which messages get a zero byte in front when they begin with one.
enum class Escape : std::uint8_t {
  encrypted,  ///< only encrypted ones, as the published Rust crate does
  always,     ///< all, as Sony's own library does
};

/// The defaults suit every peer of the protocol's third version: 512-byte datagrams, a packet for
/// each message. `for_own_ends()` is for two ends that are both muster's.
///
/// 0 as a limit or a length of time means none, if not said otherwise. No length of time is
/// negative or longer than 24 h.
struct MUSTER_API Config {
  // What is negotiated. Each end says its `udp_length`; the server decides the rest.
  std::uint32_t udp_length = 512;  ///< largest datagram that is received and sent, 64 to 65507
  std::uint8_t crc_length = 2;     ///< server: bytes of checksum per datagram, 0 to 4
  bool compression = false;        ///< server: datagrams say whether they are compressed

  /// Bodies of at least so many bytes are compressed if that makes them smaller and compression was
  /// negotiated; 0: none is sent compressed, but compressed ones are understood.
  std::size_t compress_from = 0;

  /// Applications that a server answers to, by the names that clients ask with, at most 32 bytes
  /// each, without a zero byte. An admission callback decides in its place.
  std::vector<std::string> protocols;

  /// Says to a refused client why, after a response that makes it understand; false: silence.
  bool explains_refusal = false;

  /// RC4 key of every session, 1 to 256 bytes; empty: not encrypted. This hides text from a casual
  /// reader, and nothing more: both directions and all channels use the same key stream.
  std::vector<std::byte> encryption_key;
  Escape escape = Escape::encrypted;

  // How messages are packed. Every receiver of the protocol understands these; the published crate
  // does not send them.
  bool bundles = false;        ///< small messages that wait together share a packet
  bool multi_packets = false;  ///< what leaves together, acknowledgements too, shares a datagram

  /// How many of the last small packets that are not acknowledged ride along with a new one, 0 to
  /// 3, as far as losses call for it. Needs `multi_packets`.
  unsigned redundancy = 0;

  // Messages.
  bool unreliable = true;              ///< takes and sends unreliable and ordered messages
  bool unreliable_flag = false;        ///< they carry a compression flag where one is negotiated
  std::size_t max_message = 16 << 20;  ///< largest that is accepted, 1 to 1 GiB
  std::size_t send_budget = 4 << 20;   ///< memory for what a session has to send, from 64 KiB
  std::size_t reassembly_budget = 256 << 20;  ///< memory for unfinished messages of all sessions;
                                              ///< at least max_message

  // Windows, in packets of a channel, 1 to 32767.
  std::uint32_t send_window = 196;

  /// How far ahead of the oldest missing one a packet is kept, and acknowledged. The published
  /// crate keeps 256; but its sender takes an acknowledgement that lies more than 196 behind the
  /// highest it has seen for one that is 65536 further, and drops all that it has queued. Another
  /// number than the default is told to peers of ours, who send no more than fits.
  std::uint32_t receive_window = 195;

  /// When in-order packets are acknowledged: with the first `advance` when the last time was longer
  /// than `acknowledge_delay` ago, or when `acknowledge_every` are due. Or each one by itself, at
  /// once.
  std::uint32_t acknowledge_every = 16;                       ///< 1 to 16384
  duration acknowledge_delay = std::chrono::milliseconds{2};  ///< 0 to 1 s
  bool acknowledges_each = false;

  // Pace and loss.
  Pacing pacing = Pacing::model;
  std::uint64_t bytes_per_second = 0;                     ///< fixed_rate: from 1000
  duration initial_rto = std::chrono::milliseconds{500};  ///< min_rto to max_rto
  duration min_rto = std::chrono::milliseconds{200};      ///< at least 1 ms
  duration max_rto = std::chrono::seconds{8};             ///< min_rto to 1 min

  /// A session ends when its oldest packet is not acknowledged for so long.
  duration unacknowledged_timeout = std::chrono::seconds{90};

  // Life of a session.
  duration request_retry = std::chrono::seconds{1};     ///< client: a request is repeated after it
  duration connect_timeout = std::chrono::seconds{30};  ///< client: gives up; must not be 0
  /// Server: for a client's first packet after the response, which of the published crate may be a
  /// heartbeat after 25 s; must not be 0.
  duration half_open_timeout = std::chrono::seconds{30};
  duration heartbeat_after = std::chrono::seconds{25};  ///< client: of silence
  duration inactivity_timeout = std::chrono::seconds{30};
  duration close_timeout = std::chrono::seconds{5};  ///< for what waits, when a session is closed
  duration net_status_interval = duration::zero();   ///< client: asks for the server's counts

  // Bounds, of all sessions together.
  std::size_t max_sessions = 16384;          ///< 1 to 2^20
  std::size_t max_half_open = 1024;          ///< the oldest makes room for a new one; 1 to 2^16
  std::uint32_t requests_per_second = 2000;  ///< session requests
  std::uint32_t requests_per_second_per_host = 20;

  /// So many datagrams in a row with a wrong checksum end a session; 0: none ever does. Whoever can
  /// forge a sender's address can send them.
  std::uint32_t max_bad_checksums = 0;

  bool allows_port_remaps = false;       ///< a client whose port changed may say so and go on
  bool answers_unknown_senders = false;  ///< says to strangers that they have no session

  /// Datagrams of `udp_length` bytes (1200 to 1400 pass nearly every route) with bundles, shared
  /// datagrams, four bytes of checksum and redundancy.
  [[nodiscard]] static Config for_own_ends(std::uint32_t udp_length = 1400);
};

/// @error errc::invalid_config   with a sentence in `problem` that says what to change
[[nodiscard]] MUSTER_API std::error_code validate(const Config& config, std::string& problem);

}  // namespace muster::soe
