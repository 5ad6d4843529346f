// SPDX-License-Identifier: MIT
// A shard, whatever game it runs: what registries and services see of it.
#pragma once

#include <muster/bytes.hpp>
#include <muster/close_reason.hpp>
#include <muster/export.hpp>
#include <muster/frame.hpp>
#include <muster/rate_limit.hpp>
#include <muster/shard/simulation.hpp>
#include <muster/shard/subscription.hpp>
#include <muster/shard/tick_clock.hpp>
#include <muster/shard/tick_times.hpp>
#include <muster/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <vector>

namespace muster::shard {

/// Whether those without an account may join.
enum class Guests : std::uint8_t {
  refused,
  numbered,  ///< and are given an id that nobody else has
  named,     ///< and choose their id themselves, if they wish
};

/// What becomes of a subscriber whose id somebody else joins with.
enum class Duplicates : std::uint8_t {
  replace,  ///< the old connection is closed
  reject,   ///< the new one is refused
  multi,    ///< both stay
};

/// How a shard ended.
enum class Ending : std::uint8_t {
  none,      ///< it runs
  finished,  ///< its game is over
  stopped,   ///< somebody said so
  idle,      ///< nobody was there for too long
  draining,  ///< the process goes away
};

/// Why somebody may not join.
enum class JoinRefusal : std::uint8_t {
  none,
  needs_account,  ///< it has none, and guests are refused
  wrong_id,       ///< the id is not its account's
  unauthorized,   ///< the game said no
  stopped,
  full,
  duplicate,  ///< the id is taken
};

struct JoinCheck {
  JoinRefusal refusal = JoinRefusal::none;
  std::string reason;  ///< of `wrong_id` and `unauthorized`
};

/// What became of an input.
enum class InputVerdict : std::uint8_t {
  accepted,
  malformed,     ///< it is no input of this game
  unauthorized,  ///< the game does not allow it
  queue_full,    ///< too many wait
  too_fast,      ///< above the subscriber's rate
  flooding,      ///< and has been for ten seconds: close it
  stale,         ///< its number has been seen, or is older than what has been seen
  too_early,     ///< meant for a tick that is too far away
  stopped,       ///< the shard has ended
};
inline constexpr std::size_t input_verdict_count = 9;

/// "accepted", "malformed" ... as metrics name them.
[[nodiscard]] MUSTER_API std::string_view to_string(InputVerdict verdict) noexcept;

struct InputResult {
  InputVerdict verdict = InputVerdict::accepted;
  std::uint64_t number = 0;  ///< of those that the shard accepted, from 1; 0: not accepted
};

/// One authoritative simulation, its inputs, its subscribers and its ticks.
///
/// `Shard<S>` is the only class that derives from it. Calls that are virtual happen once for a
/// message or a pass, never within a tick.
/// @threads one loop per shard, the one of its subscribers
class MUSTER_API AnyShard {
 public:
  struct Config {
    std::uint32_t hz = 20;  ///< ticks in a second, 0 to 1000; 0: a tick whenever there is an input
    CatchUp catch_up{};
    std::uint32_t max_subscribers = 256;               ///< 0: no limit
    std::uint32_t max_inputs = 10'000;                 ///< that wait for a tick, 1 to 10 million
    std::uint32_t max_subscriber_inputs = 256;         ///< of one subscriber, 1 to `max_inputs`
    RateLimit input_rate{.messages_per_second = 120};  ///< of one subscriber

    /// How far ahead of the running tick an input may be meant to be, in ticks, 1 to 1024.
    std::uint16_t max_input_lead = 64;

    /// It ends when there has been neither a subscriber nor an input for so long; 0: never.
    duration idle_timeout = std::chrono::seconds{90};

    /// A subscriber who takes nothing for so long is closed, 100 ms to 1 h.
    duration write_timeout = std::chrono::seconds{10};

    /// What may wait for one subscriber of reliable events, besides two snapshots, in bytes.
    std::uint32_t max_events = 64 * 1024;

    Guests guests = Guests::refused;
    Duplicates duplicates = Duplicates::replace;

