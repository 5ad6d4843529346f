// SPDX-License-Identifier: MIT
// A host behind a connection, as a room's authority.
#pragma once

#include <muster/relay/hosted_room.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace muster::relay {

[[nodiscard]] MemberEvent event_of(const PlayerInfo& player, MemberChange change) noexcept;
[[nodiscard]] MemberChange change_of(Departure why) noexcept;

/// Turns what happens in a room into messages to its host. While the host is away, or has yet to
/// take the news of who is there, it keeps what clients send, within the room's rules.
/// @source docs/protocol/relay.md, "Routing"
class RemoteHost final : public Authority {
 public:
  explicit RemoteHost(HostedRoom& room) : room_(&room) {}

  /// The host is there. It hears of everybody who is present, of those who went while it was away,
  /// and then gets what they sent.
  void connect(Connection& connection);
  void disconnect() noexcept;
  [[nodiscard]] bool is_connected() const noexcept { return connection_ != nullptr; }

  /// Sends what waits, as far as the host's budget allows.
  void pump();

  /// What that player sent is not delivered any more.
  void forget_rpcs_of(std::uint16_t player_id);

  /// A message of the relay's own. False if it does not fit.
  bool say(byte_view message) noexcept;

  bool on_admit(const PlayerInfo& player, std::string& refusal, time_point now) override;
  void on_join(const PlayerInfo& player, time_point now) override;
  void on_back(const PlayerInfo& player, time_point now) override;
  void on_depart(const PlayerInfo& player, Departure why, time_point now) override;
  void on_rpc(const PlayerInfo& player, byte_view payload, time_point now) override;
  [[nodiscard]] std::vector<std::byte> full_state() override { return {}; }

 private:
  struct Kept {
    std::uint16_t player_id;
    bool is_rpc;
    std::vector<std::byte> message;
  };
  struct Quota {
    std::uint32_t messages = 0;
    std::uint32_t bytes = 0;
  };

  [[nodiscard]] bool hears_members() const noexcept;
  [[nodiscard]] std::vector<std::vector<std::byte>> news(const PlayerInfo& player,
                                                         MemberChange change) const;
  bool announce(const PlayerInfo& player, MemberChange change);
  void keep_news(const PlayerInfo& player, MemberChange change);

  HostedRoom* room_;
  Connection* connection_ = nullptr;
  Budget news_budget_;  // the host's whole budget
  Budget rpc_budget_;   // the same, with the part for news kept back
  std::deque<Kept> kept_;
  std::map<std::uint16_t, Quota> quotas_;  // of those with something in `kept_`
  std::set<std::uint16_t> departed_;       // known to the host, and gone while it was away
  std::set<std::uint16_t> unknown_;        // came while it was away
};

}  // namespace muster::relay
