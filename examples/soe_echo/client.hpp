// SPDX-License-Identifier: MIT
// One session of a client: sends messages, and checks what comes back.
#pragma once

#include "carrier.hpp"
#include "options.hpp"
#include "report.hpp"

#include <muster/asio/soe_handler.hpp>

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace soe_echo {

class Client final : public muster::asio::SoeHandler {
 public:
  /// All of them outlive it.
  Client(const Options& options, Tally& tally) : options_(options), tally_(tally) {}

  /// Asks for the session.
  void start(Carrier& carrier, muster::time_point now);

  /// Sends no more; what is on the way may still come back.
  void stop(muster::time_point now);

  /// Sends what is due, and gives up on what does not come back.
  void advance(muster::time_point now);
  [[nodiscard]] muster::time_point next_deadline() const noexcept;

  /// Whether the session is over, well or not.
  [[nodiscard]] bool is_done() const noexcept { return state_ == State::done; }

  /// Of the session, also when it is over.
  [[nodiscard]] muster::soe::SessionStats stats() const;

  void on_opened(muster::soe::SessionId session, const muster::Address& remote,
                 muster::time_point now) override;
  void on_data(muster::soe::SessionId session, muster::byte_view data, muster::soe::Channel channel,
               muster::time_point now) override;
  void on_writable(muster::soe::SessionId session, muster::time_point now) override;
  void on_closed(muster::soe::SessionId session, const muster::Address& remote,
                 muster::soe::DisconnectReason reason, bool by_peer,
                 muster::time_point now) override;

 private:
  enum class State : std::uint8_t { idle, connecting, sending, waiting, closing, done };
  struct Sent {
    std::uint32_t number;
    muster::time_point at;
  };

  void send(muster::time_point now);
  [[nodiscard]] bool may_send(muster::time_point now) const noexcept;
  [[nodiscard]] muster::time_point due_at() const noexcept;
  bool take(std::deque<Sent>& expected, muster::byte_view data, muster::soe::Channel channel,
            Sent& found);
  void give_up_late(muster::soe::Channel channel, muster::time_point now);
  void finish_if_all_are_back();
  void finish();
  void fail(const std::string& why);

  const Options& options_;
  Tally& tally_;
  Carrier* carrier_ = nullptr;
  muster::soe::SessionId session_;
  State state_ = State::idle;
  bool is_blocked_ = false;  // the session holds all that it may
  std::uint32_t next_number_ = 0;
  std::size_t bytes_under_way_ = 0;
  std::size_t messages_under_way_ = 0;
  std::array<std::deque<Sent>, 6> expected_;  // by channel, in the order of sending
  std::vector<std::byte> scratch_;
  muster::time_point opened_at_{};
  muster::time_point last_progress_{};
  muster::soe::SessionStats last_stats_;
};

}  // namespace soe_echo
