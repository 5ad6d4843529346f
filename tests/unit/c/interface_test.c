// SPDX-License-Identifier: MIT
// The C interface from C: each function does what its header says, and says what is misused.
#include <muster/c/abi.h>
#include <muster/c/error.h>
#include <muster/c/relay.h>
#include <muster/c/soe.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition) ((condition) ? (void)0 : fail(__LINE__, #condition))

static void fail(int line, const char* what) {
  fprintf(stderr, "line %d: not so: %s\n", line, what);
  exit(1);
}

static const uint8_t seed[MUSTER_SEED_SIZE] = {1, 2, 3};
static uint64_t now = 1000;

static const uint8_t* bytes_of(const char* text) { return (const uint8_t*)text; }

static muster_address address_of(const char* ip, uint16_t port) {
  muster_address address;
  CHECK(muster_address_parse(ip, port, &address) == MUSTER_OK);
  return address;
}

// --- what all share
// -------------------------------------------------------------------------------

static void versions_and_errors(void) {
  CHECK(muster_c_version() == MUSTER_C_VERSION);
  CHECK(strchr(muster_release(), '.') != NULL);
  CHECK(strcmp(muster_error_text(MUSTER_OK), "no error") == 0);
  for (int code = -200; code < 2; ++code) CHECK(strlen(muster_error_text(code)) > 3);
  CHECK(strcmp(muster_error_text(1), muster_error_text(-99)) == 0);
  CHECK(strcmp(muster_error_text(MUSTER_ERROR_CLOSED), muster_error_text(-99)) != 0);
}

static void addresses(void) {
  char text[MUSTER_ADDRESS_TEXT_SIZE];
  muster_address address = address_of("192.0.2.1", 80);
  CHECK(address.ip[10] == 255 && address.ip[11] == 255 && address.ip[12] == 192);
  CHECK(muster_address_text(&address, text, sizeof text) == MUSTER_OK);
  CHECK(strcmp(text, "192.0.2.1:80") == 0);
  CHECK(muster_address_text(&address, text, 13) == MUSTER_OK);
  CHECK(muster_address_text(&address, text, 12) == MUSTER_ERROR_TOO_LARGE);
  address = address_of("2001:db8::1", 65535);
  CHECK(muster_address_text(&address, text, sizeof text) == MUSTER_OK);
  CHECK(strcmp(text, "[2001:db8::1]:65535") == 0);
  CHECK(muster_address_parse("192.0.2", 1, &address) == MUSTER_ERROR_BAD_VALUE);
  CHECK(muster_address_parse(NULL, 1, &address) == MUSTER_ERROR_NULL);
  CHECK(muster_address_parse("::1", 1, NULL) == MUSTER_ERROR_NULL);
  CHECK(muster_address_text(&address, NULL, 5) == MUSTER_ERROR_NULL);
}

// --- SOE
// ------------------------------------------------------------------------------------------

// One end of a link, and what it heard last.
typedef struct end {
  muster_soe* soe;
  muster_address at;
  int heard[5];  // by kind
  muster_soe_event last;
  uint8_t data[64];
} end;

static end make_end(const char* ip, const char* protocol, uint64_t send_budget) {
  end made;
  memset(&made, 0, sizeof made);
  made.at = address_of(ip, 20260);
  muster_soe_config config;
  CHECK(muster_soe_config_init(&config, sizeof config) == MUSTER_OK);
  CHECK(config.udp_length == 512 && config.max_sessions > 0 && config.protocol == NULL);
  config.protocol = protocol;
  config.send_budget = send_budget;
  char problem[64] = "?";
  CHECK(muster_soe_create(&config, seed, now, &made.soe, problem, sizeof problem) == MUSTER_OK);
  CHECK(problem[0] == '\0');
  return made;
}

static void hear(end* who) {
  muster_soe_event event;
  while (muster_soe_poll_event(who->soe, &event, sizeof event) == 1) {
    CHECK(event.kind >= MUSTER_SOE_OPENED && event.kind <= MUSTER_SOE_CLOSED);
    ++who->heard[event.kind];
    who->last = event;
    if (event.data_size != 0 && event.data_size <= sizeof who->data) {
      memcpy(who->data, event.data, event.data_size);
    }
  }
}

static void deliver(end* from, end* to) {
  muster_soe_transmit out;
  while (muster_soe_poll_transmit(from->soe, &out, sizeof out) == 1) {
    CHECK(memcmp(&out.to, &to->at, sizeof out.to) == 0);
    CHECK(muster_soe_receive(to->soe, &from->at, out.data, out.data_size, now) == MUSTER_OK);
    hear(to);
  }
}

