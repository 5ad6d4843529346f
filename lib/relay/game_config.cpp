// SPDX-License-Identifier: MIT
// GameConfig.json by events: no document tree, so depth and memory are bounded by what we keep.
#include <muster/relay/game_config.hpp>

#include <muster/utf8.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
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
  bool boolean(bool given) { return value(given ? "true" : "false"); }
  bool number_integer(number_integer_t given) { return value(std::to_string(given)); }
  bool number_float(number_float_t, const string_t& token) { return value(token); }
  bool binary(binary_t&) { return value("binary data"); }

  bool number_unsigned(number_unsigned_t given) {
    if (depth_ == 2 && key_ == "max_players" &&
        given <= std::numeric_limits<std::uint16_t>::max()) {
      if (has_limit_) return repeated();
      has_limit_ = true;
      limit_ = static_cast<std::uint16_t>(given);
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
    config.max_players.insert_or_assign(name_, limit_);
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

  // A value that is none of the two that are wanted: fine under a key that is not ours.
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
  std::uint16_t limit_ = 0;
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
