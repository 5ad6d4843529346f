// SPDX-License-Identifier: MIT
// A subscriber's side of the shard protocol.
#pragma once

#include <muster/backoff.hpp>
#include <muster/dialer.hpp>
#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/outbox.hpp>
#include <muster/result.hpp>
#include <muster/service.hpp>
#include <muster/shard/parting.hpp>
#include <muster/shard/server_clock.hpp>
#include <muster/shard/snapshot_store.hpp>
#include <muster/shard/subscription.hpp>
#include <muster/shard/v2_message.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace muster::shard {

/// Joins a shard through a dialer and stays in it: a lost connection is followed by another one,
/// never two at once, until the ending is final or the policy gives up.
///
///     shard::Client client{{.dial = {.url = "ws://127.0.0.1:4324/?shard=arena&v=2"}},
///                          dialer, loop.outbox(), entropy, handler};
///     loop.add(client);
///     client.start(loop.now());
///     client.input(bytes);
///
/// It is a service: add it to the loop, so that its deadlines are kept. It must live until `on_end`
/// was called, or its loop's connections are gone. Nothing is allocated for a message once buffers
/// have their size.
/// @threads one loop per client
/// @source docs/protocol/shard.md
class MUSTER_API Client final : public muster::Service {
 public:
  struct Config {
    /// Where to, as whom, and with which token: `shard`, `sid`, `v=2` and `format` in the query;
    /// the token in a header `Authorization: Bearer TOKEN`, or as the subprotocol `bearer.TOKEN`.
    DialRequest dial{};

    /// `legacy`: whole snapshots only, and inputs in JSON; what needs more is never heard.
    Wire wire = Wire::v2;

    duration join_timeout =
        std::chrono::seconds{10};     ///< from the dial to being in the shard, 100 ms to 10 min
    bool reconnects = true;           ///< false: the first loss is the end
    std::uint32_t max_attempts = 20;  ///< in a row without joining; 0: no limit
    Backoff::Config backoff{};

    std::size_t max_message = 1024 * 1024;  ///< bytes of a message from the server, 1 KiB to 64 MiB
    std::size_t max_bases = 4 * 1024 * 1024;  ///< bytes of snapshots kept for deltas, to 1 GiB
    duration clock_interval =
        std::chrono::seconds{1};  ///< between two looks at the server's clock, 100 ms to 1 h
    Budget budget{};              ///< what may wait for the server
  };

  /// @error errc::invalid_config   with a sentence about the first field that is wrong in `problem`
  [[nodiscard]] static std::error_code validate(const Config& config, std::string& problem);

  enum class State : std::uint8_t {
    idle,        ///< not started
    connecting,  ///< dialled; with version 2, until the hello
    joined,      ///< in the shard
    closing,     ///< the connection ends; what follows is decided by how
    away,        ///< waits for the next attempt
    ended,
  };

  /// What the game does. Calls come from the loop, never from within a verb, with one exception:
  /// leaving while there is no connection ends at once. Views are valid during the call. A call may
  /// use every verb of the client, and must not destroy it.
  class Handler {
   public:
    virtual ~Handler() = default;

    /// In the shard, for the first time or again: the state follows. What was sent before a loss,
    /// and was not acknowledged, may or may not have been applied.
    virtual void on_joined(time_point now) { static_cast<void>(now); }

    /// The state after a tick, whole, in the format of `hello()`. Ticks rise on a connection, and
    /// some are left out. It comes again for a tick if it was asked for again.
    virtual void on_snapshot(std::uint64_t tick, byte_view snapshot, time_point now) = 0;

    /// Makes a snapshot of an older one and what has changed since. The counterpart of the game's
    /// `encode_delta`.
    /// @param out   empty; gets the snapshot
    /// @return      false: that is no such delta. The client asks for a whole snapshot.
    virtual bool apply_delta(byte_view base, byte_view delta, std::vector<std::byte>& out) {
      static_cast<void>(base), static_cast<void>(delta), static_cast<void>(out);
      return false;
    }

    /// A reliable message of the game. None is left out on a connection; they count from 1.
    virtual void on_event(std::uint64_t number, byte_view event, time_point now) {
      static_cast<void>(number), static_cast<void>(event), static_cast<void>(now);
    }

    /// What has been applied by `ack.tick`. `on_snapshot` follows at once, with a state that shows
    /// it, so that is the place to reconcile what was predicted. Of several whose snapshots did not
    /// come only the newest is told.
    virtual void on_input_ack(const v2::InputAck& ack, time_point now) {
      static_cast<void>(ack), static_cast<void>(now);
    }

    /// An input will not be applied.
    virtual void on_nack(const v2::Nack& nack, time_point now) {
      static_cast<void>(nack), static_cast<void>(now);
    }

    /// Out of the shard, and tries to come back.
    /// @param text   the server's or the transport's; for people, may be empty
    /// @param next   when it dials again
    virtual void on_away(Parting parting, std::string_view text, time_point next, time_point now) {
      static_cast<void>(parting), static_cast<void>(text), static_cast<void>(next);
      static_cast<void>(now);
    }

