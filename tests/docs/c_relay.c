// SPDX-License-Identifier: MIT
// A game in C that unmodified relay clients play: a number that every action makes larger.
#define _DEFAULT_SOURCE
#include <muster/c/relay.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PEERS = 100 };
static uint64_t peers[MAX_PEERS];            // the connections, 0: none
static struct pollfd polled[MAX_PEERS + 1];  // their sockets, and the listener
static muster_relay* relay;
static uint8_t number;  // the game

static uint64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void flush(int i) {
  const uint8_t* bytes = NULL;
  size_t size = 0;
  polled[i].events = POLLIN;
  while (muster_relay_output(relay, peers[i], &bytes, &size) == MUSTER_OK && size > 0) {
    const ssize_t sent = send(polled[i].fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) polled[i].events = POLLIN | POLLOUT;
    if (sent < 0 && errno != EAGAIN) muster_relay_lost(relay, peers[i]);
    if (sent < 0) return;
    muster_relay_sent(relay, peers[i], (size_t)sent);
  }
}

static void handle(const muster_relay_event* event) {
  int i = 0;
  while (i < MAX_PEERS && peers[i] != event->connection) ++i;
  switch (event->kind) {
    case MUSTER_RELAY_OUTPUT:
      flush(i);
      break;
    case MUSTER_RELAY_HALF_CLOSE:
      shutdown(polled[i].fd, SHUT_WR);
      break;
    case MUSTER_RELAY_CLOSE:
      close(polled[i].fd);
      polled[i].fd = -1;
      peers[i] = 0;
      break;
    case MUSTER_RELAY_STATE_WANTED:
      muster_relay_full_update(relay, event->room, &number, 1);
      break;
    case MUSTER_RELAY_RPC:
      ++number;
      muster_relay_delta(relay, event->room, &number, 1);
      break;
    default:  // JOINED, BACK, DEPARTED: this game does not mind
      break;
  }
}

static void accept_peer(int listener) {
  const int fd = accept(listener, NULL, NULL);
  int i = 0;
  while (i < MAX_PEERS && peers[i] != 0) ++i;
  muster_address from;
  muster_address_parse("127.0.0.1", 0, &from);
  if (fd >= 0 && i < MAX_PEERS && muster_relay_accept(relay, &from, now_us(), &peers[i]) == 0) {
    polled[i] = (struct pollfd){fd, POLLIN, 0};
  } else if (fd >= 0) {
    close(fd);
  }
}

int main(int argc, char** argv) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 8090));
  socklen_t length = sizeof at;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(listener, (struct sockaddr*)&at, length) != 0) return perror("bind"), 1;
  if (listen(listener, 64) != 0) return perror("listen"), 1;
  getsockname(listener, (struct sockaddr*)&at, &length);
  for (int i = 0; i < MAX_PEERS; ++i) polled[i].fd = -1;
  polled[MAX_PEERS] = (struct pollfd){listener, POLLIN, 0};

  muster_relay_config config;
  muster_relay_config_init(&config, sizeof config);
  uint8_t seed[MUSTER_SEED_SIZE];
  if (getrandom(seed, sizeof seed, 0) != sizeof seed) return perror("getrandom"), 1;
  uint64_t room = 0;
  char problem[200];
  if (muster_relay_create(&config, seed, now_us(), &relay, problem, sizeof problem) != MUSTER_OK) {
    return fprintf(stderr, "%s\n", problem), 1;
  }
  muster_relay_add_game(relay, "counter", 20);
  const int code = muster_relay_open_room(relay, "counter", "lobby", 0, now_us(), &room);
  if (code != MUSTER_OK) return fprintf(stderr, "%s\n", muster_error_text(code)), 1;
  printf("listening on ws://127.0.0.1:%d/ws\n", ntohs(at.sin_port));
  fflush(stdout);

  for (;;) {
    muster_relay_advance(relay, now_us());
    muster_relay_event event;
    while (muster_relay_poll_event(relay, &event, sizeof event) == 1) handle(&event);

    const uint64_t deadline = muster_relay_next_deadline(relay);
    const uint64_t now = now_us();
    const uint64_t wait = deadline <= now ? 0 : (deadline - now + 999) / 1000;
    poll(polled, MAX_PEERS + 1, wait < 60000 ? (int)wait : 60000);

    static uint8_t bytes[65536];
    for (int i = 0; i < MAX_PEERS; ++i) {
      if (polled[i].fd < 0 || polled[i].revents == 0) continue;
      if ((polled[i].revents & POLLOUT) != 0) flush(i);
      const ssize_t size = recv(polled[i].fd, bytes, sizeof bytes, MSG_DONTWAIT);
      if (size > 0) muster_relay_receive(relay, peers[i], bytes, (size_t)size, now_us());
      if (size == 0) muster_relay_receive_end(relay, peers[i], now_us());
      if (size < 0 && errno != EAGAIN) muster_relay_lost(relay, peers[i]);
    }
    if (polled[MAX_PEERS].revents != 0) accept_peer(listener);
  }
}
