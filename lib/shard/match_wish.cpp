// SPDX-License-Identifier: MIT
#include <muster/shard/match_wish.hpp>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <limits>

namespace muster::shard {

std::optional<MatchWish> read_match_wish(byte_view body, std::string_view user) {
  const auto json = nlohmann::json::parse(as_text(body), nullptr, false);
  if (!json.is_object()) return std::nullopt;
  MatchWish wish;
  wish.players.emplace_back(user);
  if (const auto mode = json.find("mode"); mode != json.end()) {
    if (!mode->is_string()) return std::nullopt;
    wish.mode = *mode->get_ptr<const std::string*>();
  }
  if (const auto rating = json.find("rating"); rating != json.end()) {
    constexpr auto most = std::int64_t{std::numeric_limits<std::int32_t>::max()};
    if (!rating->is_number_integer()) return std::nullopt;
    const bool is_huge =
        rating->is_number_unsigned() && rating->get<std::uint64_t>() > std::uint64_t{most};
    const auto value = rating->get<std::int64_t>();
    if (is_huge || value < -most || value > most) return std::nullopt;
    wish.rating = static_cast<std::int32_t>(value);
  }
  if (const auto party = json.find("party"); party != json.end()) {
    if (!party->is_array()) return std::nullopt;
    for (const auto& player : *party) {
      if (!player.is_string()) return std::nullopt;
      const std::string& id = *player.get_ptr<const std::string*>();
      if (id != user) wish.players.push_back(id);
    }
  }
  return wish;
}

}  // namespace muster::shard
