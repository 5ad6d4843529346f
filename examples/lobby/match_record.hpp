// SPDX-License-Identifier: MIT
// All that came into a match, in order: with the seed, the match can be run again.
#pragma once

#include "match_config.hpp"

#include <muster/result.hpp>
#include <muster/time.hpp>

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lobby_program {

/// One call into a match that had an effect.
struct MatchInput {
  enum class Kind : std::uint8_t {
    attach,
    detach,
    text,      ///< JSON, in `text`
    not_json,  ///< a message that is none; what it said has no effect, and is not kept
    too_long,  ///< a message beyond the limit; nor is this
    fail,      ///< `text` says why
    advance    ///< the time alone
  };
  Kind kind = Kind::advance;
  std::uint8_t seat = 0;   ///< of all but fail and advance
  muster::duration at{0};  ///< since the match was made
  std::string text{};
  friend bool operator==(const MatchInput&, const MatchInput&) = default;
};

/// The inputs of a match, bounded.
class MatchRecord {
 public:
  /// The inputs are worth this much at most, in bytes of text and 32 for each.
  static constexpr std::size_t max_bytes = std::size_t{4} << 20U;

  explicit MatchRecord(WallTime started = {}) : started_(started) {}

  /// Adds an input, as long as the record is not full.
  void add(MatchInput::Kind kind, std::size_t seat, muster::duration at, std::string_view text);

  /// Whether nothing is missing. What is not complete cannot be run to its end.
  [[nodiscard]] bool is_complete() const noexcept { return is_complete_; }
  [[nodiscard]] WallTime started() const noexcept { return started_; }
  [[nodiscard]] const std::vector<MatchInput>& inputs() const noexcept { return inputs_; }

  /// `{"started":MILLISECONDS,"complete":true,"inputs":[[KIND,SEAT,NANOSECONDS,TEXT],...]}`, where
  /// KIND is the word above.
  [[nodiscard]] nlohmann::json to_json() const;

  /// @error errc::bad_value   not what `to_json` gives, or of a match that took more than a year
  [[nodiscard]] static muster::result<MatchRecord> from_json(const nlohmann::json& json);

  friend bool operator==(const MatchRecord&, const MatchRecord&) = default;

 private:
  WallTime started_;
  std::vector<MatchInput> inputs_;
  std::size_t bytes_ = 0;
  bool is_complete_ = true;
};

}  // namespace lobby_program