static void run(end* one, end* other, int milliseconds) {
  for (int i = 0; i < milliseconds; ++i) {
    now += 1000;
    CHECK(muster_soe_advance(one->soe, now) == MUSTER_OK);
    CHECK(muster_soe_advance(other->soe, now) == MUSTER_OK);
    hear(one);
    hear(other);
    deliver(one, other);
    deliver(other, one);
  }
}

static void talk(void) {
  end client = make_end("192.0.2.1", NULL, 65536);
  end server = make_end("2001:db8::2", "chat", 65536);
  uint64_t session = 0;
  CHECK(muster_soe_next_deadline(client.soe) == MUSTER_NO_DEADLINE);
  CHECK(muster_soe_connect(client.soe, &server.at, "chat", now, &session) == MUSTER_OK);
  CHECK(session != 0);
  CHECK(muster_soe_next_deadline(client.soe) != MUSTER_NO_DEADLINE);
  CHECK(muster_soe_enqueue(client.soe, session, 0, bytes_of("x"), 1) == MUSTER_ERROR_CLOSED);
  muster_soe_session_stats stats;
  CHECK(muster_soe_stats(client.soe, session, &stats, sizeof stats) == MUSTER_ERROR_CLOSED);
  uint64_t other = 0;
  CHECK(muster_soe_connect(client.soe, &server.at, "chat", now, &other) ==
        MUSTER_ERROR_ALREADY_EXISTS);
  run(&client, &server, 20);
  CHECK(client.heard[MUSTER_SOE_OPENED] == 1);

  for (int channel = MUSTER_SOE_RELIABLE_0; channel <= MUSTER_SOE_ORDERED; ++channel) {
    CHECK(muster_soe_enqueue(client.soe, session, channel, bytes_of("hello"), 5) == MUSTER_OK);
    run(&client, &server, 20);
    CHECK(server.heard[MUSTER_SOE_DATA] == channel + 1);
    CHECK(server.last.channel == channel);
    CHECK(server.last.data_size == 5 && memcmp(server.data, "hello", 5) == 0);
  }
  CHECK(server.heard[MUSTER_SOE_OPENED] == 1);
  const uint64_t there = server.last.session;
  CHECK(muster_soe_enqueue(client.soe, session, 6, bytes_of("x"), 1) == MUSTER_ERROR_BAD_VALUE);
  CHECK(muster_soe_enqueue(client.soe, session, -1, bytes_of("x"), 1) == MUSTER_ERROR_BAD_VALUE);
  CHECK(muster_soe_enqueue(client.soe, session, 0, NULL, 1) == MUSTER_ERROR_NULL);
  CHECK(muster_soe_enqueue(client.soe, session, 0, NULL, 0) == MUSTER_OK);
  CHECK(muster_soe_enqueue(client.soe, session + 1, 0, bytes_of("x"), 1) == MUSTER_ERROR_CLOSED);

  muster_address at;
  CHECK(muster_soe_remote(server.soe, there, &at) == MUSTER_OK);
  CHECK(memcmp(&at, &client.at, sizeof at) == 0);
  CHECK(muster_soe_remote(server.soe, there + 1, &at) == MUSTER_ERROR_NOT_FOUND);
  CHECK(muster_soe_find(server.soe, &client.at, &other) == MUSTER_OK && other == there);
  CHECK(muster_soe_find(server.soe, &server.at, &other) == MUSTER_ERROR_NOT_FOUND);

  // Both ends change the key between two messages.
  CHECK(muster_soe_set_encryption(client.soe, session, 1, bytes_of("key"), 3) == MUSTER_OK);
  CHECK(muster_soe_set_encryption(server.soe, there, 1, bytes_of("key"), 3) == MUSTER_OK);
  CHECK(muster_soe_enqueue(client.soe, session, 0, bytes_of("secret"), 6) == MUSTER_OK);
  run(&client, &server, 20);
  CHECK(server.last.data_size == 6 && memcmp(server.data, "secret", 6) == 0);
  static uint8_t large[257 * 1024];
  CHECK(muster_soe_set_encryption(client.soe, session, 1, large, 257) == MUSTER_ERROR_BAD_VALUE);
  CHECK(muster_soe_set_encryption(client.soe, 7, 1, large, 1) == MUSTER_ERROR_NOT_FOUND);

  // Backpressure.
  CHECK(muster_soe_enqueue(client.soe, session, 1, large, sizeof large) == MUSTER_ERROR_TOO_LARGE);
  int queued = 0;
  int status = MUSTER_OK;
  while ((status = muster_soe_enqueue(client.soe, session, 1, large, 1000)) == MUSTER_OK) ++queued;
  CHECK(status == MUSTER_ERROR_OVER_BUDGET && queued > 10 && queued < 100);
  CHECK(client.heard[MUSTER_SOE_WRITABLE] == 0);
  const int before = server.heard[MUSTER_SOE_DATA];
  run(&client, &server, 500);
  CHECK(client.heard[MUSTER_SOE_WRITABLE] == 1);
  CHECK(server.heard[MUSTER_SOE_DATA] == before + queued);

  CHECK(muster_soe_stats(client.soe, session, &stats, sizeof stats) == MUSTER_OK);
  CHECK(stats.datagrams_sent > 10 && stats.packets_sent >= (uint64_t)queued);
  CHECK(stats.packets_lost == 0 && stats.loss < 0.5 && stats.rto_us > 0);
  muster_soe_totals totals;
  CHECK(muster_soe_total(server.soe, &totals, sizeof totals) == MUSTER_OK);
  CHECK(totals.sessions == 1 && totals.sessions_opened == 1 && totals.messages_received > 0);

  // Events that were not polled come first; the datagram was not for anybody.
  CHECK(muster_soe_enqueue(client.soe, session, 0, bytes_of("last"), 4) == MUSTER_OK);
  CHECK(muster_soe_advance(client.soe, now) == MUSTER_OK);
  muster_soe_transmit out;
  CHECK(muster_soe_poll_transmit(client.soe, &out, sizeof out) == 1);
  CHECK(muster_soe_receive(server.soe, &client.at, out.data, out.data_size, now) == MUSTER_OK);
  CHECK(muster_soe_receive(server.soe, &client.at, large, 9, now) == MUSTER_ERROR_NOT_POLLED);
  hear(&server);
  CHECK(server.last.kind == MUSTER_SOE_DATA && memcmp(server.data, "last", 4) == 0);

  CHECK(muster_soe_close(client.soe, session, 17, now) == MUSTER_ERROR_BAD_VALUE);
  CHECK(muster_soe_close(client.soe, session, MUSTER_SOE_REASON_APPLICATION, now) == MUSTER_OK);
  run(&client, &server, 100);
  CHECK(client.heard[MUSTER_SOE_CLOSED] == 1 && client.last.by_peer == 0);
  CHECK(server.heard[MUSTER_SOE_CLOSED] == 1 && server.last.by_peer == 1);
  CHECK(strcmp(muster_soe_reason_text(server.last.reason), "application") == 0);
  CHECK(strcmp(muster_soe_reason_text(-1), "unknown") == 0);
  CHECK(strcmp(muster_soe_reason_text(99), "unknown") == 0);
  CHECK(muster_soe_terminate(client.soe, session, 0, now) == MUSTER_ERROR_NOT_FOUND);
  CHECK(muster_soe_enqueue(client.soe, session, 0, bytes_of("x"), 1) == MUSTER_ERROR_CLOSED);

  CHECK(muster_soe_connect(client.soe, &server.at, "chat", now, &session) == MUSTER_OK);
  run(&client, &server, 20);
  CHECK(muster_soe_terminate(client.soe, session, MUSTER_SOE_REASON_TIMEOUT, now) == MUSTER_OK);
  hear(&client);
  CHECK(client.last.kind == MUSTER_SOE_CLOSED && client.last.reason == MUSTER_SOE_REASON_TIMEOUT);
  muster_soe_destroy(client.soe);
  muster_soe_destroy(server.soe);
}

