// SPDX-License-Identifier: MIT
// A lobby client with a server that a test plays line by line, in virtual time.
#pragma once

#include <muster/dialer.hpp>
#include <muster/entropy.hpp>
#include <muster/lobby/lobby_client.hpp>
#include <muster/outbox.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::test {

/// What a test sees of one connection of the client.
struct LobbyLine {
  DialRequest dial;
  std::deque<std::string> sent;  ///< by the client, and not looked at yet
  bool is_closed = false;        ///< by the client
  std::uint16_t closed_with = 0;
};

/// One connection of the client, in memory.
class Line final : public LobbyLine, public Connection {
 public:
  Line(Outbox& outbox, DialRequest asked) : Connection(outbox, Framing::messages) {
    dial = std::move(asked);
  }

  bool has_come = false;  ///< for a test: the dial was answered

  [[nodiscard]] std::string_view subprotocol() const noexcept override { return selected_; }

  void name(Service& service) { answer_to(service); }
  void open(Service& service, std::string selected, time_point now) {
    selected_ = std::move(selected);
    opened(service);
    announce(now);
  }
  void fail(CloseReason reason, std::uint16_t code, std::string_view text) {
    ended(reason, true, code, text);
  }
  void server_closes(std::uint16_t code, std::string_view text) {
    ended(CloseReason::finished, true, code, text);
  }

 private:
  bool write_message(Message message, Delivery::Class) noexcept override {
    sent.emplace_back(as_text(message.bytes));
    return true;
  }
  void finish(const CloseInfo& info) noexcept override {
    is_closed = true;
    closed_with = info.code;
    ended(info.reason, false, info.code, info.text);
  }
  void release() noexcept override {}

  std::string selected_;
};

/// Dials by making lines that wait for the test.
class LineDialer final : public Dialer {
 public:
  explicit LineDialer(Outbox& outbox) : outbox_(&outbox) {}

  ConnectionId dial(const DialRequest& request, Service& service) override {
    lines.push_back(std::make_unique<Line>(*outbox_, request));
    lines.back()->name(service);
    services.push_back(&service);
    return lines.back()->id();
  }

  std::vector<std::unique_ptr<Line>> lines;  ///< in the order in which they were dialled
  std::vector<Service*> services;

 private:
  Outbox* outbox_;
};

/// Runs tasks when it is told to, one after the other.
class QueueExecutor final : public lobby::Executor {
 public:
  void run(std::function<void()> task) override { tasks_.push_back(std::move(task)); }
  bool post(std::function<void(time_point)> task) override {
    posts_.push_back(std::move(task));
    return true;
  }
  bool step(time_point now) {
    if (!tasks_.empty()) {
      const auto task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
      return true;
    }
    if (posts_.empty()) return false;
    const auto task = std::move(posts_.front());
    posts_.pop_front();
    task(now);
    return true;
  }

 private:
  std::deque<std::function<void()>> tasks_;
  std::deque<std::function<void(time_point)>> posts_;
};

/// What handlers do, and were told.
struct Play {
  using Reply = lobby::TurnReply<lobby::RawGame>;

  std::vector<std::string> calls;
  std::vector<duration> times;  ///< to answer, of each turn
  std::size_t decisions = 0;
  std::size_t latencies = 0;

  /// What becomes of the next turn; nothing: call if offered, else check, else fold.
  std::optional<lobby::Action> next_action;
  std::optional<std::string> next_throw;
  bool holds_next = false;
  std::vector<Reply> held;

  static lobby::Action usual(const std::vector<std::string>& legal) {
    for (const std::string_view wished : {"call", "check", "fold"}) {
      if (std::find(legal.begin(), legal.end(), wished) != legal.end()) {
        return {std::string{wished}, "{}"};
      }
    }
    return {legal.front(), "{}"};
  }
};

/// A handler that does what `Play` says.
class PlayHandler {
 public:
  explicit PlayHandler(Play& play) : play_(&play) {}

  void on_attach(const lobby::MatchInfo& info) {
    play_->calls.push_back(info.resumed ? "on_attach(resume=true)" : "on_attach");
  }
  void on_match_start(const lobby::MatchStart&) { play_->calls.push_back("on_match_start"); }
  void on_event(const lobby::GameEvent& event) {
    play_->calls.push_back("on_event(" + event.type + ")");
  }
  void on_reconnected(const lobby::Reconnected& back) {
    play_->calls.push_back(back.frame.empty() ? "on_reconnected" : "on_reconnected(frame)");
  }
  void on_match_end(const lobby::MatchEnd&) { play_->calls.push_back("on_match_end"); }
  void on_frame(const lobby::GameFrame& frame) {
    play_->calls.push_back("on_frame(" + frame.type + ")");
  }
  void on_latency(duration) { ++play_->latencies; }
  void on_turn(const lobby::Turn<lobby::RawGame>& turn, Play::Reply reply) {
    play_->calls.push_back("on_turn");
    play_->times.push_back(turn.time);
    ++play_->decisions;
    if (const auto what = std::exchange(play_->next_throw, std::nullopt)) {
      throw std::runtime_error(*what);
    }
    if (std::exchange(play_->holds_next, false)) {
      play_->held.push_back(std::move(reply));
      return;
    }
    const auto wished = std::exchange(play_->next_action, std::nullopt);
    reply(wished.value_or(Play::usual(turn.legal)));
  }

