// SPDX-License-Identifier: MIT
// GameConfig.json by events: no document tree, so depth and memory are bounded by what we keep.
#include <muster/relay/game_config.hpp>

#include <muster/utf8.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <utility>

namespace muster::relay {
namespace {

constexpr std::string_view shape =
    "a list of games such as [{\"name\": \"chess\", \"max_players\": 2}]";

// A stranger's value in our sentence: short, in quotes, on one line.
std::string in_quotes(std::string_view text) {
  constexpr std::size_t max_shown = 40;
  return nlohmann::json(utf8_prefix(text, max_shown)).dump() +
         (text.size() > max_shown ? "..." : "");
}

// Each handler returns false to stop the parser; `problem` then says why.
class Handler {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  explicit Handler(std::string_view text) : text_(text) {}

  GameConfig config;
  std::string problem;
  errc reason = errc::bad_value;

  bool null() { return value("null"); }
  bool boolean(bool given) {
    if (depth_ == 2 && key_ == "migrate_host") {
      if (rules_.migrate_host) return repeated();
      rules_.migrate_host = given;
      return true;
    }
    return value(given ? "true" : "false");
  }
  bool number_integer(number_integer_t given) { return value(std::to_string(given)); }
  bool number_float(number_float_t, const string_t& token) { return value(token); }
  bool binary(binary_t&) { return value("binary data"); }

  bool number_unsigned(number_unsigned_t given) {
    if (depth_ == 2 && key_ == "max_players" &&
        given <= std::numeric_limits<std::uint16_t>::max()) {
      if (has_limit_) return repeated();
      has_limit_ = true;
      rules_.max_players = static_cast<std::uint16_t>(given);
      return true;
    }
    if (depth_ == 2 && key_ == "state_cache" && given <= max_state_cache) {
      if (rules_.state_cache) return repeated();
      rules_.state_cache = given;
      return true;
    }
    if (depth_ == 2 && key_ == "flush_window_ms" && given <= max_window_ms) {
      if (window_length_) return repeated();
      window_length_ = std::chrono::milliseconds{given};
      return true;
    }
    return value(std::to_string(given));
  }

  bool string(string_t& given) {
    if (depth_ == 2 && key_ == "name") {
      if (has_name_) return repeated();
      has_name_ = true;
      name_ = std::move(given);
      return true;
    }
    if (depth_ == 2 && key_ == "slow_member") {
      return choose(slow_members, given, rules_.slow_member);
    }
    if (depth_ == 2 && key_ == "flush_window") return choose(windows, given, window_kind_);
    return value(in_quotes(given));
  }

  bool start_array(std::size_t) {
    if (depth_ > 0 && !value("a list")) return false;
    ++depth_;
    return true;
  }
  bool end_array() {
    --depth_;
    return true;
  }

  bool start_object(std::size_t) {
    if (depth_ == 1) {
      ++entry_;
      has_name_ = has_limit_ = false;
      rules_ = {};
      window_kind_.reset();
      window_length_.reset();
      key_.clear();
    } else if (!value("an object")) {
      return false;
    }
    ++depth_;
    return true;
  }
  bool end_object() {
    --depth_;
    if (depth_ != 1) return true;
    if (!has_name_) return fail("has no key \"name\"", "it must be a text");
    if (!has_limit_) return fail("has no key \"max_players\"", limit_rule);
    if (!take_window()) return false;
    config.games.insert_or_assign(name_, rules_);
    return true;
  }

