// SPDX-License-Identifier: MIT
// Reliable UDP in C: many SOE sessions on one socket, without the socket.
//
// What may be in a datagram, and which end does what, is in docs/protocol/soe.md.
#ifndef MUSTER_C_SOE_H
#define MUSTER_C_SOE_H

#include <muster/c/abi.h>
#include <muster/c/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The sessions of one socket, as server, as client or as both. Where null is passed for one, the
/// answer is MUSTER_ERROR_NULL, if nothing else is said.
typedef struct muster_soe muster_soe;

/// Bounds and times. Begin with one of the functions below, which fill in the defaults. 0 as a
/// limit or a time means none, if not said otherwise; what is "0 or 1" is off or on.
typedef struct muster_soe_config {
  size_t size;  ///< of this struct as the caller knows it; set by the functions below

  const char* protocol;           ///< a server's application, at most 32 bytes; null: only a client
  const uint8_t* encryption_key;  ///< RC4, which hides text from a casual reader and nothing more
  size_t encryption_key_size;     ///< 1 to 256; 0: not encrypted

  // What is negotiated; the server decides all but `udp_length`.
  uint32_t udp_length;     ///< bytes of the largest datagram that is received and sent, 64 to 65507
  uint32_t crc_length;     ///< bytes of checksum for each datagram, 0 to 4
  uint32_t compression;    ///< 0 or 1
  uint32_t compress_from;  ///< bytes of the smallest body that is compressed; 0: none is

  // How messages are packed. The published crate understands these, and does not send them.
  uint32_t bundles;        ///< 0 or 1: small messages share a packet
  uint32_t multi_packets;  ///< 0 or 1: what leaves together shares a datagram
  uint32_t redundancy;     ///< how many small packets are sent again with a new one, 0 to 3

  uint32_t send_window;     ///< packets, 1 to 32767
  uint32_t receive_window;  ///< packets, 1 to 32767

  uint32_t explains_refusal;         ///< 0 or 1: says to a refused client why
  uint32_t allows_port_remaps;       ///< 0 or 1: a client whose port changed may go on
  uint32_t answers_unknown_senders;  ///< 0 or 1: says to strangers that they have no session

  uint32_t max_sessions;                  ///< 1 to 2^20
  uint32_t max_half_open;                 ///< 1 to 2^16; the oldest makes room
  uint32_t requests_per_second;           ///< for sessions
  uint32_t requests_per_second_per_host;  ///< for sessions

  uint64_t max_message;        ///< bytes of the largest message that is accepted, 1 to 2^30
  uint64_t send_budget;        ///< bytes of memory for what a session has to send, from 65536
  uint64_t reassembly_budget;  ///< bytes of memory for unfinished messages of all sessions

  // Each at most 24 h.
  uint64_t connect_timeout_us;     ///< a client gives up; not 0
  uint64_t half_open_timeout_us;   ///< for a client's first packet after the response; not 0
  uint64_t heartbeat_after_us;     ///< a client that has said nothing for so long says something
  uint64_t inactivity_timeout_us;  ///< a peer that is silent for so long is gone
  uint64_t unacknowledged_timeout_us;  ///< a session whose oldest packet is that old ends
  uint64_t close_timeout_us;           ///< for what waits, when a session is closed
} muster_soe_config;

/// For every peer of the protocol's third version: datagrams of 512 bytes, a packet per message.
/// @param size   sizeof(muster_soe_config)
MUSTER_C_API int muster_soe_config_init(muster_soe_config* config, size_t size);

/// For two ends that are both muster's: larger datagrams that messages share, four bytes of
/// checksum, and redundancy against losses.
/// @param udp_length   1200 to 1400 pass nearly every route
MUSTER_C_API int muster_soe_config_init_own_ends(muster_soe_config* config, size_t size,
                                                 uint32_t udp_length);

/// @param seed           MUSTER_SEED_SIZE bytes; see there
/// @param now_us         the time, as in all calls
/// @param soe            the new handle, for muster_soe_destroy in the end; null if there is none
/// @param problem        gets a sentence about a field that is wrong; may be null
/// @param problem_size   bytes of `problem`; what does not fit is cut
/// @error MUSTER_ERROR_INVALID_CONFIG
/// @error MUSTER_ERROR_BAD_VALUE   the seed is all zero, or the time is too late
MUSTER_C_API int muster_soe_create(const muster_soe_config* config, const uint8_t* seed,
                                   uint64_t now_us, muster_soe** soe, char* problem,
                                   size_t problem_size);

/// The peers are not told: terminate the sessions before it, and send what is polled then.
/// @param soe   may be null
MUSTER_C_API void muster_soe_destroy(muster_soe* soe);

