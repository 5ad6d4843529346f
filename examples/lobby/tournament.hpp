// SPDX-License-Identifier: MIT
// Who plays whom next, and how the table stands. No I/O and no time.
#pragma once

#include "seed.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace lobby_program {

struct TournamentConfig {
  enum class Format : std::uint8_t {
    round_robin,  ///< everybody meets everybody twice, with seats changed
    swiss,        ///< rounds between those of equal score; nobody twice unless it cannot be helped
    elimination   ///< who loses is out
  };
  Format format = Format::round_robin;

  /// Of Swiss; 0: as many as find a winner among all entrants (the binary logarithm, rounded up).
  std::uint32_t rounds = 0;

  /// A drawn match of an elimination is played again with seats changed, this often; then the one
  /// who was drawn higher goes on.
  std::uint32_t replays_of_draws = 2;
};

/// Who takes part. Ids are distinct.
struct Entrant {
  std::string id;  ///< the bot's
  std::string name;
  std::uint32_t max_matches = 1;  ///< at the same time, 1 and more
};

/// How a match ended, for its two seats.
struct MatchScore {
  enum class Winner : std::uint8_t {
    first,
    second,
    draw,
    nobody  ///< neither came, or both left: a loss for both, `net` is not counted
  };
  Winner winner = Winner::draw;
  std::array<std::int64_t, 2> net{};
};

/// A match to be played now.
struct Pairing {
  std::uint32_t number = 0;               ///< from 1, of the tournament; for `report`
  std::uint32_t round = 1;                ///< from 1
  std::array<std::size_t, 2> entrants{};  ///< by seat, indices into `Tournament::entrants`
  Seed seed{};                            ///< of the match, from the tournament's
};

/// One line of the table.
struct Standing {
  std::size_t entrant = 0;
  std::uint32_t place = 1;  ///< from 1; equals share the better place
  std::uint32_t wins = 0;   ///< byes and walkovers included
  std::uint32_t draws = 0;
  std::uint32_t losses = 0;
  std::uint32_t byes = 0;  ///< rounds without an opponent
  std::int64_t net = 0;
  double elo = 0;
  bool is_out = false;  ///< withdrawn, or eliminated
};

/// Pairs entrants who are online, up to each one's limit, and keeps the table.
///
/// The same seed, entrants and calls give the same pairings. An entrant who stays away holds up
/// those who must meet it, until it is withdrawn.
/// @threads distinct objects: safe; shared objects: unsafe
class Tournament {
 public:
  /// Of a rating before the first match, and how far one match can move it.
  static constexpr double first_elo = 1500;
  static constexpr double elo_factor = 32;
  static constexpr std::size_t max_entrants = 256;

  /// @param entrants   2 to `max_entrants`
  Tournament(TournamentConfig config, std::vector<Entrant> entrants, const Seed& seed);
  ~Tournament();
  Tournament(const Tournament&) = delete;
  Tournament& operator=(const Tournament&) = delete;

  /// An entrant's lobby connection came or went. All are offline at first. Its running matches are
  /// not touched.
  void set_online(std::size_t entrant, bool is_online);

  /// Matches outside the tournament that count towards the entrant's limit.
  void set_other_matches(std::size_t entrant, std::uint32_t count);

  /// An entrant is out for good: its matches that have not begun are walkovers for the others.
  void withdraw(std::size_t entrant);

  /// A match that can begin now, and has begun with this call. Poll until it is empty, after each
  /// other call.
  [[nodiscard]] std::optional<Pairing> next_pairing();

  /// A match has ended.
  /// @error errc::not_found   no match of that number is running
  [[nodiscard]] std::error_code report(std::uint32_t number, const MatchScore& score);

  [[nodiscard]] bool is_over() const noexcept;
  [[nodiscard]] std::uint32_t running() const noexcept;  ///< matches that have begun and not ended
  [[nodiscard]] std::uint32_t played() const noexcept;   ///< matches that have ended
  [[nodiscard]] const std::vector<Entrant>& entrants() const noexcept;
  [[nodiscard]] const TournamentConfig& config() const noexcept;

  /// The entrant of that id.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view id) const noexcept;

  /// Best first: in an elimination by how far one came; else by wins, with draws as halves; then by
  /// net, by Elo, and by index.
  [[nodiscard]] std::vector<Standing> standings() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lobby_program