 private:
  Play* play_;
};

/// What a client said about itself.
class LobbyNotes : public lobby::LobbyClient<lobby::RawGame, PlayHandler>::Observer {
 public:
  using Client = lobby::LobbyClient<lobby::RawGame, PlayHandler>;

  Play play;
  std::vector<std::string> events;         ///< names
  std::vector<std::string> event_details;  ///< "name detail", and "name(code)" if there is one
  std::vector<lobby::MatchResult> results;
  std::optional<lobby::StopReason> stopped;

  void on_event(const lobby::Event& event, time_point) override {
    const std::string name{to_string(event.kind)};
    events.push_back(name);
    event_details.push_back(name + " " + std::string{event.detail});
    if (event.code != 0) event_details.push_back(name + "(" + std::to_string(event.code) + ")");
  }
  void on_result(const lobby::MatchResult& result, time_point) override {
    results.push_back(result);
  }
  void on_stopped(lobby::StopReason reason, time_point) override { stopped = reason; }

  /// The number of times an event was told.
  [[nodiscard]] std::size_t count(std::string_view name) const {
    return static_cast<std::size_t>(std::count(events.begin(), events.end(), name));
  }
  [[nodiscard]] std::size_t count_detail(std::string_view detail) const {
    return static_cast<std::size_t>(std::count(event_details.begin(), event_details.end(), detail));
  }
};

/// A client, its lines, and the clock.
class LobbyWorld : public LobbyNotes {
 public:
  explicit LobbyWorld(const lobby::Config& config, std::uint64_t seed = 1)
      : entropy(seed), dialer(outbox) {
    client = std::make_unique<Client>(
        config, dialer, outbox, entropy, executor,
        [this](const lobby::MatchInfo&) { return std::make_unique<PlayHandler>(play); }, this);
  }

  SeededEntropy entropy;
  Outbox outbox;
  LineDialer dialer;
  QueueExecutor executor;
  std::unique_ptr<Client> client;
  time_point now = time_point{} + std::chrono::hours{1};

  void start() {
    client->start(now);
    settle();
  }
  void stop() {
    client->stop(now);
    settle();
  }

  [[nodiscard]] std::size_t lines() const { return dialer.lines.size(); }
  [[nodiscard]] Line& line_at(std::size_t i) { return *dialer.lines[i]; }

  /// Whether it is so when nothing more happens by itself.
  template <class Done>
  bool wait(Done done) {
    settle();
    return done();
  }

  // The server's part.
  void accept(std::size_t i, std::string selected) {
    line_at(i).open(*dialer.services[i], std::move(selected), now);
    settle();
  }
  void fail(LobbyLine& line, CloseReason reason, std::uint16_t code, std::string_view text) {
    static_cast<Line&>(line).fail(reason, code, text);
    settle();
  }
  void close(LobbyLine& line, std::uint16_t code, std::string_view text) {
    static_cast<Line&>(line).server_closes(code, text);
    settle();
  }
  void reset(LobbyLine& line) { fail(line, CloseReason::connection_lost, 0, "reset"); }

  /// A message above the limit, which the transport knows: `Connection::limit_receive`.
  void say_too_much(LobbyLine& line, std::size_t) {
    static_cast<Line&>(line).close(CloseReason::too_large, 1009);
    settle();
  }

  /// Lets everything happen that happens without time passing.
  void settle() {
    do {
      outbox.flush(now);
      outbox.dispatch(now);
      if (client->next_deadline() <= now) client->advance(now);
    } while (executor.step(now) || outbox.is_dirty());
  }

  void advance(duration span) {
    const time_point until = now + span;
    settle();
    while (client->next_deadline() <= until) {
      now = std::max(now, client->next_deadline());
      client->advance(now);
      settle();
    }
    now = until;
    settle();
  }

  /// A message of the server.
  void say(LobbyLine& to, std::string_view text, MessageKind kind = MessageKind::text) {
    auto& line = static_cast<Line&>(to);
    if (line.is_open()) line.service()->on_message(line, {as_bytes(text), kind}, now);
    settle();
  }
  void say(LobbyLine& to, const nlohmann::json& frame) { say(to, std::string_view{frame.dump()}); }
};

}  // namespace muster::test
