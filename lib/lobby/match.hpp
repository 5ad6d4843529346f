// SPDX-License-Identifier: MIT
// One match of a bot: its connections to the gateway, its turns, and its end.
#pragma once

#include "answer_table.hpp"
#include "gateway_close.hpp"
#include "server_frame.hpp"

#include <muster/lobby/engine.hpp>
#include <muster/outbox.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::lobby {

/// One seat in one match. Holds one connection at a time, dials again when it is lost, and asks for
/// turns in order. When it has ended it waits only for its connections to be gone.
class Match final : public Service {
 public:
  /// What the matches of an engine share.
  class Host {
   public:
    const Config& config;
    Dialer& dialer;
    Outbox& outbox;
    Entropy& entropy;
    Engine::Owner& owner;
    Engine::Stats& stats;

    virtual void emit(EventKind kind, std::string_view match_id, std::string_view detail,
                      std::uint32_t code, time_point now) = 0;
    /// It is over; or it has ended, and its last connection is gone.
    virtual void ended(Match& match, time_point now) = 0;
    /// Its deadline may be another one.
    virtual void reschedule(Match& match) = 0;
    /// A handler failed, and safe mode is off.
    virtual void handler_failed(time_point now) = 0;

   protected:
    Host(const Config& c, Dialer& d, Outbox& o, Entropy& e, Engine::Owner& w, Engine::Stats& s)
        : config(c), dialer(d), outbox(o), entropy(e), owner(w), stats(s) {}
    ~Host() = default;
  };

  Match(Host& host, Engine::MatchNumber number, MatchInfo info, std::string url, time_point now);

  void start(time_point now);
  void cancel(time_point now);
  void answer(std::uint64_t turn, Action action, time_point now);
  void handler_failed(std::uint64_t turn, std::string_view what, time_point now);
  std::error_code send(std::string_view request_id, const Action& action, time_point now);

  void on_open(Connection& connection, time_point now) override;
  void on_message(Connection& connection, const Message& message, time_point now) override;
  void on_close(Connection& connection, const CloseInfo& info, time_point now) override;
  void advance(time_point now) override;
  [[nodiscard]] time_point next_deadline() const noexcept override;

  [[nodiscard]] Engine::MatchNumber number() const noexcept { return number_; }
  [[nodiscard]] const MatchInfo& info() const noexcept { return info_; }
  [[nodiscard]] const MatchResult& result() const noexcept { return result_; }
  [[nodiscard]] bool has_ended() const noexcept { return state_ == State::ended; }

  /// Whether nothing refers to it any more.
  [[nodiscard]] bool is_gone() const noexcept { return has_ended() && connections_ == 0; }

  time_point scheduled = no_deadline;  ///< the host's: where it has it in its list

 private:
  enum class State : std::uint8_t { backoff, dialling, handshaking, playing, ended };

  // The turn that the handler has been asked for.
  struct Turn {
    std::uint64_t number = 0;
    std::string request_id;
    std::vector<std::string> legal;
    std::int64_t seat = -1;
    std::int64_t seq = 0;
    time_point asked{};
    time_point deadline = no_deadline;
    std::uint32_t rejections = 0;
  };
  struct Waiting {
    std::string frame;
    std::string request_id;  // empty: it does not depend on a turn
  };

  // Tells the host about a new deadline when a call from outside is over.
  class Visit {
   public:
    explicit Visit(Match& match) noexcept : match_(match) {}
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit() { match_.host_.reschedule(match_); }

   private:
    Match& match_;
  };

  // Connections (match_connection.cpp).
  void dial(time_point now);
  void take_greeting(std::string_view type, time_point now);
  void take_hello(time_point now);
  [[nodiscard]] bool is_version_ours() const;
  void conclude(std::uint16_t code, time_point now);
  void drop(CloseReason reason, std::uint16_t code, std::string_view text, time_point now);
  void retry(bool late, time_point now);
  void finish(Outcome outcome, std::string_view reason, std::uint16_t code, time_point now);
  void leave(CloseReason reason, std::uint16_t code);
  [[nodiscard]] Connection* connection() const noexcept { return host_.outbox.find(connection_); }
  void emit(EventKind kind, time_point now, std::string_view detail = {}, std::uint32_t code = 0);

  // Frames (match.cpp).
  void take_frame(std::string_view type, time_point now);
  [[nodiscard]] bool is_repeated(std::string_view type, time_point now);
  void take_match_end(time_point now);
  void take_reconnected(time_point now);
  void take_error(time_point now);
  void malformed(time_point now, std::string_view detail);
  void call(Call call) { host_.owner.on_call(number_, std::move(call)); }
  [[nodiscard]] std::string whole() const { return std::string{frame_.whole()}; }

  // Turns (match_turns.cpp).
  void take_turn_request(const ServerFrame& frame, std::int64_t seen, time_point now);
  void take_rejection(time_point now);
  void ask(Turn turn, const ServerFrame& frame, duration time, time_point now);
  void expire_turn(time_point now);
  void settle(Action action, bool is_by_handler, time_point now);
  [[nodiscard]] bool is_sendable(const Action& action, time_point now);
  void post(Waiting waiting, time_point now);
  void send_waiting(time_point now);
  bool write(std::string_view frame);

  Host& host_;
  Engine::MatchNumber number_;
  MatchInfo info_;
  std::string url_;
  State state_ = State::backoff;
  MatchResult result_;

  ConnectionId connection_;
  std::uint64_t serial_ = 0;       // of the connection: 1, 2, 3 ...
  std::uint32_t connections_ = 0;  // whose end has not been heard yet
  time_point deadline_ = no_deadline;
  std::uint32_t attempts_ = 0;  // since a turn was answered
  std::uint32_t protocol_errors_ = 0;
  std::optional<time_point> dropped_;
  bool has_played_ = false;      // a handshake was completed
  bool can_resume_ = true;       // as the last hello says
  bool has_progressed_ = false;  // a turn was answered on this connection
  std::uint16_t once_ = 0;       // the close code after which it was dialled once more
  bool is_resuming_ = false;     // the handler is to hear of it with the next message

  // Of this connection.
  ServerFrame frame_;
  std::string error_code_;
  std::int64_t last_seq_ = 0;
  std::uint32_t malformed_in_a_row_ = 0;

  std::uint64_t last_turn_ = 0;
  std::optional<Turn> turn_;
  duration turn_time_;  // of a request that names none
  AnswerTable answers_;
  std::deque<Waiting> waiting_;
  std::deque<time_point> sent_;  // in the last second
};

}  // namespace muster::lobby
