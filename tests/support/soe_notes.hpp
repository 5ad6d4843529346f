// SPDX-License-Identifier: MIT
// A handler of SOE sessions that notes what it hears, and options for tests.
#pragma once

#include <muster/asio/soe_handler.hpp>
#include <muster/asio/soe_options.hpp>
#include <muster/entropy.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace test {

inline constexpr std::string_view soe_protocol = "Test_1";

/// Options for both ends. Datagrams are small enough to make many.
inline muster::asio::SoeOptions soe_options(bool own_ends = true) {
  muster::asio::SoeOptions options;
  if (own_ends) options.protocol = muster::soe::Config::for_own_ends();
  options.protocol.protocols = {std::string{soe_protocol}};
  return options;
}

/// Bytes that tell themselves from others.
inline std::vector<std::byte> soe_bytes(std::size_t seed, std::size_t size) {
  std::vector<std::byte> bytes(size);
  muster::SeededEntropy{seed}.fill(bytes);
  return bytes;
}

/// Notes what it hears, and answers it with `echo` if that is set.
class SoeNotes : public muster::asio::SoeHandler {
 public:
  using SessionId = muster::soe::SessionId;
  using Channel = muster::soe::Channel;
  struct Session {
    muster::Address remote;
    std::size_t messages = 0;
    std::vector<std::vector<std::byte>> kept;
    bool is_open = false;
    bool is_closed = false;
  };

  void on_opened(SessionId session, const muster::Address& remote,
                 muster::time_point now) override {
    ++opens;
    time = now;
    last = session;
    Session& it = of(session);
    if (it.is_open || it.is_closed) ++disorders;
    it.is_open = true;
    it.remote = remote;
    if (when_opened) when_opened(session);
  }
  void on_data(SessionId session, muster::byte_view data, Channel channel,
               muster::time_point now) override {
    ++messages;
    time = now;
    bytes += data.size();
    last_channel = channel;
    Session& it = of(session);
    if (!it.is_open || it.is_closed) ++disorders;
    ++it.messages;
    if (keeps) it.kept.emplace_back(data.begin(), data.end());
    if (when_data) when_data(session, data, channel);
    if (echo) echo(session, data, channel);
  }
  void on_writable(SessionId session, muster::time_point) override {
    ++writables;
    Session& it = of(session);
    if (!it.is_open || it.is_closed) ++disorders;
    if (when_writable) when_writable(session);
  }
  void on_closed(SessionId session, const muster::Address& remote,
                 muster::soe::DisconnectReason why, bool by, muster::time_point now) override {
    ++closes;
    time = now;
    reason = why;
    by_peer = by;
    closed_remote = remote;
    Session& it = of(session);
    if (it.is_closed) ++disorders;
    it.is_closed = true;
    if (when_closed) when_closed(session);
  }
  void on_not_connected(const muster::Address& remote, muster::errc why,
                        muster::time_point) override {
    ++not_connected;
    not_connected_why = why;
    closed_remote = remote;
  }

  Session& of(SessionId session) {
    return sessions[std::uint64_t{session.generation} << 32U | session.index];
  }

  std::function<void(SessionId, muster::byte_view, Channel)> echo;
  std::function<void(SessionId)> when_opened;
  std::function<void(SessionId, muster::byte_view, Channel)> when_data;
  std::function<void(SessionId)> when_writable;
  std::function<void(SessionId)> when_closed;
  bool keeps = true;
  std::map<std::uint64_t, Session> sessions;
  SessionId last;
  muster::time_point time;  ///< of the last event
  Channel last_channel = Channel::reliable0;
  std::size_t opens = 0;
  std::size_t messages = 0;
  std::size_t bytes = 0;
  std::size_t writables = 0;
  std::size_t closes = 0;
  std::size_t not_connected = 0;
  std::size_t disorders = 0;  ///< events that came before or after their time
  muster::soe::DisconnectReason reason = muster::soe::DisconnectReason::none;
  bool by_peer = false;
  muster::Address closed_remote;
  muster::errc not_connected_why{};
};

}  // namespace test
