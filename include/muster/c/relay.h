// SPDX-License-Identifier: MIT
// Rooms in C: a relay for unmodified clients, without a socket.
//
// The application accepts TCP connections, hands in the bytes that they bring and sends those that
// the relay has for them; TLS, if there is any, is between them. HTTP, WebSocket and the relay's
// protocol (docs/protocol/relay.md) are in here. Rooms are created by hosts behind connections, or
// by the application with muster_relay_open_room: then it is the game, and hears of its players.
//
//     id = muster_relay_accept(...)                       // for each accepted socket
//     muster_relay_receive(relay, id, bytes, size, now);  // what a socket had
//     muster_relay_advance(relay, now);
//     while (muster_relay_poll_event(relay, &event, sizeof event) == 1)
//       // MUSTER_RELAY_OUTPUT: muster_relay_output, send(2), muster_relay_sent
//     // and again at muster_relay_next_deadline(relay), or when a socket is ready
//
// A pass that ends with something left to do has a deadline in the past.
#ifndef MUSTER_C_RELAY_H
#define MUSTER_C_RELAY_H

#include <muster/c/abi.h>
#include <muster/c/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Rooms, and the connections that play in them. Where null is passed for one, the answer is
/// MUSTER_ERROR_NULL, if nothing else is said.
typedef struct muster_relay muster_relay;

/// Bounds and times. Begin with muster_relay_config_init, which fills in the defaults. 0 as a limit
/// or a time means none, if not said otherwise.
typedef struct muster_relay_config {
  size_t size;  ///< of this struct as the caller knows it; set by muster_relay_config_init

  uint32_t max_connections;              ///< 1 to 2^30
  uint32_t max_connections_per_address;  ///< 1 to 2^30; IPv6 counts by /64
  uint32_t connections_per_second;       ///< new ones of an address, up to 1000
  uint32_t max_rooms;                    ///< 1 to 10 million
  uint32_t max_rooms_per_address;        ///< held at once, up to 65535
  uint32_t max_host_message;             ///< bytes, 1 KiB to 64 MiB
  uint32_t max_client_message;           ///< bytes, 64 to 64 MiB
  uint32_t client_messages_per_second;   ///< what is above is dropped; whoever goes on is closed
  uint32_t client_bytes_per_second;      ///< the same
  uint32_t state_cache;                  ///< bytes of state kept for late players, up to 64 MiB

  /// Bytes of events that may wait to be polled, from 64 KiB: above it nothing is received.
  uint32_t max_waiting_events;

  uint64_t upgrade_timeout_us;  ///< for the opening handshake
  uint64_t join_timeout_us;     ///< for the first message, 100 ms to 10 min
  uint64_t ping_interval_us;    ///< of silence; 0: nobody is asked
  uint64_t idle_timeout_us;     ///< silence after which a peer is gone; longer than that; 0: never
  uint64_t write_timeout_us;    ///< a peer that takes nothing for so long is closed
  uint64_t close_timeout_us;    ///< for last words
  uint64_t host_grace_us;       ///< how long a room waits for a lost host, up to 1 h
  uint64_t player_grace_us;     ///< how long a lost player keeps its place, up to 24 h
  uint64_t room_idle_us;        ///< a room without a message for so long ends, up to 30 days
} muster_relay_config;

/// @param size   sizeof(muster_relay_config)
MUSTER_C_API int muster_relay_config_init(muster_relay_config* config, size_t size);

/// @param seed           MUSTER_SEED_SIZE bytes; see there
/// @param now_us         the time, as in all calls
/// @param relay          the new handle, for muster_relay_destroy in the end; null if there is none
/// @param problem        gets a sentence about a field that is wrong; may be null
/// @param problem_size   bytes of `problem`; what does not fit is cut
/// @error MUSTER_ERROR_INVALID_CONFIG
/// @error MUSTER_ERROR_BAD_VALUE   the seed is all zero, or the time is too late
MUSTER_C_API int muster_relay_create(const muster_relay_config* config, const uint8_t* seed,
                                     uint64_t now_us, muster_relay** relay, char* problem,
                                     size_t problem_size);

/// Ends everything at once; nobody is told. See muster_relay_drain.
/// @param relay   may be null
MUSTER_C_API void muster_relay_destroy(muster_relay* relay);

