// SPDX-License-Identifier: MIT
// The end that sends everything back.
#pragma once

#include "carrier.hpp"

#include <muster/asio/soe_handler.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

namespace soe_echo {

class Server final : public muster::asio::SoeHandler {
 public:
  /// @param is_talkative   says who comes and goes
  explicit Server(bool is_talkative) : is_talkative_(is_talkative) {}

  /// It outlives this.
  void set_carrier(Carrier& carrier) noexcept { carrier_ = &carrier; }

  [[nodiscard]] std::uint64_t messages() const noexcept { return messages_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  void on_opened(muster::soe::SessionId session, const muster::Address& remote,
                 muster::time_point now) override;
  void on_data(muster::soe::SessionId session, muster::byte_view data, muster::soe::Channel channel,
               muster::time_point now) override;
  void on_writable(muster::soe::SessionId session, muster::time_point now) override;
  void on_closed(muster::soe::SessionId session, const muster::Address& remote,
                 muster::soe::DisconnectReason reason, bool by_peer,
                 muster::time_point now) override;

 private:
  struct Echo {
    muster::soe::Channel channel;
    std::vector<std::byte> bytes;
  };
  struct Waiting {  // for room in its session
    std::deque<Echo> echoes;
    std::size_t bytes = 0;
  };

  bool is_talkative_;
  Carrier* carrier_ = nullptr;
  std::unordered_map<std::uint32_t, Waiting> waiting_;  // by the session's index
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace soe_echo
