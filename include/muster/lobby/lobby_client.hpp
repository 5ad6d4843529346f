// SPDX-License-Identifier: MIT
// A bot: it waits in a lobby and plays the matches that it is given.
#pragma once

#include <muster/lobby/engine.hpp>
#include <muster/lobby/executor.hpp>
#include <muster/lobby/game.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace muster::lobby {

/// A standing lobby connection and a connection for each match, played by handlers of yours.
///
///     struct Caller {
///       void on_turn(const Turn<RawGame>& turn, TurnReply<RawGame> reply) {
///         reply({turn.legal.front()});
///       }
///     };
///     LobbyClient<RawGame, Caller> bot{config, dialer, outbox, entropy, executor,
///                                      [](const MatchInfo&) { return std::make_unique<Caller>();
///                                      }};
///     loop.add(bot);
///     bot.start(loop.now());
///
/// Handlers run on the executor, one call of a match at a time, several matches at once. What they
/// throw is treated as `Config::safe_mode` says. A handler is destroyed on the executor or on the
/// loop's thread, when its match is over and its last call has returned.
///
/// It must outlive the connections that it dialled, and may be destroyed before its handlers have
/// returned.
/// @tparam G        the game; `RawGame` plays any, in JSON
/// @tparam Handler  plays one match
/// @threads one loop per client
template <Game G, MatchHandler<G> Handler>
class LobbyClient final : private Engine::Owner, public Engine {
 public:
  /// Makes the handler of a match; null: it is declined. Called on the loop's thread.
  using Factory = std::function<std::unique_ptr<Handler>(const MatchInfo&)>;

  /// Told on the loop's thread what happens. A call may stop the client, and must not destroy it.
  struct Observer {
    virtual ~Observer() = default;
    virtual void on_event(const Event& event, time_point now) {
      static_cast<void>(event), static_cast<void>(now);
    }
    virtual void on_result(const MatchResult& result, time_point now) {
      static_cast<void>(result), static_cast<void>(now);
    }
    /// No match is played any more. Connections may still be closing.
    virtual void on_stopped(StopReason reason, time_point now) {
      static_cast<void>(reason), static_cast<void>(now);
    }
  };

  /// @param config     valid
  /// @param executor   must outlive the client, and what it has been given to run
  /// @param observer   may be null
  LobbyClient(const Config& config, Dialer& dialer, Outbox& outbox, Entropy& entropy,
              Executor& executor, Factory factory, Observer* observer = nullptr)
      : Engine(config, dialer, outbox, entropy, static_cast<Engine::Owner&>(*this)),
        executor_(&executor),
        factory_(std::move(factory)),
        observer_(observer),
        alive_(std::make_shared<LobbyClient*>(this)) {}

 private:
  using Weak = std::weak_ptr<LobbyClient*>;

  /// Calls that wait for a handler. More are dropped, and a turn among them gets the fallback.
  static constexpr std::size_t max_waiting = 1024;

  struct Failure {
    std::uint64_t turn;  // what it was asked; 0: in another call
    std::string what;
  };

  struct Seat {
    std::shared_ptr<Handler> handler;
    std::deque<Call> waiting;
    bool is_running = false;  // a call of its handler
    bool is_over = false;     // no more calls come
  };

  bool on_attach(MatchNumber match, const MatchInfo& info) override {
    std::unique_ptr<Handler> handler = factory_(info);
    if (handler == nullptr) return false;
    seats_[match].handler = std::move(handler);
    return true;
  }

  void on_call(MatchNumber match, Call&& call) override {
    if (!is_wanted(call)) return;
    Seat& seat = seats_.at(match);
    if (seat.waiting.size() >= max_waiting && !std::holds_alternative<MatchEnd>(call)) return;
    seat.waiting.push_back(std::move(call));
    run_next(match, seat);
  }

  Action fallback(std::span<const std::string> legal) override { return G::fallback(legal); }

  void on_event(const Event& event, time_point now) override {
    if (observer_ != nullptr) observer_->on_event(event, now);
  }
  void on_result(MatchNumber match, const MatchResult& result, time_point now) override {
    const auto found = seats_.find(match);
    found->second.is_over = true;
    if (!found->second.is_running && found->second.waiting.empty()) seats_.erase(found);
    if (observer_ != nullptr) observer_->on_result(result, now);
  }
  void on_stopped(StopReason reason, time_point now) override {
    if (observer_ != nullptr) observer_->on_stopped(reason, now);
  }

  // What no handler listens to needs no thread.
  static bool is_wanted(const Call& call) {
    return std::visit(
        []<class What>(const What&) {
          return std::is_same_v<What, TurnRequest> || Caller::template hears<What>;
        },
        call);
  }

  // A match has one task at a time. What comes meanwhile waits, and goes out together.
  void run_next(MatchNumber match, Seat& seat) {
    if (seat.is_running || seat.waiting.empty()) return;
    seat.is_running = true;
    executor_->run([executor = executor_, weak = Weak{alive_}, match, handler = seat.handler,
                    calls = std::exchange(seat.waiting, {})]() mutable {
      const Caller caller{*executor, weak, match};
      std::vector<Failure> failures;
      for (Call& call : calls) {
        const auto* const turn = std::get_if<TurnRequest>(&call);
        const std::uint64_t asked = turn == nullptr ? 0 : turn->turn;
        if (auto what = caller.run(*handler, call)) failures.push_back({asked, std::move(*what)});
      }
      handler.reset();
      executor->post([weak, match, failures](time_point now) {
        if (const auto self = weak.lock()) (*self)->returned(match, failures, now);
      });
    });
  }

