// SPDX-License-Identifier: MIT
// The SOE multiplexer behind its C interface.
#include <muster/c/soe.h>

#include <muster/soe/multiplexer.hpp>

#include "handle.hpp"
#include "seed_entropy.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

using namespace muster;
using namespace muster::c;

struct muster_soe : Handle {
  muster_soe(const soe::Config& config, byte_view seed, time_point start)
      : Handle{start}, entropy(seed), mux(config, entropy, start) {}

  SeedEntropy entropy;
  SoeMultiplexer<> mux;

  // A datagram is decrypted in place, and events are views of it: those that wait are of the one
  // that was accepted last, and the next one is tried in the other.
  std::array<std::vector<std::byte>, 2> received;
  bool is_second = false;

  SoeMultiplexer<>::Transmit transmit{};  // what is being polled, datagram by datagram
  std::size_t polled = 0;
};

namespace {

constexpr std::size_t max_datagram = 65535;  // what UDP can say

muster_soe_config to_c(const soe::Config& config) {
  muster_soe_config out{};
  out.size = sizeof out;
  out.udp_length = config.udp_length;
  out.crc_length = config.crc_length;
  out.compression = config.compression ? 1 : 0;
  out.compress_from = static_cast<std::uint32_t>(config.compress_from);
  out.bundles = config.bundles ? 1 : 0;
  out.multi_packets = config.multi_packets ? 1 : 0;
  out.redundancy = config.redundancy;
  out.send_window = config.send_window;
  out.receive_window = config.receive_window;
  out.explains_refusal = config.explains_refusal ? 1 : 0;
  out.allows_port_remaps = config.allows_port_remaps ? 1 : 0;
  out.answers_unknown_senders = config.answers_unknown_senders ? 1 : 0;
  out.max_sessions = static_cast<std::uint32_t>(config.max_sessions);
  out.max_half_open = static_cast<std::uint32_t>(config.max_half_open);
  out.requests_per_second = config.requests_per_second;
  out.requests_per_second_per_host = config.requests_per_second_per_host;
  out.max_message = config.max_message;
  out.send_budget = config.send_budget;
  out.reassembly_budget = config.reassembly_budget;
  out.connect_timeout_us = c::to_c(config.connect_timeout);
  out.half_open_timeout_us = c::to_c(config.half_open_timeout);
  out.heartbeat_after_us = c::to_c(config.heartbeat_after);
  out.inactivity_timeout_us = c::to_c(config.inactivity_timeout);
  out.unacknowledged_timeout_us = c::to_c(config.unacknowledged_timeout);
  out.close_timeout_us = c::to_c(config.close_timeout);
  return out;
}

soe::Config from_c(const muster_soe_config& config) {
  soe::Config out;
  if (config.protocol != nullptr) out.protocols = {config.protocol};
  const byte_view key = view(config.encryption_key, config.encryption_key_size);
  out.encryption_key.assign(key.begin(), key.end());
  out.udp_length = config.udp_length;
  out.crc_length = static_cast<std::uint8_t>(std::min(config.crc_length, std::uint32_t{255}));
  out.compression = config.compression != 0;
  out.compress_from = config.compress_from;
  out.bundles = config.bundles != 0;
  out.multi_packets = config.multi_packets != 0;
  out.redundancy = config.redundancy;
  out.send_window = config.send_window;
  out.receive_window = config.receive_window;
  out.explains_refusal = config.explains_refusal != 0;
  out.allows_port_remaps = config.allows_port_remaps != 0;
  out.answers_unknown_senders = config.answers_unknown_senders != 0;
  out.max_sessions = config.max_sessions;
  out.max_half_open = config.max_half_open;
  out.requests_per_second = config.requests_per_second;
  out.requests_per_second_per_host = config.requests_per_second_per_host;
  out.max_message = config.max_message;
  out.send_budget = config.send_budget;
  out.reassembly_budget = config.reassembly_budget;
  out.connect_timeout = to_duration(config.connect_timeout_us);
  out.half_open_timeout = to_duration(config.half_open_timeout_us);
  out.heartbeat_after = to_duration(config.heartbeat_after_us);
  out.inactivity_timeout = to_duration(config.inactivity_timeout_us);
  out.unacknowledged_timeout = to_duration(config.unacknowledged_timeout_us);
  out.close_timeout = to_duration(config.close_timeout_us);
  return out;
}

/// What leaves a session or changes what is queued: datagrams that were not polled are lost.
template <class Call>
int change(muster_soe* soe, Call call) noexcept {
  return guard(soe, [&](muster_soe& self) {
    self.transmit = {};
    self.polled = 0;
    return static_cast<int>(call(self));
  });
}
template <class Call>
int change_at(muster_soe* soe, std::uint64_t now_us, Call call) noexcept {
  return change(soe, at(now_us, call));
}

using End = bool (SoeMultiplexer<>::*)(soe::SessionId, soe::DisconnectReason, time_point);

int end(muster_soe* soe, std::uint64_t session, int reason, std::uint64_t now_us, End how) {
  return change_at(soe, now_us, [&](muster_soe& self) {
    if (reason < MUSTER_SOE_REASON_NONE || reason > MUSTER_SOE_REASON_PROTOCOL_MISMATCH) {
      return MUSTER_ERROR_BAD_VALUE;
    }
    const auto why = soe::to_disconnect_reason(static_cast<std::uint16_t>(reason));
    const auto id = id_of<soe::SessionId>(session);
    return (self.mux.*how)(id, why, self.now) ? MUSTER_OK : MUSTER_ERROR_NOT_FOUND;
  });
}

}  // namespace