  bool key(string_t& name) {
    key_ = std::move(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) {
    const std::string_view before = text_.substr(0, std::min(position, text_.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    // The parser's sentence, without the part in front that repeats the position in its own way.
    std::string_view detail = error.what();
    constexpr std::string_view mark = "while parsing ";
    if (const auto at = detail.find(mark); at != std::string_view::npos) detail.remove_prefix(at);
    reason = errc::bad_syntax;
    problem = "line " + std::to_string(line) + ": this is not JSON (" + std::string{detail} +
              "); expected " + std::string{shape};
    return false;
  }

 private:
  static constexpr std::string_view limit_rule =
      "it must be a whole number from 0 (no limit) to 65535";

  static constexpr std::uint64_t max_state_cache = 64 * 1024 * 1024;
  static constexpr std::uint64_t max_window_ms = 10'000;
  using Kind = FlushWindow::Kind;
  static constexpr std::array<std::pair<std::string_view, Kind>, 3> windows{
      {{"end_of_pass", Kind::end_of_pass}, {"lead", Kind::lead}, {"tick", Kind::tick}}};
  static constexpr std::array<std::pair<std::string_view, SlowMember>, 3> slow_members{
      {{"resync", SlowMember::resync}, {"drop", SlowMember::drop}, {"close", SlowMember::close}}};

  // What the keys that are muster's own may have.
  struct Rule {
    std::string_view key;
    std::string_view allowed;
  };
  static constexpr std::array<Rule, 5> rules{{
      {"migrate_host", "it must be true or false"},
      {"state_cache", "it must be a whole number of bytes from 0 (none) to 67108864"},
      {"flush_window", "it must be \"end_of_pass\", \"lead\" or \"tick\""},
      {"flush_window_ms", "it must be a whole number of milliseconds from 0 to 10000"},
      {"slow_member", "it must be \"resync\", \"drop\" or \"close\""},
  }};

  template <class T, std::size_t count>
  bool choose(const std::array<std::pair<std::string_view, T>, count>& choices,
              std::string_view given, std::optional<T>& out) {
    if (out) return repeated();
    for (const auto& [name, choice] : choices) {
      if (name == given) out = choice;
    }
    return out ? true : value(in_quotes(given));
  }

  // The two keys of a window make one value.
  bool take_window() {
    if (!window_kind_) {
      return window_length_
                 ? fail("has \"flush_window_ms\" and no \"flush_window\"", rules[2].allowed)
                 : true;
    }
    const bool has_length = *window_kind_ != Kind::end_of_pass;
    const std::chrono::milliseconds length = window_length_.value_or(std::chrono::milliseconds{0});
    if (has_length && length.count() == 0) {
      return fail("has a \"flush_window\" without a length",
                  "\"flush_window_ms\" must be from 1 to 10000");
    }
    rules_.window = FlushWindow{*window_kind_, has_length ? length : duration{0}};
    return true;
  }

  // A value that is none of those that are wanted: fine under a key that is not ours.
  bool value(std::string_view given) {
    if (depth_ == 0) {
      problem = "the text is " + std::string{given} + "; expected " + std::string{shape};
      return false;
    }
    if (depth_ == 1) {
      ++entry_;
      has_name_ = false;
      return fail("is " + std::string{given},
                  "it must be an object such as {\"name\": \"chess\", \"max_players\": 2}");
    }
    if (depth_ > 2) return true;
    if (key_ == "name") return fail("has the \"name\" " + std::string{given}, "it must be a text");
    if (key_ == "max_players") {
      return fail("has the \"max_players\" " + std::string{given}, limit_rule);
    }
    for (const Rule& rule : rules) {
      if (key_ != rule.key) continue;
      return fail("has the \"" + key_ + "\" " + std::string{given}, rule.allowed);
    }
    return true;
  }

  bool repeated() { return fail("has the key \"" + key_ + "\" twice", "give it once"); }

  bool fail(std::string_view what, std::string_view rule) {
    problem = "game " + std::to_string(entry_);
    if (has_name_) problem += " (" + in_quotes(name_) + ")";
    problem += " ";
    problem += what;
    problem += "; ";
    problem += rule;
    return false;
  }

  std::string_view text_;
  int depth_ = 0;  // 1 in the list, 2 in a game; the parser itself does not recurse
  std::size_t entry_ = 0;
  string_t key_;
  bool has_name_ = false;
  bool has_limit_ = false;
  string_t name_;
  GameRules rules_;
  std::optional<Kind> window_kind_;
  std::optional<std::chrono::milliseconds> window_length_;
};

}  // namespace

result<GameConfig> parse_game_config(std::string_view text, std::string& problem) {
  Handler handler{text};
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &handler)) {
    problem = std::move(handler.problem);
    return handler.reason;
  }
  return std::move(handler.config);
}

}  // namespace muster::relay
