// SPDX-License-Identifier: MIT
// What reaches a session, and in which order.
#pragma once

#include <muster/frame.hpp>
#include <muster/outbox.hpp>
#include <muster/signal/config.hpp>
#include <muster/signal/stats.hpp>
#include <muster/wire/byte_writer.hpp>

#include "game_data.hpp"
#include "server_message.hpp"
#include "session.hpp"

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace muster::signal {

class GameRoom;

[[nodiscard]] Stats::Deliveries& deliveries_of(Stats& stats, DeliveryClass delivery) noexcept;

/// Sends to sessions: at once to those that keep up, and to those that are behind from a lane of
/// their own, where messages of the room's own go before game data and omissions are counted.
///
/// Who keeps up is in one of its room's audiences and costs nothing extra. Who is not has left it,
/// until it has caught up.
class Delivery {
 public:
  class Owner {
   public:
    /// It does not get what it must get: to be closed as `Session::doom` says, but not from within.
    /// It is sent nothing more.
    virtual void doomed(Session& session) = 0;
    /// Its deadline is another one.
    virtual void rescheduled(Session& session) = 0;

   protected:
    ~Owner() = default;
  };

  Delivery(const Config& config, Stats& stats, Owner& owner) noexcept
      : config_(&config), stats_(&stats), owner_(&owner) {}

  /// A message of the room's own, to one session.
  template <class Message>
  void tell(Session& session, const Message& message, time_point now) {
    send_control(session, encode(message, session.abilities.version), now);
  }

  /// One that divides what was before from what comes after: game data does not pass it.
  template <class Message>
  void divide(Session& session, const Message& message, time_point now) {
    send_barrier(session, encode(message, session.abilities.version), now);
  }

  /// The text of a message, until the next one is encoded.
  template <class Message>
  [[nodiscard]] byte_view encode(const Message& message, Version version) {
    text_.clear();
    wire::ByteWriter writer{text_};
    if constexpr (requires { write(writer, message, version); }) {
      write(writer, message, version);
    } else {
      write(writer, message);
    }
    return text_;
  }

  void send_control(Session& session, byte_view text, time_point now);
  void send_barrier(Session& session, byte_view text, time_point now);

  /// A message of the room's own, to one that is not in an audience.
  void send_behind(Session& session, byte_view text, time_point now);

  /// Game data, to one that is not in an audience.
  void send_data(Session& session, const Frame& frame, const GameDataStamp& stamp, time_point now);

  /// Tells a recipient that it does not get a message that it cannot read.
  void report_unreadable(Session& session, const GameDataStamp& stamp);

  /// It takes no more: from now on it has a lane.
  void fall_behind(Session& session, time_point now);

  /// It takes again. False: it has caught up, and has no lane any more.
  bool feed(Session& session);

  /// Sends all that waits, whatever the order of things: it moves to another loop.
  void empty(Session& session);

  /// When it is too slow if nothing changes, or `no_deadline`.
  [[nodiscard]] time_point deadline(const Session& session) const noexcept;

  /// It does not get what it must get.
  void give_up(Session& session, CloseCode code = CloseCode::slow_consumer);

  /// What became of all that was meant for it.
  [[nodiscard]] DeliveryCounters counters_of(const Session& session) const noexcept;

  /// The form of a text message that a session reads, until the next call.
  [[nodiscard]] Message form(const Session& session, byte_view text);

 private:
  [[nodiscard]] bool fits(Session& session, byte_view text);
  void push(Session& session, DeliveryLane::Outcome outcome);
  void report(Session& session, std::vector<Gap>& gaps);
  void send_report(Session& session, std::span<const Gap> gaps);

  const Config* config_;
  Stats* stats_;
  Owner* owner_;
  ClassCounts pending_{};  // taken from a lane, and not reported yet
  std::vector<std::byte> text_;
  std::vector<std::byte> report_;
  std::vector<std::byte> packed_;
};

}  // namespace muster::signal