    /// It is over, once and for good. Afterwards the client may be destroyed, but not from within.
    /// @param parting   a passing one when reconnecting is switched off
    virtual void on_end(Parting parting, std::string_view text, time_point now) = 0;
  };

  /// @param config   valid
  Client(const Config& config, Dialer& dialer, Outbox& outbox, Entropy& entropy, Handler& handler);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Dials. To be called once.
  /// @error errc::wrong_state   it was called before
  std::error_code start(time_point now);

  /// Sends an input. One that is not sent has no number and is not sent later: a game that is away
  /// has other things to say afterwards.
  /// @param value    in the format of `hello()`; legacy: one JSON value
  /// @param target   version 2: the tick that it is for; 0: the next
  /// @return         its number: 1, 2, 3 ..., going on after a loss
  /// @error errc::wrong_state   not in the shard
  /// @error errc::too_large     above what the server takes
  /// @error errc::over_budget   too much waits already
  /// @error errc::closed        the connection is closing
  result<std::uint64_t> input(byte_view value, std::uint64_t target = 0);

  /// Version 2: says what the game wants to see. It does not outlive the connection.
  /// @error as `input`
  std::error_code interest(byte_view parameters);

  /// Leaves for good: `on_end(left)` follows, at once if there is no connection.
  void leave(time_point now);

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] bool is_joined() const noexcept { return state_ == State::joined; }

  /// What the server said first; its `sid` is `sid()`. Nothing before it, and never with the legacy
  /// protocol.
  [[nodiscard]] const std::optional<v2::Hello>& hello() const noexcept { return hello_; }
  [[nodiscard]] std::string_view sid() const noexcept { return sid_; }

  /// The newest snapshot's tick on this connection; 0: none yet.
  [[nodiscard]] std::uint64_t tick() const noexcept { return tick_; }

  /// The server's clock, as far as it is known on this connection.
  [[nodiscard]] const ServerClock& clock() const noexcept { return clock_; }

  struct Stats {
    std::uint64_t dials = 0;
    std::uint64_t joins = 0;
    std::uint64_t losses = 0;  ///< connections that ended, or never opened
    std::uint64_t snapshots = 0;
    std::uint64_t deltas = 0;     ///< of `snapshots`: made from an older one
    std::uint64_t resyncs = 0;    ///< a whole snapshot was asked for
    std::uint64_t ignored = 0;    ///< messages that came late, or mean nothing here
    std::uint64_t malformed = 0;  ///< with version 2 each ends the connection
    std::uint64_t inputs = 0;     ///< sent
  };
  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }

  void on_open(Connection& connection, time_point now) override;
  void on_message(Connection& connection, const Message& message, time_point now) override;
  void on_close(Connection& connection, const CloseInfo& info, time_point now) override;
  void on_drain(time_point now) override { leave(now); }
  void advance(time_point now) override;
  [[nodiscard]] time_point next_deadline() const noexcept override { return deadline_; }

 private:
  void dial(time_point now);
  void join(time_point now);
  void receive_legacy(const Message& message, time_point now);
  void receive(Connection& connection, const Message& message, time_point now);
  void take_full(Connection& connection, const v2::Full& full, time_point now);
  void take_change(Connection& connection, std::uint64_t tick, std::uint64_t base,
                   const byte_view* delta, time_point now);
  void show(Connection& connection, std::uint64_t tick, byte_view snapshot, bool is_kept,
            time_point now);
  [[nodiscard]] bool is_late(std::uint64_t tick);
  void resync(Connection& connection);
  void ask_clock(Connection& connection, time_point now);
  void break_off(Connection& connection, Parting verdict, CloseReason reason, std::uint16_t code,
                 std::string_view text);
  void reject(Connection& connection, std::string_view text);
  void take_ack(const v2::InputAck& ack, time_point now);
  void lost(Parting parting, std::string_view text, time_point now);
  void end(Parting parting, std::string_view text, time_point now);
  template <class T>
  SendStatus say(Connection& connection, const T& message, Delivery delivery);

  Config config_;
  Dialer* dialer_;
  Outbox* outbox_;
  Handler* handler_;
  Backoff backoff_;
  Stats stats_;
  State state_ = State::idle;
  ConnectionId connection_;
  std::uint32_t attempts_ = 0;  // since it was last in the shard
  time_point deadline_ = no_deadline;
  std::uint64_t next_seq_ = 1;
  std::vector<std::byte> words_;  // a message that is being written

  // Of the present connection.
  std::optional<v2::Hello> hello_;
  std::string sid_;
  std::uint64_t tick_ = 0;
  std::uint64_t next_event_ = 1;
  bool has_joined_ = false;
  bool is_resyncing_ = false;        // a whole snapshot was asked for, and has not come
  std::optional<v2::InputAck> ack_;  // whose snapshot has not come
  SnapshotStore bases_;
  std::vector<std::byte> rebuilt_;  // the snapshot that a delta leads to
  ServerClock clock_;
  std::optional<Parting> verdict_;  // decided here, whatever the transport says
  std::optional<Parting> bye_;
  std::string last_words_;
};

}  // namespace muster::shard