static void soe_misuse(void) {
  muster_soe_config config;
  CHECK(muster_soe_config_init(NULL, sizeof config) == MUSTER_ERROR_NULL);
  CHECK(muster_soe_config_init(&config, 3) == MUSTER_ERROR_BAD_VALUE);
  CHECK(muster_soe_config_init_own_ends(&config, sizeof config, 1400) == MUSTER_OK);
  CHECK(config.udp_length == 1400 && config.bundles == 1 && config.crc_length == 4);

  muster_soe* soe = (muster_soe*)&config;
  char problem[8];
  config.udp_length = 1;
  CHECK(muster_soe_create(&config, seed, now, &soe, problem, sizeof problem) ==
        MUSTER_ERROR_INVALID_CONFIG);
  CHECK(soe == NULL && strlen(problem) == 7);
  CHECK(muster_soe_create(&config, seed, now, &soe, NULL, 0) == MUSTER_ERROR_INVALID_CONFIG);
  CHECK(muster_soe_create(&config, seed, now, NULL, NULL, 0) == MUSTER_ERROR_NULL);
  CHECK(muster_soe_create(NULL, seed, now, &soe, NULL, 0) == MUSTER_ERROR_NULL);
  config.udp_length = 512;
  config.close_timeout_us = UINT64_MAX;
  CHECK(muster_soe_create(&config, seed, now, &soe, NULL, 0) == MUSTER_ERROR_INVALID_CONFIG);
  CHECK(muster_soe_config_init(&config, sizeof config) == MUSTER_OK);
  static const uint8_t forgotten[MUSTER_SEED_SIZE];
  CHECK(muster_soe_create(&config, forgotten, now, &soe, NULL, 0) == MUSTER_ERROR_BAD_VALUE);
  CHECK(muster_soe_create(&config, NULL, now, &soe, NULL, 0) == MUSTER_ERROR_NULL);
  CHECK(muster_soe_create(&config, seed, MUSTER_MAX_TIME + 1, &soe, NULL, 0) ==
        MUSTER_ERROR_BAD_VALUE);
  config.size = 0;
  CHECK(muster_soe_create(&config, seed, now, &soe, NULL, 0) == MUSTER_ERROR_INVALID_CONFIG);

  // A caller with a smaller struct, and one with a larger: of a newer version.
  CHECK(muster_soe_config_init(&config, offsetof(muster_soe_config, max_message)) == MUSTER_OK);
  config.max_message = 0;  // not the caller's to say
  CHECK(muster_soe_create(&config, seed, now, &soe, NULL, 0) == MUSTER_OK);
  muster_soe_destroy(soe);
  struct {
    muster_soe_config known;
    uint64_t unknown;
  } larger;
  larger.unknown = 7;
  CHECK(muster_soe_config_init(&larger.known, sizeof larger) == MUSTER_OK);
  CHECK(larger.unknown == 0);
  larger.unknown = 7;
  CHECK(muster_soe_create(&larger.known, seed, now, &soe, NULL, 0) == MUSTER_ERROR_INVALID_CONFIG);
  larger.unknown = 0;
  CHECK(muster_soe_create(&larger.known, seed, now, &soe, NULL, 0) == MUSTER_OK);

  static const uint8_t datagram[65536];
  const muster_address at = address_of("192.0.2.9", 9);
  int32_t kind = 5;
  uint64_t session = 0;
  CHECK(muster_soe_receive(soe, &at, datagram, sizeof datagram, now) == MUSTER_ERROR_TOO_LARGE);
  CHECK(muster_soe_receive(soe, &at, datagram, 65535, now) == MUSTER_OK);
  CHECK(muster_soe_receive(soe, &at, NULL, 0, now) == MUSTER_OK);
  CHECK(muster_soe_receive(soe, &at, NULL, 1, now) == MUSTER_ERROR_NULL);
  CHECK(muster_soe_receive(soe, NULL, datagram, 1, now) == MUSTER_ERROR_NULL);
  CHECK(muster_soe_receive(soe, &at, datagram, 1, UINT64_MAX) == MUSTER_ERROR_BAD_VALUE);
  CHECK(muster_soe_poll_event(soe, NULL, 4) == MUSTER_ERROR_NULL);
  CHECK(muster_soe_poll_event(soe, (muster_soe_event*)&kind, 0) == MUSTER_ERROR_BAD_VALUE);
  CHECK(muster_soe_poll_event(soe, (muster_soe_event*)&kind, sizeof kind) == 0 && kind == 5);
  CHECK(muster_soe_connect(soe, &at, "a name that has more than 32 bytes", now, &session) ==
        MUSTER_ERROR_BAD_VALUE);
  CHECK(muster_soe_advance(soe, 5) == MUSTER_OK);  // a time that has passed counts as now
  muster_soe_destroy(soe);

  CHECK(muster_soe_receive(NULL, &at, datagram, 1, now) == MUSTER_ERROR_NULL);
  CHECK(muster_soe_connect(NULL, &at, "a", now, &session) == MUSTER_ERROR_NULL);
  CHECK(muster_soe_enqueue(NULL, 1, 0, datagram, 1) == MUSTER_ERROR_NULL);
  CHECK(muster_soe_set_encryption(NULL, 1, 1, datagram, 1) == MUSTER_ERROR_NULL);
  CHECK(muster_soe_close(NULL, 1, 0, now) == MUSTER_ERROR_NULL);
  CHECK(muster_soe_terminate(NULL, 1, 0, now) == MUSTER_ERROR_NULL);
  CHECK(muster_soe_advance(NULL, now) == MUSTER_ERROR_NULL);
  CHECK(muster_soe_next_deadline(NULL) == MUSTER_NO_DEADLINE);
  CHECK(muster_soe_poll_event(NULL, (muster_soe_event*)&kind, 4) == MUSTER_ERROR_NULL);
  muster_soe_transmit out;
  CHECK(muster_soe_poll_transmit(NULL, &out, sizeof out) == MUSTER_ERROR_NULL);
  muster_address remote;
  CHECK(muster_soe_remote(NULL, 1, &remote) == MUSTER_ERROR_NULL);
  CHECK(muster_soe_find(NULL, &at, &session) == MUSTER_ERROR_NULL);
  muster_soe_session_stats stats;
  CHECK(muster_soe_stats(NULL, 1, &stats, sizeof stats) == MUSTER_ERROR_NULL);
  muster_soe_totals totals;
  CHECK(muster_soe_total(NULL, &totals, sizeof totals) == MUSTER_ERROR_NULL);
  muster_soe_destroy(NULL);
}

