// SPDX-License-Identifier: MIT
// What a careful client checks of the game data that it gets: that nothing is missing unannounced.
#pragma once

#include <nlohmann/json.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace test {

/// Reads a v3 recipient's messages in their order. Each sender's numbers must go on without a hole,
/// unless a report announced it, and each report's counters must agree with its gaps.
/// @source docs/protocol/signal.md, "Game data"
class SignalAuditor {
 public:
  /// @return   what is wrong with it; empty: nothing
  std::string hear(const nlohmann::json& message) {
    const std::string type = message["type"];
    const nlohmann::json data = message.value("data", nlohmann::json{});
    if (type == "RoomOperationResult") return hear(data["result"]);
    if (type == "RoomJoined" || type == "Reconnected" || type == "SpectatorJoined") {
      senders_.clear();
      if (type == "Reconnected") counters_ = {};
      is_v3_ = !data["current_players"].empty() && data["current_players"][0].contains("epoch");
      if (!is_v3_) return {};
      for (const nlohmann::json& player : data["current_players"]) add(player);
    } else if (type == "RoomLeft" || type == "SpectatorLeft") {
      senders_.clear();
      is_v3_ = false;
    } else if (!is_v3_) {
      return {};
    } else if (type == "PlayerJoined") {
      add(data["player"]);
    } else if (type == "PlayerReconnected") {
      senders_[key(data["player_id"], data["epoch"])] = {0, no_end, {}};
    } else if (type == "PlayerLeft") {
      Sender& sender = senders_[key(data["player_id"], data["epoch"])];
      sender.last = data["final_seq"];
    } else if (type == "GameData") {
      return hear_data(data);
    } else if (type == "(binary)") {
      return hear_data(data);
    } else if (type == "DeliveryReport") {
      return hear_report(data);
    }
    return {};
  }

  /// Whether everything up to a sender's final number was delivered or reported.
  [[nodiscard]] std::uint64_t heard_of(const std::string& player, std::uint32_t epoch) const {
    const auto found = senders_.find({player, epoch});
    return found == senders_.end() ? 0 : found->second.seq;
  }

  /// The present incarnation of a sender; null: it is not in the room.
  [[nodiscard]] nlohmann::json epoch_of(const std::string& player) const {
    nlohmann::json epoch;
    for (const auto& [key, sender] : senders_) {
      if (key.first == player && sender.last == no_end) epoch = key.second;
    }
    return epoch;
  }

 private:
  static constexpr std::uint64_t no_end = ~std::uint64_t{0};
  using Key = std::pair<std::string, std::uint32_t>;
  struct Sender {
    std::uint64_t seq = 0;                          // the last that is accounted for
    std::uint64_t last = no_end;                    // its final number
    std::map<std::uint64_t, std::uint64_t> gaps{};  // announced and still ahead, by their first
  };

  static Key key(const nlohmann::json& player, const nlohmann::json& epoch) {
    return {player.get<std::string>(), epoch.get<std::uint32_t>()};
  }
  void add(const nlohmann::json& player) {
    senders_[key(player["id"], player["epoch"])] = {player["seq"], no_end, {}};
  }

  static void skip(Sender& sender) {
    while (!sender.gaps.empty() && sender.gaps.begin()->first <= sender.seq + 1) {
      sender.seq = std::max(sender.seq, sender.gaps.begin()->second);
      sender.gaps.erase(sender.gaps.begin());
    }
  }

  std::string hear_data(const nlohmann::json& data) {
    if (!data.contains("seq") || !data.contains("epoch")) return "game data without a stamp";
    const auto found = senders_.find(key(data["from_player"], data["epoch"]));
    if (found == senders_.end()) return "game data of an unknown incarnation";
    Sender& sender = found->second;
    const std::uint64_t seq = data["seq"];
    skip(sender);
    if (seq > sender.last) return "game data behind the last of its sender";
    if (seq <= sender.seq) return "game data again";
    if (seq != sender.seq + 1) {
      return "a hole before " + std::to_string(seq) + ", at " + std::to_string(sender.seq + 1);
    }
    sender.seq = seq;
    return {};
  }

  std::string hear_report(const nlohmann::json& data) {
    const nlohmann::json& counts = data["per_class"];
    const std::map<std::string, std::uint64_t> now{
        {"latest_superseded", counts["latest"]["superseded"]},
        {"latest_dropped_full", counts["latest"]["dropped_full"]},
        {"volatile_dropped", counts["volatile"]["dropped"]},
        {"unsupported_format", counts["reliable"]["unsupported_format"].get<std::uint64_t>() +
                                   counts["latest"]["unsupported_format"].get<std::uint64_t>() +
                                   counts["volatile"]["unsupported_format"].get<std::uint64_t>()}};
    std::map<std::string, std::uint64_t> told;
    if (data.contains("gaps")) {
      if (data["gaps"].empty() || data["gaps"].size() > 256)
        return "a list of gaps of a wrong size";
      for (const nlohmann::json& gap : data["gaps"]) {
        const std::uint64_t from = gap["from_seq"];
        const std::uint64_t to = gap["to_seq"];
        if (from < 1 || to < from) return "a gap that is none";
        const auto found = senders_.find(key(gap["from_player"], gap["epoch"]));
        if (found == senders_.end()) return "a gap of an unknown incarnation";
        if (from <= found->second.seq) return "a gap that comes too late";
        found->second.gaps[from] = to;
        skip(found->second);
        told[gap["reason"]] += to - from + 1;
      }
    }
    for (const auto& [reason, count] : now) {
      const std::uint64_t before = counters_.contains(reason) ? counters_[reason] : 0;
      if (count - before != told[reason])
        return "a counter that its gaps do not explain: " + reason;
    }
    counters_ = now;
    return {};
  }

  bool is_v3_ = false;
  std::map<Key, Sender> senders_;
  std::map<std::string, std::uint64_t> counters_;
};

}  // namespace test
