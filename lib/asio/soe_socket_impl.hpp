// SPDX-License-Identifier: MIT
// A port on a loop, and what waits for its sessions.
#pragma once

#include "loop_impl.hpp"
#include "soe_handle_state.hpp"
#include "soe_port.hpp"

#include <muster/asio/soe_socket.hpp>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

namespace muster::asio {

class MUSTER_LOCAL SoeSocket::Impl final : Timed, Watched, Finisher, SoeHandler {
 public:
  Impl(Loop& loop, const SoeOptions& options, Entropy& entropy, SoeHandler& handler,
       const DatagramCalls& calls = DatagramCalls::system());
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() override;

  [[nodiscard]] std::error_code bind(std::string_view address);
  [[nodiscard]] std::error_code open_for(std::string_view server);
  [[nodiscard]] result<soe::SessionId> connect(const Address& to, std::string_view protocol);
  soe::EnqueueStatus enqueue(soe::SessionId session, byte_view message, soe::Channel channel);
  bool set_encryption(soe::SessionId session, unsigned channels, byte_view key);
  bool terminate(soe::SessionId session, soe::DisconnectReason reason);
  void terminate_all(soe::DisconnectReason reason);
  bool close(soe::SessionId session, soe::DisconnectReason reason);
  void pause();
  void resume();

  // What handles ask for.

  void connect_or_say(const Address& to, std::string_view protocol);

  /// Hands a message to its session, or keeps it until there is room.
  void deliver(SoeParcel parcel);

  /// Closes a session behind what waits for it.
  void close_after_parcels(soe::SessionId session, soe::DisconnectReason reason);

  [[nodiscard]] const SoePort& port() const noexcept { return port_; }
  [[nodiscard]] const std::shared_ptr<SoeHandle::State>& handle_state();

 private:
  // What waits for one session.
  struct Waiting {
    std::deque<SoeParcel> parcels;
    std::optional<soe::DisconnectReason> closes;  // behind them
    bool is_told = false;                         // the handler, when there is room again
  };

  // Timed
  [[nodiscard]] time_point next_deadline() const noexcept override { return port_.next_deadline(); }
  void advance(time_point) override { is_due_ = true; }

  // Watched
  void on_ready(Readiness what, time_point now) override;

  // Finisher
  [[nodiscard]] bool has_to_finish() const noexcept override {
    return is_due_ || port_.has_to_send() || (state_ != nullptr && state_->was_full);
  }
  void finish() override;

  // SoeHandler
  void on_opened(soe::SessionId session, const Address& remote, time_point now) override;
  void on_data(soe::SessionId session, byte_view data, soe::Channel channel,
               time_point now) override;
  void on_writable(soe::SessionId session, time_point now) override;
  void on_closed(soe::SessionId session, const Address& remote, soe::DisconnectReason reason,
                 bool by_peer, time_point now) override;

  [[nodiscard]] std::error_code watch();
  void read();
  void list_unread();
  void wait_for_room();

  /// Hands over what waits for a session, and tells of room where it is missed.
  void drain(soe::SessionId session, bool has_room);
  void tell_of_room(soe::SessionId session);
  void tell_of_room(SoeGate& gate);

  Loop& owner_;
  Loop::Impl& loop_;
  SoeHandler& handler_;
  SoePort port_;
  std::shared_ptr<SoeHandle::State> state_;  // null: nobody has a handle

  // Sessions that are asked for, or have no room: by their packed id. What handles send waits here.
  std::unordered_map<std::uint64_t, Waiting> waiting_;
  bool is_watched_ = false;
  bool is_listed_ = false;  // the loop knows that something is unread
  bool is_paused_ = false;
  bool waits_for_room_ = false;
  std::uint64_t sent_before_ = 0;  // datagrams, when it last found no room
  bool is_due_ = false;
};

}  // namespace muster::asio