// --- the relay
// ------------------------------------------------------------------------------------

// A socket, and what the relay has sent on it.
typedef struct link {
  uint64_t id;
  uint8_t sent[4096];
  size_t size;
  int is_stuck;  // takes nothing
  int is_finished;
  int is_closed;
} link;

static muster_relay* relay;
static link links[6];
static muster_relay_event room_events[16];
static uint8_t room_data[16][16];
static int room_event_count;

static link* link_of(uint64_t id) {
  for (size_t i = 0; i < sizeof links / sizeof links[0]; ++i) {
    if (links[i].id == id) return &links[i];
  }
  CHECK(!"an event of a link that is there");
  return NULL;
}

static void take_output(link* to) {
  if (to->is_stuck) return;
  const uint8_t* bytes = NULL;
  size_t size = 0;
  CHECK(muster_relay_output(relay, to->id, &bytes, &size) == MUSTER_OK && size > 0);
  CHECK(muster_relay_sent(relay, to->id, size + 1) == MUSTER_ERROR_BAD_VALUE);
  // The socket takes one byte, and then all the rest.
  to->sent[to->size++] = bytes[0];
  CHECK(muster_relay_sent(relay, to->id, 1) == MUSTER_OK);
  CHECK(muster_relay_output(relay, to->id, &bytes, &size) == MUSTER_OK);
  CHECK(to->size + size <= sizeof to->sent);
  memcpy(to->sent + to->size, bytes, size);
  to->size += size;
  CHECK(muster_relay_sent(relay, to->id, size) == MUSTER_OK);
  CHECK(muster_relay_output(relay, to->id, &bytes, &size) == MUSTER_OK && size == 0);
}