    /// The inputs of a tick are applied in the order of ids and their numbers, and not as they
    /// came: for simulations that must not depend on who is nearer.
    bool sorts_inputs = false;
  };

  /// @error errc::invalid_config   with the field's name in `problem`
  [[nodiscard]] static std::error_code validate(const Config& config, std::string& problem);

  /// Who is told when `next_deadline` may have changed.
  class Owner {
   public:
    virtual void changed(AnyShard& shard) = 0;

   protected:
    ~Owner() = default;
  };

  AnyShard(const AnyShard&) = delete;
  AnyShard& operator=(const AnyShard&) = delete;

  /// Connections that are still there lose their context; their outbox must be there.
  virtual ~AnyShard();

  // Subscribers come and go.

  /// Whether somebody may join; nothing changes.
  [[nodiscard]] virtual JoinCheck check_join(const Subscriber& who) const = 0;

  /// Keeps a place for somebody who may join, until `attach`, `leave` or the shard's end.
  /// @param who   without a handle
  [[nodiscard]] Subscription& reserve(Subscriber who, Wire wire, Format format);

  /// The subscriber's connection is open: it gets the state as it is now, and the game hears of it
  /// in the next tick. If the shard has ended meanwhile, the connection is closed.
  virtual void attach(Subscription& subscription, Connection& connection, time_point now) = 0;

  /// Its connection is gone. What it sent is applied before the game hears of it. The subscription
  /// must not be used any more.
  virtual void leave(Subscription& subscription, time_point now) = 0;

  /// The subscription whose id that is and that is connected, or null. Of several, the oldest.
  [[nodiscard]] Subscription* find(std::string_view subscriber_id) noexcept;

  /// The subscription of that handle, connected or about to be, or null.
  [[nodiscard]] Subscription* find(std::uint64_t handle) noexcept;

  // Input.

  /// @param value    the input's bytes, in `format`
  /// @param number   the client's; none: it is never taken for a duplicate
  /// @param target   the tick that it is meant for; 0: the next
  virtual InputResult input(Subscription& from, byte_view value, Format format,
                            std::optional<std::uint64_t> number, std::uint64_t target,
                            time_point now) = 0;

  /// v2: the subscriber has the snapshot of that tick. 0: it has none, and wants a whole one.
  void acknowledge(Subscription& from, std::uint64_t tick) noexcept;

  /// v2: what the subscriber wants to see, for a game that asks for it (`on_interest`).
  virtual void note_interest(Subscription& from, byte_view parameters) = 0;

  /// The format that comes nearest to the one that is wished.
  [[nodiscard]] virtual Format nearest(Format wished) const noexcept = 0;

  // Time.

  /// Runs the ticks that are due.
  virtual void advance(time_point now) = 0;
  [[nodiscard]] time_point next_deadline() const noexcept;

  /// Closes one subscriber. One of v2 is told in a message before.
  static void close(Subscription& subscription, CloseReason reason, std::uint16_t code,
                    std::string_view text);

  /// Ends it: no tick runs any more, and every subscriber is closed.
  void end(Ending how, time_point now);

  // State.

  [[nodiscard]] bool is_running() const noexcept { return ending_ == Ending::none; }
  [[nodiscard]] Ending ending() const noexcept { return ending_; }

  /// The number of the last tick that ran; 0: none yet.
  [[nodiscard]] std::uint64_t tick() const noexcept { return tick_; }

  /// Those who are connected.
  [[nodiscard]] std::size_t subscriber_count() const noexcept { return attached_; }
  [[nodiscard]] std::size_t input_count() const noexcept { return inputs_; }  ///< that wait
  [[nodiscard]] const Config& config() const noexcept { return config_; }
  [[nodiscard]] const TickClock* clock() const noexcept { return clock_ ? &*clock_ : nullptr; }

