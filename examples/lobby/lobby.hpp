// SPDX-License-Identifier: MIT
// The standing connections of bots: who is there, and what they are told.
#pragma once

#include "accounts.hpp"
#include "agenda.hpp"
#include "game.hpp"
#include "wall_clock.hpp"
#include "wire.hpp"

#include <muster/address_limits.hpp>
#include <muster/outbox.hpp>
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

/// A seat that a bot was given, as it is told.
struct Seating {
  std::string match_id{};
  std::string participant_id{};
  bool is_rated = false;
  std::uint32_t decision_timeout_ms = 0;  ///< 0: not said
  bool is_resumed = false;                ///< the match was running when the bot connected
};

/// Hears of bots that come and go.
class PresenceListener {
 public:
  virtual ~PresenceListener() = default;

  /// The bot has heard the lobby's hello; also if it was there already, on another connection.
  virtual void on_online(const Credential& bot, muster::time_point now) = 0;
  virtual void on_offline(std::string_view bot_id, muster::time_point now) = 0;
};

/// Answers `/ws/external/bot/BOT_ID`. A bot is online from its hello on, on one connection: the
/// newest.
///
/// Connects above the limit of their address are accepted and closed with 1008, which is how a bot
/// can tell that from a server that is away.
/// @threads one loop
class Lobby final : public muster::Service {
 public:
  static constexpr std::string_view path_prefix = "/ws/external/bot/";

  struct Config {
    muster::duration authenticate_timeout = std::chrono::seconds{5};
    muster::duration ping_interval = std::chrono::seconds{15};
    muster::duration pong_timeout = std::chrono::seconds{5};  ///< below the interval
    std::size_t max_frame = 4096;                             ///< bytes
  };

  struct Stats {
    std::uint64_t connects = 0;
    std::uint64_t limited = 0;       ///< closed with 1008
    std::uint64_t unauthorized = 0;  ///< closed with 4001
    std::uint64_t revoked = 0;       ///< closed with 4002
    std::uint64_t evicted = 0;
    std::uint64_t unanswered = 0;  ///< closed since no pong came
    std::uint64_t oversized = 0;
    std::uint64_t malformed = 0;  ///< frames that are no JSON object, or binary
    std::uint64_t ignored = 0;    ///< frames of any other type than the one expected
    std::uint64_t matched = 0;    ///< frames sent
  };

  /// @param connects   counts each connect as a failed token; shared with the gateway
  Lobby(const Config& config, const Accounts& accounts, muster::AddressLimits& connects, Wire& wire,
        const WallClock& clock);

  void set_listener(PresenceListener& listener) noexcept { listener_ = &listener; }

  /// What the bot is online with, or null.
  [[nodiscard]] const Credential* online(std::string_view bot_id) const;
  [[nodiscard]] std::size_t online_count() const noexcept { return online_.size(); }

  /// Tells a bot of a seat.
  /// @return   false: it is not online
  bool tell(std::string_view bot_id, const Seating& seating);

  /// As if the bot had connected a second time.
  void evict(std::string_view bot_id, muster::time_point now);

  /// Looks for tokens that were revoked now, and not only with the next heartbeat.
  void check_tokens(muster::time_point now);

  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }

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
  enum class Stage : std::uint8_t { limited, authenticating, ready, pinged, over };

  struct Session {
    std::string bot_id{};
    Stage stage = Stage::authenticating;
    muster::Connection* connection = nullptr;  // null until it is open
    std::optional<Credential> credential{};
    muster::time_point next_ping{};
    Agenda<Session>::Place place{};
  };

  void authenticate(Session& session, const Json& frame, muster::time_point now);
  void check_in(Session& session, muster::time_point now);
  void ping(Session& session, muster::time_point now);
  void revoke(Session& session, muster::time_point now);
  void evict(Session& session, muster::time_point now);
  void end(Session& session, muster::CloseReason reason, std::uint16_t code, std::string_view text,
           muster::time_point now, std::string_view last_words = {});
  void leave(Session& session, muster::time_point now);

  Config config_;
  const Accounts* accounts_;
  muster::AddressLimits* connects_;
  Wire* wire_;
  const WallClock* clock_;
  PresenceListener* listener_ = nullptr;
  Stats stats_;
  std::map<Session*, std::unique_ptr<Session>> sessions_;
  std::map<std::string, Session*, std::less<>> online_;  // by bot
  Agenda<Session> agenda_;
};

}  // namespace lobby_program