static void pass(void) {
  now += 1000;
  do {
    CHECK(muster_relay_advance(relay, now) == MUSTER_OK);
    muster_relay_event event;
    while (muster_relay_poll_event(relay, &event, sizeof event) == 1) {
      if (event.kind == MUSTER_RELAY_OUTPUT) {
        take_output(link_of(event.connection));
      } else if (event.kind == MUSTER_RELAY_HALF_CLOSE) {
        link_of(event.connection)->is_finished = 1;
      } else if (event.kind == MUSTER_RELAY_CLOSE) {
        link_of(event.connection)->is_closed = 1;
      } else {
        CHECK(room_event_count < 16 && event.data_size <= sizeof room_data[0]);
        if (event.data_size != 0) memcpy(room_data[room_event_count], event.data, event.data_size);
        room_events[room_event_count++] = event;
      }
    }
  } while (muster_relay_next_deadline(relay) <= now);
}

static muster_relay_event* next_room_event(void) {
  static int taken;
  CHECK(taken < room_event_count);
  return &room_events[taken++];
}

static void feed(link* from, const uint8_t* bytes, size_t size) {
  CHECK(muster_relay_receive(relay, from->id, bytes, size, now) == MUSTER_OK);
  pass();
}

static void feed_message(link* from, const char* message, size_t size) {
  uint8_t frame[131] = {0x82};  // binary, and a mask of zero
  CHECK(size < 126);
  frame[1] = (uint8_t)(0x80 | size);
  memcpy(frame + 6, message, size);
  feed(from, frame, size + 6);
}

static void open_link(link* opened) {
  static const char request[] =
      "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  const muster_address at = address_of("192.0.2.7", 7);
  memset(opened, 0, sizeof *opened);
  CHECK(muster_relay_accept(relay, &at, now, &opened->id) == MUSTER_OK && opened->id != 0);
  feed(opened, bytes_of(request), sizeof request - 1);
  CHECK(opened->size > 12 && memcmp(opened->sent, "HTTP/1.1 101", 12) == 0);
  opened->size = 0;
}

// Everything that was sent since the last time.
static int got(link* at, const char* bytes, size_t size) {
  const int is_same = at->size == size && memcmp(at->sent, bytes, size) == 0;
  at->size = 0;
  return is_same;
}

static const char join_request[] = "\5chess\1r\0\0\0";

