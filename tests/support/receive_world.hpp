// SPDX-License-Identifier: MIT
// One receiving channel of the SOE protocol, with what it is part of and a clock.
#pragma once

#include <muster/bytes.hpp>
#include <muster/soe/config.hpp>
#include <muster/soe/length.hpp>
#include <muster/soe/rc4.hpp>
#include <muster/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../lib/soe/receive_channel.hpp"

namespace test {

using muster::soe::ReceiveChannel;
using Outcome = ReceiveChannel::Outcome;
using Bytes = std::vector<std::byte>;

inline Bytes bytes_of(std::string_view text) {
  const muster::byte_view view = muster::as_bytes(text);
  return {view.begin(), view.end()};
}

inline Bytes join(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

/// The low bytes of a number, most significant first.
inline Bytes big_endian(std::uint64_t number, unsigned size) {
  Bytes bytes;
  for (unsigned shift = 8 * size; shift != 0;) {
    shift -= 8;
    bytes.push_back(static_cast<std::byte>(number >> shift));
  }
  return bytes;
}

/// A sequence and what follows it.
inline Bytes packet(std::int64_t sequence, const Bytes& data) {
  return join(big_endian(static_cast<std::uint64_t>(sequence), 2), data);
}
inline Bytes packet(std::int64_t sequence, std::string_view text) {
  return packet(sequence, bytes_of(text));
}

/// A message's first fragment.
inline Bytes first_fragment(std::int64_t sequence, std::uint32_t length, const Bytes& data) {
  return packet(sequence, join(big_endian(length, 4), data));
}
inline Bytes first_fragment(std::int64_t sequence, std::uint32_t length, std::string_view text) {
  return first_fragment(sequence, length, bytes_of(text));
}

/// A payload of several messages.
inline Bytes bundle(const std::vector<std::string>& items) {
  Bytes payload{std::byte{0}, std::byte{0x19}};
  for (const std::string& item : items) {
    std::byte length[muster::soe::max_length_size];
    const std::byte* const end =
        muster::soe::write_bundle_length(length, static_cast<std::uint32_t>(item.size()));
    payload.insert(payload.end(), static_cast<const std::byte*>(length), end);
    payload = join(std::move(payload), bytes_of(item));
  }
  return payload;
}

/// A message, not empty, as a sender of the protocol encrypts it.
inline std::string encrypted(muster::soe::Rc4& cipher, std::string_view message) {
  Bytes out(message.size());
  cipher.transform(muster::as_bytes(message), out.data());
  const std::string text{muster::as_text(out)};
  return text[0] == '\0' ? '\0' + text : text;
}

/// Text that looks like none, of any bytes.
inline std::string patterned(std::size_t size, std::uint32_t seed) {
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>((seed = seed * 1664525U + 1013904223U) >> 24U);
  return text;
}

/// What is received stays where it is until `take`, as with a driver that reads in batches.
struct ReceiveWorld {
  explicit ReceiveWorld(muster::soe::Config settings = {}, std::int64_t first = 0)
      : config(std::move(settings)), pool(config.udp_length + 16), channel(2, now, first) {
    budget.limit = config.reassembly_budget;
  }
  ReceiveWorld(const ReceiveWorld&) = delete;
  ReceiveWorld& operator=(const ReceiveWorld&) = delete;
  ~ReceiveWorld() { channel.release(context()); }

  [[nodiscard]] muster::soe::ReceiveContext context() {
    return {config, session, pool, inbox, budget};
  }

  Outcome receive(Bytes body, bool is_fragment = false) {
    bodies.push_back(std::move(body));
    return channel.receive(context(), bodies.back(), is_fragment, true);
  }
  Outcome receive_fragment(Bytes body) { return receive(std::move(body), true); }

  /// As from a scratch buffer: what the channel has not copied is lost when it returns.
  Outcome receive_unstable(const Bytes& body, bool is_fragment = false) {
    Bytes scratch = body;
    const Outcome outcome = channel.receive(context(), scratch, is_fragment, false);
    std::fill(scratch.begin(), scratch.end(), std::byte{0xDD});
    return outcome;
  }

  /// The messages delivered since the last time, as text. Events that are none do not come.
  std::vector<std::string> take() {
    std::vector<std::string> messages;
    muster::soe::Event event;
    while (inbox.poll(event)) {
      const bool is_good = event.kind == muster::soe::Event::Kind::data &&
                           event.session == session &&
                           event.channel == muster::soe::Channel::reliable2;
      messages.emplace_back(is_good ? muster::as_text(event.data) : "not a message of the channel");
    }
    inbox.clear();
    bodies.clear();
    return messages;
  }

  /// The single acknowledgements that are due.
  std::vector<std::uint16_t> take_singles() {
    std::vector<std::uint16_t> sequences;
    for (std::uint16_t sequence = 0; channel.next_acknowledge(sequence);) {
      sequences.push_back(sequence);
    }
    return sequences;
  }

  [[nodiscard]] bool is_all_due() const { return channel.is_acknowledge_all_due(config, now); }

  muster::soe::Config config;
  muster::time_point now = muster::time_point{} + std::chrono::hours{1};
  muster::soe::SessionId session{7, 3};
  muster::soe::PacketPool pool;
  muster::soe::Inbox inbox{pool};
  muster::soe::ReassemblyBudget budget;
  ReceiveChannel channel;
  std::deque<Bytes> bodies;
};

}  // namespace test
