// SPDX-License-Identifier: MIT
// Many SOE sessions on one socket, without the socket.
#pragma once

#include <muster/address.hpp>
#include <muster/bytes.hpp>
#include <muster/entropy.hpp>
#include <muster/result.hpp>
#include <muster/soe/address_table.hpp>
#include <muster/soe/config.hpp>
#include <muster/soe/engine.hpp>
#include <muster/soe/event.hpp>
#include <muster/soe/stats.hpp>
#include <muster/time.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace muster {

/// The SOE protocol, version 3, for all peers of one socket: servers and clients, without I/O.
///
///     mux.receive(datagrams, now);            // what the socket had
///     for (soe::Event event; mux.poll_event(event);) { ... mux.enqueue(...) ... }
///     mux.advance(now);
///     for (SoeMultiplexer<>::Transmit out; mux.poll_transmit(out);) { ... send ... }
///     // and again at mux.next_deadline(), or when the socket is readable
///
/// Nothing that a stranger sends ends or changes a session, and nothing throws.
/// @tparam Remote   an address: copied, compared, and hashed by `soe::AddressTraits<Remote>`
/// @threads distinct objects: safe; shared objects: unsafe
template <class Remote = Address>
class SoeMultiplexer {
 public:
  /// What arrived from one peer: a datagram, or, as UDP_GRO hands them over, a run of datagrams of
  /// `segment` bytes each, of which the last may be shorter.
  struct Datagram {
    Remote from;
    mutable_byte_view bytes;  ///< may be changed: decrypted in place
    std::size_t segment = 0;  ///< 0: one datagram
  };

  /// Datagrams to one peer, all of the size of the first, the last perhaps shorter: at most 64, and
  /// at most 65000 bytes. What UDP_SEGMENT takes in one call.
  struct Transmit {
    Remote to;
    std::span<const byte_view> datagrams;  ///< valid until the next call of anything but polls
  };

  /// Answers a client that wants a session. It may end sessions, and begins none.
  using Admit = std::function<soe::Admission(const Remote& from, std::string_view protocol)>;

  /// @param config    valid (`soe::validate`)
  /// @param entropy   outlives this; unpredictable, except in tests
  /// @param admit     empty: whoever asks for one of `config.protocols` is accepted
  SoeMultiplexer(const soe::Config& config, Entropy& entropy, time_point now, Admit admit = {})
      : table_(SipKey{entropy.next_u64(), entropy.next_u64()}),
        directory_(*this),
        admit_(std::move(admit)),
        engine_(config, entropy, directory_, now) {}
  SoeMultiplexer(const SoeMultiplexer&) = delete;
  SoeMultiplexer& operator=(const SoeMultiplexer&) = delete;

  // In.

  /// Takes datagrams, in order. Poll all events before the next call: until then what arrives is
  /// dropped, and counted, as if the network had lost it.
  void receive(std::span<Datagram> datagrams, time_point now) {
    if (!engine_.begin_batch()) return;
    for (Datagram& datagram : datagrams) receive_run(datagram, now);
    engine_.finish_batch(now);
  }
  void receive(Remote from, mutable_byte_view bytes, time_point now) {
    Datagram one{std::move(from), bytes, 0};
    receive(std::span{&one, 1}, now);
  }

  /// Asks a server for a session. `opened` or `closed` follows.
  /// @param protocol   the application's name, at most 32 bytes, none of them zero
  /// @error errc::already_exists   there is a session with this address
  /// @error errc::limit_reached    `max_sessions`
  /// @error errc::bad_value        the name
  result<soe::SessionId> connect(const Remote& to, std::string_view protocol, time_point now) {
    if (find_slot(to) != none) return errc::already_exists;
    const auto slot = engine_.connect(protocol, now);
    if (!slot) return slot.error();
    enter(to, *slot);
    return engine_.id_of(*slot);
  }

  /// Queues a copy of a message; an empty one is ignored. It leaves with `advance`.
  soe::EnqueueStatus enqueue(soe::SessionId session, byte_view message,
                             soe::Channel channel = soe::Channel::reliable0) {
    return engine_.enqueue(session, message, channel);
  }

  /// Encrypts and decrypts what follows, on the channels of a mask (bit 0: `reliable0`).
  /// @param key   1 to 256 bytes; empty: no encryption
  /// @return whether the session exists and the key is of that size
  bool set_encryption(soe::SessionId session, unsigned channels, byte_view key) {
    return engine_.set_encryption(session, channels, key);
  }

  /// Ends a session at once; the peer is told. What waits is dropped.
  /// @return whether there was one
  bool terminate(soe::SessionId session, soe::DisconnectReason reason, time_point now) {
    return engine_.terminate(session, reason, now);
  }

  /// Ends a session when everything queued is acknowledged, at the latest after `close_timeout`.
  /// @return whether there was one
  bool close(soe::SessionId session, soe::DisconnectReason reason, time_point now) {
    return engine_.close(session, reason, now);
  }

  /// Does what is due, and makes the datagrams of everything that may leave now.
  void advance(time_point now) { engine_.advance(now); }

  // Out.

  /// The next event, if there is one. Handling it may call anything but `receive` and `advance`.
  bool poll_event(soe::Event& event) { return engine_.poll_event(event); }