/// Serves a game from now on, or serves it by another rule.
/// @param game_id       UTF-8, as clients name it
/// @param max_players   the most in a room, its host included; 0: no limit
MUSTER_C_API int muster_relay_add_game(muster_relay* relay, const char* game_id,
                                       uint16_t max_players);

// Connections.

/// A TCP connection was accepted. Bytes may follow at once.
/// @param remote       the socket's peer
/// @param connection   its id from now on, never 0
/// @error MUSTER_ERROR_LIMIT_REACHED   close the socket: it is not even told why
MUSTER_C_API int muster_relay_accept(muster_relay* relay, const muster_address* remote,
                                     uint64_t now_us, uint64_t* connection);

/// Takes what a socket brought; what a peer must not send ends its connection, and is no error
/// here.
/// @param bytes   not kept, and not changed
/// @error MUSTER_ERROR_CLOSED       MUSTER_RELAY_CLOSE was polled
/// @error MUSTER_ERROR_NOT_POLLED   nothing was taken: poll the events and call it again
MUSTER_C_API int muster_relay_receive(muster_relay* relay, uint64_t connection,
                                      const uint8_t* bytes, size_t size, uint64_t now_us);

/// The peer sends nothing more: recv(2) gave 0. MUSTER_RELAY_CLOSE follows.
/// @error MUSTER_ERROR_CLOSED
MUSTER_C_API int muster_relay_receive_end(muster_relay* relay, uint64_t connection,
                                          uint64_t now_us);

/// The socket broke: a call failed with something else than "try again". MUSTER_RELAY_CLOSE
/// follows.
/// @error MUSTER_ERROR_CLOSED
MUSTER_C_API int muster_relay_lost(muster_relay* relay, uint64_t connection);

/// Looks at what waits for a socket: after MUSTER_RELAY_OUTPUT, and whenever the socket can take
/// more.
/// @param bytes   valid until the next call of anything but polls
/// @param size    0: nothing waits
/// @error MUSTER_ERROR_CLOSED
MUSTER_C_API int muster_relay_output(const muster_relay* relay, uint64_t connection,
                                     const uint8_t** bytes, size_t* size);

/// The socket took so many of those bytes. If it did not take all, wait until it can take more
/// (there is no other event), and look again.
/// @error MUSTER_ERROR_CLOSED
/// @error MUSTER_ERROR_BAD_VALUE   more than there were
MUSTER_C_API int muster_relay_sent(muster_relay* relay, uint64_t connection, size_t size);

/// Does what is due, and makes the output of everything that was said until now.
MUSTER_C_API int muster_relay_advance(muster_relay* relay, uint64_t now_us);

/// When muster_relay_advance has something to do, which may be in the past; MUSTER_NO_DEADLINE: not
/// by itself, and also for null.
MUSTER_C_API uint64_t muster_relay_next_deadline(const muster_relay* relay);

/// Goes away in good order: everybody is told, nobody else gets in. It is done when
/// muster_relay_count says that there is no connection; go on until then.
MUSTER_C_API int muster_relay_drain(muster_relay* relay, uint64_t now_us);

// Events.

/// Something that happened.
enum {
  // Of a connection.
  MUSTER_RELAY_OUTPUT = 1,      ///< bytes wait for the socket, where none did
  MUSTER_RELAY_HALF_CLOSE = 2,  ///< everything was sent: shutdown(SHUT_WR), and go on reading
  MUSTER_RELAY_CLOSE = 3,       ///< close the socket; the connection's id is void

  // Of a room that the application opened. A player is the same one when it comes back.
  MUSTER_RELAY_JOINED = 16,        ///< a player is there; `data` is its name, perhaps empty
  MUSTER_RELAY_BACK = 17,          ///< one came back, without the state; `data` as before
  MUSTER_RELAY_DEPARTED = 18,      ///< one is not there any more; `detail` says why
  MUSTER_RELAY_RPC = 19,           ///< an action of a player; `data` is whatever it sent
  MUSTER_RELAY_STATE_WANTED = 20,  ///< somebody waits for the state: muster_relay_full_update
  MUSTER_RELAY_ROOM_CLOSED = 21    ///< the room is over; its id is void
};