static void play(void) {
  muster_relay_config config;
  CHECK(muster_relay_config_init(&config, sizeof config) == MUSTER_OK);
  CHECK(config.max_rooms > 0 && config.idle_timeout_us > config.ping_interval_us);
  CHECK(muster_relay_create(&config, seed, now, &relay, NULL, 0) == MUSTER_OK);
  uint64_t room = 0;
  CHECK(muster_relay_open_room(relay, "chess", "r", 7, now, &room) == MUSTER_ERROR_NOT_FOUND);
  CHECK(muster_relay_add_game(relay, "chess", 4) == MUSTER_OK);
  CHECK(muster_relay_open_room(relay, "chess", "r", 7, now, &room) == MUSTER_OK && room != 0);
  uint64_t other = 0;
  CHECK(muster_relay_open_room(relay, "chess", "r", 7, now, &other) == MUSTER_ERROR_ALREADY_EXISTS);

  link* const one = &links[0];
  open_link(one);
  feed_message(one, join_request, sizeof join_request - 1);
  CHECK(one->size == 15 && memcmp(one->sent, "\x82\x0d\6\0\1\0\7", 7) == 0);
  one->size = 0;
  const muster_relay_event* event = next_room_event();
  CHECK(event->kind == MUSTER_RELAY_JOINED && event->player == 1 && event->room == room);
  CHECK(event->spectator == 0 && event->data_size == 0);
  CHECK(next_room_event()->kind == MUSTER_RELAY_STATE_WANTED);
  CHECK(muster_relay_full_update(relay, room, bytes_of("S"), 1) == MUSTER_OK);
  CHECK(muster_relay_delta(relay, room, bytes_of("d"), 1) == MUSTER_OK);
  CHECK(muster_relay_next_deadline(relay) <= now);
  pass();
  CHECK(got(one, "\x82\2\3S\x82\2\2d", 8));
  CHECK(muster_relay_reset(relay, room, bytes_of("R"), 1) == MUSTER_OK);
  const uint16_t to[] = {1, 99};
  CHECK(muster_relay_send_to(relay, room, to, 2, 0, bytes_of("T"), 1) == MUSTER_OK);
  pass();
  CHECK(got(one, "\x82\2\4R", 4));  // it did not say that it understands TARGETED
  feed_message(one, "\2move", 5);
  event = next_room_event();
  CHECK(event->kind == MUSTER_RELAY_RPC && event->player == 1 && event->data_size == 4);
  CHECK(memcmp(room_data[event - room_events], "move", 4) == 0);

  // A closed door, and one who only knocks.
  CHECK(muster_relay_set_open(relay, room, 0) == MUSTER_OK);
  open_link(&links[1]);
  feed_message(&links[1], join_request, sizeof join_request - 1);
  CHECK(links[1].size > 3 && links[1].sent[2] == 5 && !links[1].is_closed);
  CHECK(muster_relay_receive_end(relay, links[1].id, now) == MUSTER_OK);
  pass();
  CHECK(links[1].is_closed);
  const uint8_t* bytes = NULL;
  size_t size = 0;
  CHECK(muster_relay_receive(relay, links[1].id, bytes_of("x"), 1, now) == MUSTER_ERROR_CLOSED);
  CHECK(muster_relay_receive_end(relay, links[1].id, now) == MUSTER_ERROR_CLOSED);
  CHECK(muster_relay_output(relay, links[1].id, &bytes, &size) == MUSTER_ERROR_CLOSED);
  CHECK(muster_relay_sent(relay, links[1].id, 0) == MUSTER_ERROR_CLOSED);
  CHECK(muster_relay_lost(relay, links[1].id) == MUSTER_ERROR_CLOSED);

  // Somebody who breaks off comes back, and is removed.
  CHECK(muster_relay_set_open(relay, room, 1) == MUSTER_OK);
  open_link(&links[2]);
  feed_message(&links[2], join_request, sizeof join_request - 1);
  event = next_room_event();
  CHECK(event->kind == MUSTER_RELAY_JOINED && event->player == 2);
  CHECK(next_room_event()->kind == MUSTER_RELAY_STATE_WANTED);
  uint8_t back[32];
  size_t back_size = sizeof join_request - 2;
  memcpy(back, join_request, back_size);
  back[back_size++] = 1;
  uint64_t token = 0;
  for (int i = 0; i < 8; ++i) token = token << 8 | links[2].sent[7 + i];
  for (; token > 127; token >>= 7) back[back_size++] = (uint8_t)(token | 128);
  back[back_size++] = (uint8_t)token;
  CHECK(muster_relay_lost(relay, links[2].id) == MUSTER_OK);
  pass();
  CHECK(links[2].is_closed);
  event = next_room_event();
  CHECK(event->kind == MUSTER_RELAY_DEPARTED && event->detail == MUSTER_RELAY_AWAY);
  open_link(&links[3]);
  feed_message(&links[3], (const char*)back, back_size);
  event = next_room_event();
  CHECK(event->kind == MUSTER_RELAY_BACK && event->player == 2);
  CHECK(next_room_event()->kind == MUSTER_RELAY_STATE_WANTED);
  CHECK(muster_relay_kick(relay, room, 2) == MUSTER_OK);
  CHECK(muster_relay_kick(relay, room, 2) == MUSTER_ERROR_NOT_FOUND);
  CHECK(muster_relay_kick(relay, room, 65538) == MUSTER_ERROR_NOT_FOUND);
  pass();
  event = next_room_event();
  CHECK(event->kind == MUSTER_RELAY_DEPARTED && event->detail == MUSTER_RELAY_KICKED);

  muster_relay_counts counts;
  CHECK(muster_relay_count(relay, &counts, sizeof counts) == MUSTER_OK);
  CHECK(counts.rooms == 1 && counts.members == 1 && counts.present == 1);
  CHECK(counts.connections_begun == 4 && counts.protocol_errors == 0);

  // A peer that closes gets an answer before its socket is closed, and one that takes nothing does
  // not keep its place for good.
  static const uint8_t close_frame[] = {0x88, 0x82, 0, 0, 0, 0, 3, 0xe8};
  open_link(&links[4]);
  feed(&links[4], close_frame, sizeof close_frame);
  CHECK(got(&links[4], "\x88\2\3\xe8", 4));
  CHECK(links[4].is_closed);
  // Plain HTTP is answered, and then nothing more is sent.
  static const char plain_request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const muster_address elsewhere = address_of("2001:db8::7", 7);
  CHECK(muster_relay_accept(relay, &elsewhere, now, &links[5].id) == MUSTER_OK);
  feed(&links[5], bytes_of(plain_request), sizeof plain_request - 1);
  CHECK(links[5].size > 12 && memcmp(links[5].sent, "HTTP/1.1 404", 12) == 0);
  CHECK(links[5].is_finished && !links[5].is_closed);
  CHECK(muster_relay_receive_end(relay, links[5].id, now) == MUSTER_OK);
  pass();
  CHECK(links[5].is_closed);

  open_link(&links[5]);
  links[5].is_stuck = 1;
  feed(&links[5], close_frame, sizeof close_frame);
  CHECK(!links[5].is_closed);
  CHECK(muster_relay_receive_end(relay, links[5].id, now) == MUSTER_OK);
  pass();
  CHECK(!links[5].is_closed);
  for (int i = 0; i < 4100; ++i) pass();
  CHECK(links[5].is_closed && links[5].size == 0);

  static const uint8_t large[1024 * 1024];
  CHECK(muster_relay_delta(relay, room, large, sizeof large) == MUSTER_ERROR_TOO_LARGE);
  CHECK(muster_relay_full_update(relay, room, large, sizeof large) == MUSTER_ERROR_TOO_LARGE);
  CHECK(muster_relay_reset(relay, room, large, sizeof large) == MUSTER_ERROR_TOO_LARGE);
  CHECK(muster_relay_send_to(relay, room, to, 1, 0, large, sizeof large) == MUSTER_ERROR_TOO_LARGE);
  CHECK(muster_relay_send_to(relay, room, to, 70000, 0, large, 1) == MUSTER_ERROR_TOO_LARGE);
  CHECK(muster_relay_delta(relay, room, NULL, 1) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_send_to(relay, room, NULL, 1, 0, large, 1) == MUSTER_ERROR_NULL);

  CHECK(muster_relay_close_room(relay, room) == MUSTER_OK);
  CHECK(muster_relay_delta(relay, room, large, 1) == MUSTER_ERROR_CLOSED);
  pass();
  int is_told = 0;
  while (!is_told) is_told = next_room_event()->kind == MUSTER_RELAY_ROOM_CLOSED;
  CHECK(muster_relay_delta(relay, room, large, 1) == MUSTER_ERROR_CLOSED);
  CHECK(muster_relay_close_room(relay, room) == MUSTER_ERROR_CLOSED);
  CHECK(one->size > 4 && memcmp(one->sent + 2, "\5", 1) == 0);

  CHECK(muster_relay_drain(relay, now) == MUSTER_OK);
  for (int i = 0; i < 3000; ++i) pass();  // nobody answers the close: the deadline does
  CHECK(muster_relay_count(relay, &counts, sizeof counts) == MUSTER_OK);
  CHECK(counts.connections == 0 && one->is_closed && links[3].is_closed);
  muster_relay_destroy(relay);
}