// In.

/// Takes one datagram. Nothing that a stranger sends is an error: it is dropped, and counted.
/// @param datagram   not kept, and not changed
/// @error MUSTER_ERROR_NOT_POLLED   events wait: it was dropped as if the network had lost it
/// @error MUSTER_ERROR_TOO_LARGE    above 65535 bytes
MUSTER_C_API int muster_soe_receive(muster_soe* soe, const muster_address* from,
                                    const uint8_t* datagram, size_t size, uint64_t now_us);

/// Asks a server for a session; MUSTER_SOE_OPENED or MUSTER_SOE_CLOSED follows.
/// @param protocol   at most 32 bytes and a final zero
/// @param session    its id, never 0
/// @error MUSTER_ERROR_ALREADY_EXISTS   there is a session with this address
/// @error MUSTER_ERROR_LIMIT_REACHED    `max_sessions`
/// @error MUSTER_ERROR_BAD_VALUE        the protocol's name
MUSTER_C_API int muster_soe_connect(muster_soe* soe, const muster_address* to, const char* protocol,
                                    uint64_t now_us, uint64_t* session);

/// The streams of a session. The reliable ones are independent of each other.
enum {
  MUSTER_SOE_RELIABLE_0 = 0,  ///< delivered once and in order, or the session ends
  MUSTER_SOE_RELIABLE_1 = 1,
  MUSTER_SOE_RELIABLE_2 = 2,
  MUSTER_SOE_RELIABLE_3 = 3,
  MUSTER_SOE_UNRELIABLE = 4,  ///< may get lost, be repeated or overtaken; never encrypted
  MUSTER_SOE_ORDERED = 5      ///< may get lost, but is never repeated or overtaken; never encrypted
};

/// Queues a copy of a message; an empty one is ignored. It leaves with muster_soe_advance.
/// @error MUSTER_ERROR_CLOSED        no such session, or it is not open yet, or closing
/// @error MUSTER_ERROR_OVER_BUDGET   too much waits: MUSTER_SOE_WRITABLE follows
/// @error MUSTER_ERROR_TOO_LARGE     it can never be sent
/// @error MUSTER_ERROR_BAD_VALUE     no such channel
MUSTER_C_API int muster_soe_enqueue(muster_soe* soe, uint64_t session, int channel,
                                    const uint8_t* message, size_t size);

/// Encrypts and decrypts what follows.
/// @param channels   bit 0: MUSTER_SOE_RELIABLE_0, and so on
/// @param key_size   1 to 256; 0: not encrypted from now on
/// @error MUSTER_ERROR_NOT_FOUND   no such session
/// @error MUSTER_ERROR_BAD_VALUE   a key of another size
MUSTER_C_API int muster_soe_set_encryption(muster_soe* soe, uint64_t session, uint32_t channels,
                                           const uint8_t* key, size_t key_size);

/// Why a session ended, by its number on the wire.
enum {
  MUSTER_SOE_REASON_NONE = 0,
  MUSTER_SOE_REASON_ICMP_ERROR = 1,
  MUSTER_SOE_REASON_TIMEOUT = 2,
  MUSTER_SOE_REASON_OTHER_SIDE_TERMINATED = 3,
  MUSTER_SOE_REASON_MANAGER_DELETED = 4,
  MUSTER_SOE_REASON_CONNECT_FAIL = 5,
  MUSTER_SOE_REASON_APPLICATION = 6,
  MUSTER_SOE_REASON_UNREACHABLE_CONNECTION = 7,
  MUSTER_SOE_REASON_UNACKNOWLEDGED_TIMEOUT = 8,
  MUSTER_SOE_REASON_NEW_CONNECTION_ATTEMPT = 9,
  MUSTER_SOE_REASON_CONNECTION_REFUSED = 10,
  MUSTER_SOE_REASON_CONNECT_ERROR = 11,
  MUSTER_SOE_REASON_CONNECTING_TO_SELF = 12,
  MUSTER_SOE_REASON_RELIABLE_OVERFLOW = 13,
  MUSTER_SOE_REASON_APPLICATION_RELEASED = 14,
  MUSTER_SOE_REASON_CORRUPT_PACKET = 15,
  MUSTER_SOE_REASON_PROTOCOL_MISMATCH = 16
};

/// The stable name of a reason, for example "corrupt_packet"; "unknown" for other numbers.
MUSTER_C_API const char* muster_soe_reason_text(int reason);

/// Ends a session when everything that is queued was acknowledged.
/// @error MUSTER_ERROR_NOT_FOUND   no such session
/// @error MUSTER_ERROR_BAD_VALUE   no such reason
MUSTER_C_API int muster_soe_close(muster_soe* soe, uint64_t session, int reason, uint64_t now_us);