  /// The next datagrams to send, if there are any. What is not polled stays; while thousands stay,
  /// `advance` adds nothing.
  bool poll_transmit(Transmit& transmit) {
    std::uint32_t slot = 0;
    if (!strangers_.empty()) {
      static constexpr std::array<std::byte, 2> unknown_sender{std::byte{0}, std::byte{0x1d}};
      static constexpr std::array<byte_view, 1> datagrams{unknown_sender};
      transmit = {std::move(strangers_.back()), datagrams};
      strangers_.pop_back();
      return true;
    }
    if (!engine_.poll_transmit(slot, transmit.datagrams)) return false;
    transmit.to = addresses_[slot];
    return true;
  }

  /// When `advance` has something to do, or `no_deadline`. May change with every other call.
  [[nodiscard]] time_point next_deadline() const noexcept { return engine_.next_deadline(); }

  // State.

  /// Sessions that are open, closing, or asked for; not those that a peer only asked for.
  [[nodiscard]] std::size_t session_count() const noexcept { return engine_.session_count(); }
  [[nodiscard]] std::size_t half_open_count() const noexcept { return engine_.half_open_count(); }

  /// Where a session's peer is; of a closed session as well, until the call of `receive` or
  /// `advance` after its event. Null: no such session.
  [[nodiscard]] const Remote* remote(soe::SessionId session) const noexcept {
    return engine_.is_known(session) ? &addresses_[session.index] : nullptr;
  }

  /// The session of an address, generation 0 if there is none.
  [[nodiscard]] soe::SessionId find(const Remote& remote) const noexcept {
    const std::uint32_t slot = find_slot(remote);
    return slot == none ? soe::SessionId{} : engine_.id_of(slot);
  }

  [[nodiscard]] bool is_open(soe::SessionId session) const noexcept {
    return engine_.is_open(session);
  }

  /// All zero if there is no such session.
  [[nodiscard]] soe::SessionStats stats(soe::SessionId session) const noexcept {
    return engine_.stats(session);
  }
  [[nodiscard]] const soe::Totals& totals() const noexcept { return engine_.totals(); }
  [[nodiscard]] const soe::Config& config() const noexcept { return engine_.config(); }

 private:
  using Traits = soe::AddressTraits<Remote>;
  static constexpr std::uint32_t none = soe::Engine::none;

  // What the engine has to say to the table.
  class Directory final : public soe::Directory {
   public:
    explicit Directory(SoeMultiplexer& owner) noexcept : owner_(&owner) {}
    void forget(std::uint32_t slot) noexcept override {
      owner_->recent_ = none;
      owner_->table_.erase(owner_->addresses_[slot], owner_->addresses_);
    }
    void redirect(std::uint32_t from, std::uint32_t to) override {
      owner_->recent_ = none;
      const Remote remote = owner_->addresses_[from];
      owner_->table_.replace(remote, to, owner_->addresses_);
      owner_->keep_address(remote, to);
    }

   private:
    SoeMultiplexer* owner_;
  };

  [[nodiscard]] std::uint32_t find_slot(const Remote& remote) const noexcept {
    return table_.find(remote, addresses_);
  }

  void keep_address(const Remote& remote, std::uint32_t slot) {
    if (slot >= addresses_.size()) addresses_.resize(slot + 1);
    addresses_[slot] = remote;
  }

  // A copy: it may be one of the addresses.
  void enter(Remote remote, std::uint32_t slot) {
    keep_address(remote, slot);
    table_.insert(remote, slot);
  }

  void receive_run(Datagram& run, time_point now) {
    // Datagrams of one peer often follow each other.
    std::uint32_t slot = recent_;
    if (slot == none || !(addresses_[slot] == run.from)) slot = find_slot(run.from);
    mutable_byte_view rest = run.bytes;
    do {
      const std::size_t size = run.segment == 0 ? rest.size() : std::min(run.segment, rest.size());
      const mutable_byte_view datagram = rest.first(size);
      rest = rest.subspan(size);
      if (soe::Engine::is_handshake(datagram)) {
        slot = soe::Engine::is_remap(datagram) ? remap(run.from, slot, datagram, now)
                                               : request(run.from, slot, datagram, now);
      } else if (slot != none) {
        slot = engine_.receive(slot, datagram, now);
      } else if (engine_.receive_from_stranger(datagram, now)) {
        strangers_.push_back(run.from);
      }
    } while (!rest.empty());
    recent_ = slot;
  }

  std::uint32_t request(const Remote& from, std::uint32_t slot, byte_view datagram,
                        time_point now) {
    const auto wish =
        engine_.screen_request(slot, Traits::host_hash(table_.key(), from), datagram, now);
    if (!wish) return find_slot(from);  // a client that met itself has none any more
    const std::uint32_t now_at = engine_.answer_request(
        *wish, admit_ ? admit_(from, wish->protocol) : engine_.admission_of(wish->protocol), now);
    if (now_at != slot) enter(from, now_at);
    return now_at;
  }

  // Only a stranger's remap can be honest, and only from the host that the session is with.
  std::uint32_t remap(const Remote& from, std::uint32_t slot, byte_view datagram, time_point now) {
    const std::uint32_t session = engine_.find_remap(datagram, now);
    if (slot != none || session == none || !Traits::is_same_host(addresses_[session], from)) {
      engine_.count(slot == none ? soe::Drop::no_session : soe::Drop::wrong_state);
      return slot;
    }
    recent_ = none;
    table_.erase(addresses_[session], addresses_);
    enter(from, session);
    engine_.remapped(session, now);
    return session;
  }

  soe::AddressTable<Remote> table_;
  std::vector<Remote> addresses_;  // by slot
  std::vector<Remote> strangers_;  // to be told that they have no session
  std::uint32_t recent_ = none;    // the slot of the last datagram
  Directory directory_;
  Admit admit_;
  soe::Engine engine_;
};

}  // namespace muster
