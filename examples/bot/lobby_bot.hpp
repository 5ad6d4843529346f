// SPDX-License-Identifier: MIT
// Bots that wait in lobbies and play the matches that they are given.
#pragma once

#include "bot.hpp"
#include "lobby_report.hpp"
#include "lobby_settings.hpp"
#include "options.hpp"
#include "timed_executor.hpp"

#include <muster/asio/handler_threads.hpp>
#include <muster/lobby/config.hpp>
#include <muster/lobby/match_result.hpp>
#include <muster/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bot_program {

/// What the program ends with.
enum class LobbyStatus : int {
  normal = 0,
  cut_off = 1,  ///< it was ended before its bots had stopped
  config = 2,
  auth = 3,     ///< a token is not accepted
  lost = 4,     ///< a lobby could not be reached, or was lost
  handler = 5,  ///< a strategy failed, without safe mode
};
[[nodiscard]] LobbyStatus status_of(muster::lobby::StopReason reason) noexcept;

/// What a client is told, of what the program was told.
[[nodiscard]] muster::lobby::Config config_of(const LobbyOptions& options,
                                              const LobbySettings& settings);

/// One or many bots, until all have stopped.
class LobbyBot final : public Bot {
 public:
  /// @param bots   one or more, of which `config_of` makes what is valid
  LobbyBot(const LobbyOptions& options, const std::vector<LobbySettings>& bots,
           Surroundings around);

  /// The dialer must be gone, so that no connection knows a client any more.
  ~LobbyBot() override;

  void start() override;
  void stop() noexcept override { stop_wanted_ = true; }

  /// A `LobbyStatus`; of several bots, that of the first that did not end well.
  [[nodiscard]] int finish() override;

  void advance(muster::time_point now) override;
  [[nodiscard]] muster::time_point next_deadline() const noexcept override;

 private:
  class Participant;  // one bot

  void fill_places(muster::time_point now);
  void show_line(muster::time_point now, double line_seconds) override;
  void count();
  void log(const std::string& json_line);
  void tell(std::string sentence);
  void one_stopped(muster::lobby::StopReason reason, const std::string& bot);
  [[nodiscard]] bool have_all_stopped() const noexcept;

  LobbyOptions options_;
  std::uint64_t seed_;
  SharedTimes times_;
  muster::asio::HandlerThreads threads_;
  TimedExecutor executor_;
  LobbyTally tally_;
  std::vector<std::unique_ptr<Participant>> participants_;
  std::size_t started_ = 0;
  std::size_t dialling_ = 0;
  std::size_t stopped_ = 0;
  bool stop_wanted_ = false;
  bool is_stopping_ = false;
  LobbyStatus status_ = LobbyStatus::normal;
  muster::time_point closing_start_{};                  // all have stopped
  muster::time_point next_look_ = muster::no_deadline;  // whether their connections are gone
  muster::time_point start_{};
  std::string last_line_;
  std::string last_news_;
  int news_told_ = 0;
};

}  // namespace bot_program