  void returned(MatchNumber match, const std::vector<Failure>& failures, time_point now) {
    for (const Failure& failure : failures) handler_failed(match, failure.turn, failure.what, now);
    const auto found = seats_.find(match);
    if (found == seats_.end()) return;
    found->second.is_running = false;
    run_next(match, found->second);
    if (found->second.is_over && !found->second.is_running) seats_.erase(found);
  }

  // Calls a handler, wherever the executor does that.
  struct Caller {
    Executor& executor;
    const Weak& weak;
    MatchNumber match;

    // Whether a handler has a function for it.
    template <class What>
    static constexpr bool hears = [] {
      if constexpr (std::is_same_v<What, Attach>) {
        return requires(Handler & h, const MatchInfo& i) { h.on_attach(i); }
        || requires(Handler & h, const MatchInfo& i, ActionSender<G> s) { h.on_attach(i, s); };
      } else if constexpr (std::is_same_v<What, MatchStart>) {
        return requires(Handler & h, const What& w) { h.on_match_start(w); };
      } else if constexpr (std::is_same_v<What, GameEvent>) {
        return requires(Handler & h, const What& w) { h.on_event(w); };
      } else if constexpr (std::is_same_v<What, Reconnected>) {
        return requires(Handler & h, const What& w) { h.on_reconnected(w); };
      } else if constexpr (std::is_same_v<What, MatchEnd>) {
        return requires(Handler & h, const What& w) { h.on_match_end(w); };
      } else if constexpr (std::is_same_v<What, GameFrame>) {
        return requires(Handler & h, const What& w) { h.on_frame(w); };
      } else {
        return requires(Handler & h, duration d) { h.on_latency(d); };
      }
    }();

    // What was thrown; nothing if all is well.
    std::optional<std::string> run(Handler& handler, Call& call) const {
#if defined(__cpp_exceptions)
      try {
        return std::visit([&](auto& what) { return tell(handler, what); }, call);
      } catch (const std::exception& error) {
        return error.what();
      } catch (...) {
        return "it threw something";
      }
#else
      return std::visit([&](auto& what) { return tell(handler, what); }, call);
#endif
    }

    std::optional<std::string> tell(Handler& handler, TurnRequest& request) const {
      auto state = G::parse_state(request.state);
      if (!state) return "the state cannot be read: " + std::string{to_string(state.error())};
      const Turn<G> turn{std::move(*state), std::move(request.legal), std::move(request.request_id),
                         request.seat, request.time};
      const std::uint64_t number = request.turn;
      handler.on_turn(turn, TurnReply<G>{[to = &executor, client = weak, number,
                                          table = match](const std::optional<Action>& action) {
                        if (client.expired()) return;  // and the executor may be gone too
                        to->post([client, number, table, action](time_point now) {
                          const auto self = client.lock();
                          if (!self) return;
                          if (action) return (*self)->answer(table, number, *action, now);
                          (*self)->handler_failed(table, number, "no answer", now);
                        });
                      }});
      return std::nullopt;
    }

    std::optional<std::string> tell(Handler& handler, Attach& attach) const {
      if constexpr (requires(ActionSender<G> s) { handler.on_attach(attach.info, s); }) {
        handler.on_attach(attach.info, ActionSender<G>{[to = &executor, client = weak,
                                                        table = match](std::string id, Action a) {
                            if (client.expired()) return;
                            to->post([client, table, id, a](time_point now) {
                              if (const auto self = client.lock()) (*self)->send(table, id, a, now);
                            });
                          }});
      } else if constexpr (requires { handler.on_attach(attach.info); }) {
        handler.on_attach(attach.info);
      }
      return std::nullopt;
    }

    std::optional<std::string> tell(Handler& handler, MatchStart& start) const {
      if constexpr (hears<MatchStart>) handler.on_match_start(start);
      return std::nullopt;
    }
    std::optional<std::string> tell(Handler& handler, GameEvent& event) const {
      if constexpr (hears<GameEvent>) handler.on_event(event);
      return std::nullopt;
    }
    std::optional<std::string> tell(Handler& handler, Reconnected& back) const {
      if constexpr (hears<Reconnected>) handler.on_reconnected(back);
      return std::nullopt;
    }
    std::optional<std::string> tell(Handler& handler, MatchEnd& end) const {
      if constexpr (hears<MatchEnd>) handler.on_match_end(end);
      return std::nullopt;
    }
    std::optional<std::string> tell(Handler& handler, GameFrame& frame) const {
      if constexpr (hears<GameFrame>) handler.on_frame(frame);
      return std::nullopt;
    }
    std::optional<std::string> tell(Handler& handler, Latency& latency) const {
      if constexpr (hears<Latency>) {
        handler.on_latency(latency.decision);
      }
      return std::nullopt;
    }
  };

  Executor* executor_;
  Factory factory_;
  Observer* observer_;
  std::map<MatchNumber, Seat> seats_;
  std::shared_ptr<LobbyClient*> alive_;  // what calls and answers under way hold weakly
};

}  // namespace muster::lobby
