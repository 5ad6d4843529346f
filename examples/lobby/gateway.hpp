// SPDX-License-Identifier: MIT
// The connections of seats: from the upgrade to the end of the handshake.
#pragma once

#include "accounts.hpp"
#include "agenda.hpp"
#include "game.hpp"
#include "matches.hpp"
#include "wall_clock.hpp"
#include "wire.hpp"

#include <muster/address_limits.hpp>
#include <muster/service.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lobby_program {

/// Answers `/ws/external/match/MATCH/PARTICIPANT`, where the token is the subprotocol behind the
/// sentinel, and `/ws/match/MATCH/PARTICIPANT`, where it is in the `authenticate` frame. Once a
/// connection has a seat, the match has the word.
/// @threads one loop
class Gateway final : public muster::Service {
 public:
  static constexpr std::string_view path_prefix = "/ws/external/match/";
  static constexpr std::string_view direct_prefix = "/ws/match/";
  static constexpr std::string_view sentinel = "chipzen-bot-token";
  static constexpr std::string_view version = "1.0";

  /// What becomes of a second connection for a seat whose first one is alive.
  enum class Duplicate : std::uint8_t { refuse, replace };

  struct Config {
    muster::duration handshake_timeout = std::chrono::seconds{5};  ///< for each of the two frames
    Duplicate duplicate = Duplicate::refuse;

    /// A field that the protocol does not name is an error in the two frames of the handshake. Most
    /// clients send some.
    bool is_strict = false;
    std::size_t max_frame = 4096;    ///< bytes
    std::uint32_t max_mistakes = 5;  ///< frames of no use before the seat; at the last, 4009
  };

  struct Stats {
    std::uint64_t connects = 0;
    std::uint64_t limited = 0;       ///< closed with 1008
    std::uint64_t unauthorized = 0;  ///< closed with 4001
    std::uint64_t not_found = 0;     ///< closed with 4002, 4005 or 4006
    std::uint64_t late = 0;          ///< no frame of the handshake in time
    std::uint64_t mismatched = 0;    ///< no version, or not the game, in common
    std::uint64_t refused = 0;       ///< closed with 4011
    std::uint64_t replaced = 0;      ///< connections that a newer one replaced
    std::uint64_t oversized = 0;
    std::uint64_t malformed = 0;  ///< frames of the handshake that are none
    std::uint64_t seated = 0;     ///< handshakes that were completed
  };

  /// @param connects   counts each connect as a failed token; shared with the lobby
  Gateway(const Config& config, const Accounts& accounts, Matches& matches,
          muster::AddressLimits& connects, Wire& wire, const WallClock& clock);

  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }
  [[nodiscard]] std::size_t connection_count() const noexcept { return sessions_.size(); }

  void on_upgrade(const muster::Request& request, muster::Decision decision,
                  muster::time_point now) override;
  void on_open(muster::Connection& connection, muster::time_point now) override;
  void on_message(muster::Connection& connection, const muster::Message& message,
                  muster::time_point now) override;
  void on_fault(muster::Connection& connection, const muster::CloseInfo& info,
                muster::time_point now) override;
  void on_close(muster::Connection& connection, const muster::CloseInfo& info,
                muster::time_point now) override;
  void on_drain(muster::time_point now) override;
  void advance(muster::time_point now) override;
  [[nodiscard]] muster::time_point next_deadline() const noexcept override {
    return agenda_.next_deadline();
  }

 private:
  enum class Stage : std::uint8_t { authenticate, hello, seated, over };

  // A close that waits until the connection is open.
  struct Refusal {
    std::uint16_t code = 0;  // 0: none
    std::string_view text;   // of this program's own
  };

  struct Session {
    std::string match_id{};
    std::string participant_id{};
    Stage stage = Stage::authenticate;
    bool is_direct = false;
    Refusal refusal{};
    std::size_t seat = 0;
    std::uint64_t number = 0;  // of the match
    std::uint32_t mistakes = 0;
    muster::Connection* connection = nullptr;
    Agenda<Session>::Place place{};
  };

  [[nodiscard]] Refusal look_up(Session& session, std::string_view token);
  [[nodiscard]] Refusal check_token(const Session& session, const Table& table,
                                    std::string_view token);
  void take_authenticate(Session& session, const Json& frame, muster::time_point now);
  void take_hello(Session& session, const Json& frame, muster::time_point now);
  void take_seat(Session& session, Table& table, muster::time_point now);
  void send(const Session& session, const Table& table, const Json& frame);
  void send_error(const Session& session, const Table& table, std::string_view code,
                  std::string_view message, muster::time_point now);
  void end(Session& session, muster::CloseReason reason, std::uint16_t code, std::string_view text);

  Config config_;
  const Accounts* accounts_;
  Matches* matches_;
  muster::AddressLimits* connects_;
  Wire* wire_;
  const WallClock* clock_;
  Stats stats_;
  std::map<Session*, std::unique_ptr<Session>> sessions_;
  Agenda<Session> agenda_;
};

}  // namespace lobby_program
