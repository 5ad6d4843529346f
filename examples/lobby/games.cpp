// SPDX-License-Identifier: MIT
// Rules in and out of JSON.
#include "games.hpp"

#include "tic_tac_toe.hpp"

#include <utility>

namespace lobby_program {

namespace {

template <class T>
void read(const Json& json, const char* key, T& value) {
  const auto found = json.find(key);
  if (found != json.end() && found->is_number_integer()) value = found->get<T>();
}

void read(const Json& json, const char* key, muster::duration& value) {
  auto count = value.count();
  read(json, key, count);
  value = muster::duration{count};
}

// Each field with its name, for both ways.
template <class Config, class Visit>
void visit_durations(Config& config, Visit visit) {
  visit("presence_timeout_ns", config.presence_timeout);
  visit("turn_timeout_ns", config.turn_timeout);
  visit("min_result_delay_ns", config.min_result_delay);
  visit("max_result_delay_ns", config.max_result_delay);
  visit("reconnect_grace_ns", config.reconnect_grace);
  visit("ping_interval_ns", config.ping_interval);
}

template <class Config, class Visit>
void visit_counts(Config& config, Visit visit) {
  visit("max_reconnects", config.max_reconnects);
  visit("max_substitutes", config.max_substitutes);
  visit("max_frame_bytes", config.max_frame_bytes);
  visit("frames_per_second", config.frames_per_second);
  visit("invalid_actions_per_round", config.invalid_actions_per_round);
  visit("max_violations", config.max_violations);
}

template <class Rules, class Visit>
void visit_rules(Rules& rules, Visit visit) {
  visit("starting_stack", rules.holdem.starting_stack);
  visit("small_blind", rules.holdem.small_blind);
  visit("big_blind", rules.holdem.big_blind);
  visit("ante", rules.holdem.ante);
  visit("hands_per_level", rules.holdem.hands_per_level);
  visit("max_hands", rules.holdem.max_hands);
}

}  // namespace

std::unique_ptr<Game> make_game(std::string_view name, const GameRules& rules) {
  if (name == "poker") return std::make_unique<Holdem>(rules.holdem);
  if (name == "tic_tac_toe") return std::make_unique<TicTacToe>();
  return nullptr;
}

Json to_json(const GameRules& rules) {
  Json json = Json::object();
  visit_rules(rules, [&](const char* key, auto value) { json[key] = value; });
  return json;
}

Json to_json(const MatchConfig& config) {
  Json json{{"dialect", config.dialect == Dialect::draft ? "draft" : "current"}};
  visit_durations(config, [&](const char* key, auto value) { json[key] = value.count(); });
  visit_counts(config, [&](const char* key, auto value) { json[key] = value; });
  return json;
}

GameRules rules_from_json(const Json& json) {
  GameRules rules;
  visit_rules(rules, [&](const char* key, auto& value) { read(json, key, value); });
  return rules;
}

MatchConfig match_config_from_json(const Json& json) {
  MatchConfig config;
  config.dialect = json.value("dialect", "") == "draft" ? Dialect::draft : Dialect::current;
  visit_durations(config, [&](const char* key, auto& value) { read(json, key, value); });
  visit_counts(config, [&](const char* key, auto& value) { read(json, key, value); });
  return config;
}

}  // namespace lobby_program