/// Ends a session at once; the peer is told. Errors as of muster_soe_close.
MUSTER_C_API int muster_soe_terminate(muster_soe* soe, uint64_t session, int reason,
                                      uint64_t now_us);

/// Does what is due, and makes the datagrams of everything that may leave now.
MUSTER_C_API int muster_soe_advance(muster_soe* soe, uint64_t now_us);

/// When muster_soe_advance has something to do, which may be in the past; MUSTER_NO_DEADLINE: not
/// by itself, and also for null.
MUSTER_C_API uint64_t muster_soe_next_deadline(const muster_soe* soe);

// Out.

/// Something that happened. For each session: opened, then data and writable, then closed.
enum {
  MUSTER_SOE_OPENED = 1,    ///< the session may be used
  MUSTER_SOE_DATA = 2,      ///< a message
  MUSTER_SOE_WRITABLE = 3,  ///< what waited was over the budget, and is at most half of it now
  MUSTER_SOE_CLOSED = 4     ///< the session is over
};

typedef struct muster_soe_event {
  int32_t kind;
  int32_t channel;  ///< MUSTER_SOE_DATA
  int32_t reason;   ///< MUSTER_SOE_CLOSED
  int32_t by_peer;  ///< MUSTER_SOE_CLOSED: 1 if the peer said so
  uint64_t session;
  const uint8_t* data;  ///< MUSTER_SOE_DATA; valid until muster_soe_receive or muster_soe_advance
  size_t data_size;
} muster_soe_event;

/// Takes the next event. In between any function may be called but muster_soe_receive and
/// muster_soe_advance.
/// @param size   sizeof(muster_soe_event)
/// @return 1 if there was one, else 0
MUSTER_C_API int muster_soe_poll_event(muster_soe* soe, muster_soe_event* event, size_t size);

/// A datagram to send.
typedef struct muster_soe_transmit {
  muster_address to;
  const uint8_t* data;  ///< valid until the next call of anything but polls
  size_t data_size;
} muster_soe_transmit;

/// Takes the next datagram. Poll until there is none: some of what is left may count as lost.
/// @param size   sizeof(muster_soe_transmit)
/// @return 1 if there was one, else 0
MUSTER_C_API int muster_soe_poll_transmit(muster_soe* soe, muster_soe_transmit* transmit,
                                          size_t size);

// State.

/// Where a session's peer is; also of a session whose MUSTER_SOE_CLOSED was just polled.
/// @error MUSTER_ERROR_NOT_FOUND   no such session
MUSTER_C_API int muster_soe_remote(const muster_soe* soe, uint64_t session,
                                   muster_address* address);

/// The session of an address.
/// @error MUSTER_ERROR_NOT_FOUND   it has none
MUSTER_C_API int muster_soe_find(const muster_soe* soe, const muster_address* remote,
                                 uint64_t* session);

/// How a session fares.
typedef struct muster_soe_session_stats {
  uint64_t smoothed_rtt_us;  ///< 0: not measured yet
  uint64_t rto_us;
  double loss;      ///< share of datagrams to the peer that got lost, of late
  uint64_t window;  ///< bytes that may be under way
  uint64_t bytes_in_flight;
  uint64_t queued_bytes;  ///< memory held by what waits or is under way
  uint64_t datagrams_received;
  uint64_t datagrams_sent;
  uint64_t bytes_received;
  uint64_t bytes_sent;
  uint64_t packets_sent;  ///< reliable ones, repeated ones included
  uint64_t packets_resent;
  uint64_t packets_lost;
} muster_soe_session_stats;

/// @param size   sizeof(muster_soe_session_stats)
/// @error MUSTER_ERROR_CLOSED   no such session, or it is not open
MUSTER_C_API int muster_soe_stats(const muster_soe* soe, uint64_t session,
                                  muster_soe_session_stats* stats, size_t size);

/// Of all sessions, since the start.
typedef struct muster_soe_totals {
  uint64_t sessions;   ///< now; those that a peer only asked for are in `half_open`
  uint64_t half_open;  ///< now
  uint64_t sessions_opened;
  uint64_t sessions_closed;
  uint64_t messages_received;
  uint64_t messages_sent;
  uint64_t datagrams_received;
  uint64_t datagrams_sent;
  uint64_t datagrams_dropped;  ///< and parts of them; docs/protocol/soe.md has the reasons
} muster_soe_totals;

/// @param size   sizeof(muster_soe_totals)
MUSTER_C_API int muster_soe_total(const muster_soe* soe, muster_soe_totals* totals, size_t size);

#ifdef __cplusplus
}
#endif

#endif