  struct Stats {
    std::uint64_t ticks = 0;
    std::uint64_t frames_encoded = 0;  ///< snapshots and deltas, each once for all who share it
    std::uint64_t frames_sent = 0;
    std::uint64_t frames_conflated = 0;  ///< replaced by a newer one before they left
    std::uint64_t frames_refused = 0;    ///< did not fit into a subscriber's budget
    std::uint64_t deltas_encoded = 0;    ///< of `frames_encoded`
    std::uint64_t bytes_encoded = 0;
    std::uint64_t events_sent = 0;
    std::uint64_t inputs[input_verdict_count] = {};  ///< by `InputVerdict`
    std::uint64_t inputs_refused = 0;                ///< by the game, when they were applied
    std::uint64_t joined = 0;
    std::uint64_t closed_slow = 0;
  };
  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }

  void set_owner(Owner* owner) noexcept { owner_ = owner; }

  /// Who measures its ticks, together with those of others that run before and after; null:
  /// nobody. Must outlive the shard.
  void set_times(TickTimes* times) noexcept { times_ = times; }

  /// For its registry: when it was last told to be due.
  time_point scheduled = no_deadline;

 protected:
  AnyShard(const Config& config, time_point now);

  /// The part of `check_join` that knows no game.
  [[nodiscard]] JoinCheck check_identity(const Subscriber& who) const;
  [[nodiscard]] JoinRefusal check_room(const Subscriber& who) const noexcept;

  /// The part of `attach` that knows no game. False: it has been closed.
  [[nodiscard]] bool begin(Subscription& subscription, Connection& connection, time_point now);

  /// It is connected no more, but may have inputs that wait.
  void detach(Subscription& subscription, time_point now) noexcept;
  void forget(Subscription& subscription) noexcept;

  /// What is refused without looking at the input.
  [[nodiscard]] InputVerdict screen(Subscription& from, std::size_t size,
                                    std::optional<std::uint64_t> number, std::uint64_t target,
                                    time_point now) noexcept;
  [[nodiscard]] InputResult refuse(InputVerdict verdict) noexcept;
  [[nodiscard]] InputResult accept(Subscription& from, std::optional<std::uint64_t> number,
                                   time_point now) noexcept;

  /// An input has been applied, `waited` after it came.
  static void applied(Subscription& from, std::optional<std::uint64_t> number,
                      duration waited) noexcept;

  void send_hello(Subscription& to);
  void send_snapshot(Subscription& to, const Frame& frame, time_point now);
  void send_event(Subscription& to, byte_view event, time_point now);
  void send_acknowledgement(Subscription& to);
  void note_change() {
    if (owner_ != nullptr) owner_->changed(*this);
  }
  [[nodiscard]] bool is_idle_at(time_point now) const noexcept;

  // A tick, for who measures it.
  void begin_times(time_point now) noexcept {
    if (times_ == nullptr) return;
    times_->begin();
    if (clock_) times_->late(now, clock_->lag());
  }
  void enter(TickPhase phase) const noexcept {
    if (times_ != nullptr) times_->enter(phase);
  }
  void end_times() noexcept {
    if (times_ != nullptr) times_->end();
  }

  Config config_;
  std::optional<TickClock> clock_;  // none: event-driven
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
  Stats stats_;
  std::uint64_t tick_ = 0;
  std::size_t inputs_ = 0;  // that wait, in all
  std::size_t attached_ = 0;
  time_point last_active_;       // when there was last a subscriber or an input
  time_point last_tick_;         // for an event-driven shard
  bool is_tick_wanted_ = false;  // event-driven: something waits for a tick
  Ending ending_ = Ending::none;

 private:
  [[nodiscard]] bool is_seen(const Subscription& from, std::uint64_t number) const noexcept;
  [[nodiscard]] static bool is_flooding(Subscription& from, time_point now) noexcept;

  std::multimap<std::string_view, Subscription*> by_id_;  // those who are connected
  std::unordered_map<std::uint64_t, Subscription*> by_handle_;
  std::vector<std::byte> words_;  // a message that is being written
  std::size_t places_ = 0;        // those who are connected, or about to be
  std::uint64_t next_handle_ = 1;
  std::uint64_t next_input_ = 1;
  Owner* owner_ = nullptr;
  TickTimes* times_ = nullptr;
  Outbox* outbox_ = nullptr;  // of all its connections; null: there was none
};

}  // namespace muster::shard