extern "C" {

int muster_soe_config_init(muster_soe_config* config, size_t size) {
  return guard([&] { return init(to_c(soe::Config{}), config, size); });
}

int muster_soe_config_init_own_ends(muster_soe_config* config, size_t size, uint32_t udp_length) {
  return guard([&] { return init(to_c(soe::Config::for_own_ends(udp_length)), config, size); });
}

int muster_soe_create(const muster_soe_config* config, const uint8_t* seed, uint64_t now_us,
                      muster_soe** soe, char* problem, size_t problem_size) {
  if (soe == nullptr) return MUSTER_ERROR_NULL;
  *soe = nullptr;
  if (config == nullptr || seed == nullptr) return MUSTER_ERROR_NULL;
  return guard([&] {
    write_text({}, problem, problem_size);
    muster_soe_config taken = to_c(soe::Config{});
    std::string why = "the configuration was not initialised, or is of a newer version";
    if (!take(*config, taken)) {
      write_text(why, problem, problem_size);
      return MUSTER_ERROR_INVALID_CONFIG;
    }
    if (taken.encryption_key == nullptr && taken.encryption_key_size != 0) return MUSTER_ERROR_NULL;
    const soe::Config valid = from_c(taken);
    if (soe::validate(valid, why)) {
      write_text(why, problem, problem_size);
      return MUSTER_ERROR_INVALID_CONFIG;
    }
    const byte_view drawn = view(seed, MUSTER_SEED_SIZE);
    Handle start;
    if (!SeedEntropy::is_seed(drawn) || !start.set_time(now_us)) return MUSTER_ERROR_BAD_VALUE;
    *soe = new muster_soe{valid, drawn, start.now};
    return MUSTER_OK;
  });
}

void muster_soe_destroy(muster_soe* soe) { delete soe; }

int muster_soe_receive(muster_soe* soe, const muster_address* from, const uint8_t* datagram,
                       size_t size, uint64_t now_us) {
  return change_at(soe, now_us, [&](muster_soe& self) {
    if (from == nullptr || (datagram == nullptr && size != 0)) return MUSTER_ERROR_NULL;
    if (size > max_datagram) return MUSTER_ERROR_TOO_LARGE;
    const byte_view bytes = view(datagram, size);
    std::vector<std::byte>& buffer = self.received[self.is_second ? 0 : 1];
    buffer.assign(bytes.begin(), bytes.end());
    const std::uint64_t dropped = self.mux.totals().dropped(soe::Drop::not_polled);
    self.mux.receive(c::from_c(*from), buffer, self.now);
    if (self.mux.totals().dropped(soe::Drop::not_polled) != dropped) return MUSTER_ERROR_NOT_POLLED;
    self.is_second = !self.is_second;
    return MUSTER_OK;
  });
}

int muster_soe_connect(muster_soe* soe, const muster_address* to, const char* protocol,
                       uint64_t now_us, uint64_t* session) {
  return change_at(soe, now_us, [&](muster_soe& self) {
    if (to == nullptr || protocol == nullptr || session == nullptr) {
      return static_cast<int>(MUSTER_ERROR_NULL);
    }
    const auto connected = self.mux.connect(c::from_c(*to), protocol, self.now);
    if (!connected) return code_of(connected.error());
    *session = number_of(*connected);
    return static_cast<int>(MUSTER_OK);
  });
}

int muster_soe_enqueue(muster_soe* soe, uint64_t session, int channel, const uint8_t* message,
                       size_t size) {
  return change(soe, [&](muster_soe& self) {
    if (message == nullptr && size != 0) return MUSTER_ERROR_NULL;
    if (channel < MUSTER_SOE_RELIABLE_0 || channel > MUSTER_SOE_ORDERED) {
      return MUSTER_ERROR_BAD_VALUE;
    }
    switch (self.mux.enqueue(id_of<soe::SessionId>(session), view(message, size),
                             static_cast<soe::Channel>(channel))) {
      case soe::EnqueueStatus::queued:
        return MUSTER_OK;
      case soe::EnqueueStatus::over_budget:
        return MUSTER_ERROR_OVER_BUDGET;
      case soe::EnqueueStatus::too_large:
        return MUSTER_ERROR_TOO_LARGE;
      case soe::EnqueueStatus::not_open:
        break;
    }
    return MUSTER_ERROR_CLOSED;
  });
}

int muster_soe_set_encryption(muster_soe* soe, uint64_t session, uint32_t channels,
                              const uint8_t* key, size_t key_size) {
  return change(soe, [&](muster_soe& self) {
    if (key == nullptr && key_size != 0) return MUSTER_ERROR_NULL;
    const auto id = id_of<soe::SessionId>(session);
    if (self.mux.remote(id) == nullptr) return MUSTER_ERROR_NOT_FOUND;
    const bool is_set = self.mux.set_encryption(id, channels, view(key, key_size));
    return is_set ? MUSTER_OK : MUSTER_ERROR_BAD_VALUE;
  });
}

const char* muster_soe_reason_text(int reason) {
  if (reason < 0 || reason > 0xffff) return "unknown";
  const auto why = static_cast<soe::DisconnectReason>(reason);
  return soe::to_string(why).data();  // of a literal
}

int muster_soe_close(muster_soe* soe, uint64_t session, int reason, uint64_t now_us) {
  return end(soe, session, reason, now_us, &SoeMultiplexer<>::close);
}

int muster_soe_terminate(muster_soe* soe, uint64_t session, int reason, uint64_t now_us) {
  return end(soe, session, reason, now_us, &SoeMultiplexer<>::terminate);
}

int muster_soe_advance(muster_soe* soe, uint64_t now_us) {
  return change_at(soe, now_us, [](muster_soe& self) {
    self.mux.advance(self.now);
    return MUSTER_OK;
  });
}

uint64_t muster_soe_next_deadline(const muster_soe* soe) {
  if (soe == nullptr || soe->fault != 0) return MUSTER_NO_DEADLINE;
  return c::to_c(soe->mux.next_deadline());
}

int muster_soe_poll_event(muster_soe* soe, muster_soe_event* event, size_t size) {
  return guard(soe, [&](muster_soe& self) {
    if (event == nullptr) return static_cast<int>(MUSTER_ERROR_NULL);
    if (size == 0) return static_cast<int>(MUSTER_ERROR_BAD_VALUE);
    soe::Event next;
    if (!self.mux.poll_event(next)) return 0;
    muster_soe_event out{};
    switch (next.kind) {
      case soe::Event::Kind::opened:
        out.kind = MUSTER_SOE_OPENED;
        break;
      case soe::Event::Kind::data:
        out.kind = MUSTER_SOE_DATA;
        break;
      case soe::Event::Kind::writable:
        out.kind = MUSTER_SOE_WRITABLE;
        break;
      case soe::Event::Kind::closed:
        out.kind = MUSTER_SOE_CLOSED;
        break;
    }
    out.channel = static_cast<std::int32_t>(next.channel);
    out.reason = static_cast<std::int32_t>(next.reason);
    out.by_peer = next.by_peer ? 1 : 0;
    out.session = number_of(next.session);
    out.data = data_of(next.data);
    out.data_size = next.data.size();
    give(out, event, size);
    return 1;
  });
}

int muster_soe_poll_transmit(muster_soe* soe, muster_soe_transmit* transmit, size_t size) {
  return guard(soe, [&](muster_soe& self) {
    if (transmit == nullptr) return static_cast<int>(MUSTER_ERROR_NULL);
    if (size == 0) return static_cast<int>(MUSTER_ERROR_BAD_VALUE);
    if (self.polled == self.transmit.datagrams.size()) {
      self.polled = 0;
      self.transmit = {};
      if (!self.mux.poll_transmit(self.transmit)) return 0;
    }
    const byte_view datagram = self.transmit.datagrams[self.polled++];
    muster_soe_transmit out{};
    out.to = c::to_c(self.transmit.to);
    out.data = data_of(datagram);
    out.data_size = datagram.size();
    give(out, transmit, size);
    return 1;
  });
}

int muster_soe_remote(const muster_soe* soe, uint64_t session, muster_address* address) {
  return look(soe, [&](const muster_soe& self) {
    if (address == nullptr) return MUSTER_ERROR_NULL;
    const Address* const remote = self.mux.remote(id_of<soe::SessionId>(session));
    if (remote == nullptr) return MUSTER_ERROR_NOT_FOUND;
    *address = c::to_c(*remote);
    return MUSTER_OK;
  });
}

int muster_soe_find(const muster_soe* soe, const muster_address* remote, uint64_t* session) {
  return look(soe, [&](const muster_soe& self) {
    if (remote == nullptr || session == nullptr) return MUSTER_ERROR_NULL;
    const soe::SessionId id = self.mux.find(c::from_c(*remote));
    if (id.generation == 0) return MUSTER_ERROR_NOT_FOUND;
    *session = number_of(id);
    return MUSTER_OK;
  });
}

int muster_soe_stats(const muster_soe* soe, uint64_t session, muster_soe_session_stats* stats,
                     size_t size) {
  return look(soe, [&](const muster_soe& self) {
    const auto id = id_of<soe::SessionId>(session);
    if (!self.mux.is_open(id)) return static_cast<int>(MUSTER_ERROR_CLOSED);
    const soe::SessionStats now = self.mux.stats(id);
    muster_soe_session_stats out{};
    out.smoothed_rtt_us = c::to_c(now.smoothed_rtt);
    out.rto_us = c::to_c(now.rto);
    out.loss = now.loss;
    out.window = now.window;
    out.bytes_in_flight = now.bytes_in_flight;
    out.queued_bytes = now.queued_bytes;
    out.datagrams_received = now.datagrams_received;
    out.datagrams_sent = now.datagrams_sent;
    out.bytes_received = now.bytes_received;
    out.bytes_sent = now.bytes_sent;
    out.packets_sent = now.packets_sent;
    out.packets_resent = now.packets_resent;
    out.packets_lost = now.packets_lost;
    return give(out, stats, size);
  });
}

int muster_soe_total(const muster_soe* soe, muster_soe_totals* totals, size_t size) {
  return look(soe, [&](const muster_soe& self) {
    const soe::Totals& sum = self.mux.totals();
    muster_soe_totals out{};
    out.sessions = self.mux.session_count();
    out.half_open = self.mux.half_open_count();
    out.sessions_opened = sum.sessions_opened;
    out.sessions_closed = sum.sessions_closed;
    out.messages_received = sum.messages_received;
    out.messages_sent = sum.messages_sent;
    out.datagrams_received = sum.datagrams_received;
    out.datagrams_sent = sum.datagrams_sent;
    out.datagrams_dropped = std::accumulate(sum.drops.begin(), sum.drops.end(), std::uint64_t{0});
    return give(out, totals, size);
  });
}

}  // extern "C"