/// Why a player is not there any more.
enum {
  MUSTER_RELAY_AWAY = 0,    ///< its connection is lost; it may come back
  MUSTER_RELAY_LEFT = 1,    ///< it said so, or cannot come back
  MUSTER_RELAY_KICKED = 2,  ///< the application removed it
  MUSTER_RELAY_EXPIRED = 3  ///< it was away for too long; MUSTER_RELAY_AWAY was told before
};

typedef struct muster_relay_event {
  int32_t kind;
  int32_t detail;       ///< MUSTER_RELAY_DEPARTED
  uint64_t connection;  ///< of a connection's events
  uint64_t room;        ///< of a room's events
  uint32_t player;      ///< of a player's events
  uint32_t spectator;   ///< of a player's events: 1 if it only watches
  const uint8_t* data;  ///< valid until the next call of muster_relay_poll_event
  size_t data_size;
} muster_relay_event;

/// Takes the next event. In between any function may be called.
/// @param size   sizeof(muster_relay_event)
/// @return 1 if there was one, else 0
MUSTER_C_API int muster_relay_poll_event(muster_relay* relay, muster_relay_event* event,
                                         size_t size);

// Rooms of the application. What is said leaves with muster_relay_advance.

/// Opens a room. It has to be closed, or ends by `room_idle_us`.
/// @param rule_variation   the game's own affair; players are told
/// @param room             its id from now on, never 0
/// @error MUSTER_ERROR_NOT_FOUND        the game is not served
/// @error MUSTER_ERROR_ALREADY_EXISTS   the name is taken
/// @error MUSTER_ERROR_LIMIT_REACHED    `max_rooms`
/// @error MUSTER_ERROR_TOO_LARGE        an id above 128 bytes
MUSTER_C_API int muster_relay_open_room(muster_relay* relay, const char* game_id,
                                        const char* room_id, uint16_t rule_variation,
                                        uint64_t now_us, uint64_t* room);

// All of these have in common:
// @error MUSTER_ERROR_CLOSED      no such room, or it is over
// @error MUSTER_ERROR_TOO_LARGE   as much as `max_host_message`

/// Changes the state of everybody who has it.
MUSTER_C_API int muster_relay_delta(muster_relay* relay, uint64_t room, const uint8_t* changes,
                                    size_t size);

/// Gives the state to those who wait for it, and to nobody else, all deltas so far included: the
/// answer to MUSTER_RELAY_STATE_WANTED.
MUSTER_C_API int muster_relay_full_update(muster_relay* relay, uint64_t room, const uint8_t* state,
                                          size_t size);

/// Gives everybody a new state.
MUSTER_C_API int muster_relay_reset(muster_relay* relay, uint64_t room, const uint8_t* state,
                                    size_t size);

/// Sends a message to some players who understand TARGETED; others are passed over.
/// @param all_but   1: to everybody but those named
MUSTER_C_API int muster_relay_send_to(muster_relay* relay, uint64_t room, const uint16_t* players,
                                      size_t player_count, int all_but, const uint8_t* payload,
                                      size_t size);

/// Removes a player; it does not come back with its token.
/// @error MUSTER_ERROR_NOT_FOUND   nobody of that number is in the room
MUSTER_C_API int muster_relay_kick(muster_relay* relay, uint64_t room, uint32_t player);

/// Whether newcomers are admitted; at first they are. Who comes back always is.
MUSTER_C_API int muster_relay_set_open(muster_relay* relay, uint64_t room, int is_open);

/// Ends the room for everybody; MUSTER_RELAY_ROOM_CLOSED follows.
MUSTER_C_API int muster_relay_close_room(muster_relay* relay, uint64_t room);

// State.

typedef struct muster_relay_counts {
  uint64_t connections;  ///< whose MUSTER_RELAY_CLOSE was not polled yet
  uint64_t rooms;
  uint64_t members;              ///< hosts and players of all rooms, absent ones too
  uint64_t present;              ///< those of them that have a connection
  uint64_t connections_begun;    ///< since the start
  uint64_t connections_refused;  ///< since the start: by caps and rates
  uint64_t messages_received;    ///< since the start
  uint64_t protocol_errors;      ///< since the start: connections that broke the rules of WebSocket
} muster_relay_counts;

/// @param size   sizeof(muster_relay_counts)
MUSTER_C_API int muster_relay_count(const muster_relay* relay, muster_relay_counts* counts,
                                    size_t size);

#ifdef __cplusplus
}
#endif

#endif