static void relay_misuse(void) {
  muster_relay_config config;
  CHECK(muster_relay_config_init(NULL, sizeof config) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_config_init(&config, 1) == MUSTER_ERROR_BAD_VALUE);
  CHECK(muster_relay_config_init(&config, sizeof config) == MUSTER_OK);
  char problem[128];
  config.max_waiting_events = 1;
  CHECK(muster_relay_create(&config, seed, now, &relay, problem, sizeof problem) ==
        MUSTER_ERROR_INVALID_CONFIG);
  CHECK(relay == NULL && strstr(problem, "max_waiting_events") != NULL);
  config.max_waiting_events = 65536;
  config.max_rooms = 0;
  CHECK(muster_relay_create(&config, seed, now, &relay, problem, sizeof problem) ==
        MUSTER_ERROR_INVALID_CONFIG);
  CHECK(strstr(problem, "max_rooms") != NULL);
  config.max_rooms = 1;
  config.client_messages_per_second = config.client_bytes_per_second = 0;
  config.max_connections = 1;
  CHECK(muster_relay_create(&config, seed, now, NULL, NULL, 0) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_create(&config, NULL, now, &relay, NULL, 0) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_create(&config, seed, now, &relay, problem, sizeof problem) == MUSTER_OK);
  CHECK(problem[0] == '\0');

  const muster_address at = address_of("192.0.2.7", 7);
  uint64_t id = 0;
  CHECK(muster_relay_accept(relay, NULL, now, &id) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_accept(relay, &at, now, NULL) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_add_game(relay, NULL, 1) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_add_game(relay, "chess", 0) == MUSTER_OK);
  uint64_t room = 0;
  CHECK(muster_relay_open_room(relay, "chess", "r", 0, now, &room) == MUSTER_OK);
  uint64_t other = 0;
  CHECK(muster_relay_open_room(relay, "chess", "s", 0, now, &other) == MUSTER_ERROR_LIMIT_REACHED);

  // Events that nobody polls are bounded: at some point nothing more is taken.
  open_link(&links[0]);
  CHECK(muster_relay_accept(relay, &at, now, &id) == MUSTER_ERROR_LIMIT_REACHED);
  feed_message(&links[0], join_request, sizeof join_request - 1);
  static const uint8_t rpc[] = {0x82, 0x82, 0, 0, 0, 0, 2, 'x'};
  int taken = 0;
  int status = MUSTER_OK;
  while (taken < 5000 && status == MUSTER_OK) {
    status = muster_relay_receive(relay, links[0].id, rpc, sizeof rpc, now);
    ++taken;
  }
  CHECK(status == MUSTER_ERROR_NOT_POLLED && taken > 100 && taken < 2000);
  muster_relay_event event;
  while (muster_relay_poll_event(relay, &event, sizeof event) == 1) {
  }
  CHECK(muster_relay_receive(relay, links[0].id, rpc, sizeof rpc, now) == MUSTER_OK);
  CHECK(muster_relay_receive(relay, links[0].id, NULL, 1, now) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_receive(relay, 0, rpc, 1, now) == MUSTER_ERROR_CLOSED);
  CHECK(muster_relay_receive(relay, UINT64_MAX, rpc, 1, now) == MUSTER_ERROR_CLOSED);
  CHECK(muster_relay_poll_event(relay, NULL, 1) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_poll_event(relay, &event, 0) == MUSTER_ERROR_BAD_VALUE);
  muster_relay_destroy(relay);  // with a connection, a room and an event

  const uint8_t* bytes = NULL;
  size_t size = 0;
  muster_relay_counts counts;
  CHECK(muster_relay_add_game(NULL, "a", 1) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_accept(NULL, &at, now, &id) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_receive(NULL, 1, rpc, 1, now) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_receive_end(NULL, 1, now) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_lost(NULL, 1) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_output(NULL, 1, &bytes, &size) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_sent(NULL, 1, 0) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_advance(NULL, now) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_next_deadline(NULL) == MUSTER_NO_DEADLINE);
  CHECK(muster_relay_drain(NULL, now) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_poll_event(NULL, &event, sizeof event) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_open_room(NULL, "a", "b", 0, now, &room) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_delta(NULL, 1, rpc, 1) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_full_update(NULL, 1, rpc, 1) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_reset(NULL, 1, rpc, 1) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_send_to(NULL, 1, NULL, 0, 0, rpc, 1) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_kick(NULL, 1, 1) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_set_open(NULL, 1, 1) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_close_room(NULL, 1) == MUSTER_ERROR_NULL);
  CHECK(muster_relay_count(NULL, &counts, sizeof counts) == MUSTER_ERROR_NULL);
  muster_relay_destroy(NULL);
}

int main(void) {
  versions_and_errors();
  addresses();
  talk();
  soe_misuse();
  play();
  relay_misuse();
  puts("the C interface is as its headers say");
  return 0;
}
