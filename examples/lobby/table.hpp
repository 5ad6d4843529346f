// SPDX-License-Identifier: MIT
// A match that runs here, and the connections of those who play it.
#pragma once

#include "agenda.hpp"
#include "house_bot.hpp"
#include "match.hpp"
#include "wire.hpp"

#include <muster/connection.hpp>
#include <muster/mac.hpp>
#include <muster/message.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lobby_program {

/// Who is to sit at a table.
struct Player {
  std::string bot_id{};    ///< empty: a bot of the house
  std::string name{};      ///< as others see it
  muster::Mac::Tag tag{};  ///< the token that counts the match; all zero: none
};

/// A match that is to be played.
struct MatchPlan {
  std::string game = "poker";
  std::vector<Player> players{};  ///< by seat
  Seed seed{};
  MatchConfig config{};
  std::string occasion{};     ///< "tournament", "queue" or "challenge"
  std::uint32_t pairing = 0;  ///< the tournament's number of it
  bool is_rated = false;
  bool says_timeout = false;  ///< `matched` has the time for a decision
  muster::duration house_delay = std::chrono::milliseconds{150};  ///< before a house bot answers
};

/// One match, its seats' connections, and the house's bots, which answer as if they had one.
/// @threads one loop
class Table final : private MatchSink {
 public:
  /// What was done last, for those who watch.
  struct Done {
    std::uint32_t round = 0;
    std::size_t seat = 0;
    Json details;
  };
  static constexpr std::size_t kept_actions = 20;

  /// @param number   from 1, in the order of starts
  Table(std::uint64_t number, std::string id, MatchPlan plan, std::unique_ptr<Game> game,
        std::vector<Match::Seat> seats, Wire& wire, muster::time_point now, WallTime wall);
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  [[nodiscard]] const std::string& id() const noexcept { return match_.id(); }
  [[nodiscard]] const MatchPlan& plan() const noexcept { return plan_; }
  [[nodiscard]] const Match& match() const noexcept { return match_; }
  [[nodiscard]] const std::deque<Done>& actions() const noexcept { return actions_; }

  /// The seat of a participant, or of a bot.
  [[nodiscard]] std::optional<std::size_t> seat_of(std::string_view participant_id) const;
  [[nodiscard]] std::optional<std::size_t> seat_of_bot(std::string_view bot_id) const;

  // A seat's connection, once its handshake is over. What a connection says that does not have the
  // seat (any more) is ignored.
  Match::Admission attach(std::size_t seat, muster::Connection& connection, muster::time_point now);
  void detach(std::size_t seat, const muster::Connection& connection, muster::time_point now);
  void receive(std::size_t seat, const muster::Connection& connection,
               const muster::Message& message, muster::time_point now);

  /// Closes the seat's connection, if there is one, for another that is to have the seat.
  void vacate(std::size_t seat, muster::time_point now);

  /// The server gives the match up.
  void fail(std::string_view message, muster::time_point now) { match_.fail(message, now); }

  void advance(muster::time_point now);
  [[nodiscard]] muster::time_point next_deadline() const noexcept;

  Agenda<Table>::Place place{};  ///< for whoever calls `advance`

 private:
  struct Sitting {
    muster::Connection* connection = nullptr;
    std::unique_ptr<HouseBot> house{};
  };
  struct Asked {
    muster::time_point answer_at;
    std::size_t seat;
    std::string frame;
  };

  void send(std::size_t seat, std::string_view frame) override;
  void close(std::size_t seat, std::uint16_t code, std::string_view reason) override;
  void note(std::size_t seat, std::string_view frame);

  std::uint64_t number_;
  MatchPlan plan_;
  Wire* wire_;
  std::vector<Sitting> sittings_;
  muster::time_point now_;   // of the call that the match is in
  std::deque<Asked> asked_;  // at most one open turn, and what it was asked before
  std::deque<Done> actions_;
  Match match_;
};

}  // namespace lobby_program
