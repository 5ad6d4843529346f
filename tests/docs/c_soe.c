// SPDX-License-Identifier: MIT
// A server of reliable UDP in C, in a poll(2) loop of its own: everything that comes goes back.
#define _DEFAULT_SOURCE
#include <muster/c/soe.h>

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

static uint64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int main(int argc, char** argv) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 20260));
  socklen_t length = sizeof at;
  struct pollfd polled = {socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), POLLIN, 0};
  if (bind(polled.fd, (struct sockaddr*)&at, length) != 0) return perror("bind"), 1;
  getsockname(polled.fd, (struct sockaddr*)&at, &length);
  printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
  fflush(stdout);

  muster_soe_config config;
  muster_soe_config_init(&config, sizeof config);
  config.protocol = "echo";
  uint8_t seed[MUSTER_SEED_SIZE];
  if (getrandom(seed, sizeof seed, 0) != sizeof seed) return perror("getrandom"), 1;
  muster_soe* soe = NULL;
  char problem[200];
  if (muster_soe_create(&config, seed, now_us(), &soe, problem, sizeof problem) != MUSTER_OK) {
    return fprintf(stderr, "%s\n", problem), 1;
  }

  for (;;) {
    muster_soe_advance(soe, now_us());
    muster_soe_transmit out;
    while (muster_soe_poll_transmit(soe, &out, sizeof out) == 1) {
      memcpy(&at.sin_addr, out.to.ip + 12, 4);  // IPv4 lies at the end of an address
      at.sin_port = htons(out.to.port);
      sendto(polled.fd, out.data, out.data_size, 0, (struct sockaddr*)&at, sizeof at);
    }

    const uint64_t deadline = muster_soe_next_deadline(soe);
    const uint64_t now = now_us();
    const uint64_t wait = deadline <= now ? 0 : (deadline - now + 999) / 1000;
    poll(&polled, 1, wait < 60000 ? (int)wait : 60000);

    static uint8_t datagram[65536];
    ssize_t size;
    length = sizeof at;
    while ((size = recvfrom(polled.fd, datagram, sizeof datagram, 0, (struct sockaddr*)&at,
                            &length)) >= 0) {
      muster_address from = {.ip = {[10] = 255, [11] = 255}, .port = ntohs(at.sin_port)};
      memcpy(from.ip + 12, &at.sin_addr, 4);
      muster_soe_receive(soe, &from, datagram, (size_t)size, now_us());
      muster_soe_event event;
      while (muster_soe_poll_event(soe, &event, sizeof event) == 1) {
        if (event.kind != MUSTER_SOE_DATA) continue;
        muster_soe_enqueue(soe, event.session, event.channel, event.data, event.data_size);
      }
    }
  }
}
