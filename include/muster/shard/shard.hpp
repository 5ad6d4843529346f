// SPDX-License-Identifier: MIT
// A shard of one game.
#pragma once

#include <muster/msgpack/json_msgpack.hpp>
#include <muster/shard/any_shard.hpp>
#include <muster/shard/delta_history.hpp>
#include <muster/shard/frame_cache.hpp>
#include <muster/shard/replay_log.hpp>
#include <muster/shard/simulation.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster::shard {

/// A simulation, its inputs, its ticks, and the snapshots that its subscribers get.
///
///     Shard<Arena> shard{{.hz = 30}, Arena{map}, now};
///     registry.insert("arena-1", shard);
///
/// A tick takes the inputs that wait, in the order in which they came, applies each, moves the
/// simulation by the fixed time of a tick, and sends each subscriber the picture that its view key
/// names, each picture encoded once. A subscriber who does not keep up gets the newest and not all.
/// @tparam S   see `Simulation`; nothing of it is called through a virtual function
/// @threads one loop per shard
template <Simulation S>
class Shard final : public AnyShard {
 public:
  using Input = typename S::Input;

  /// @param config   valid
  Shard(const Config& config, S simulation, time_point now)
      : AnyShard(config, now), simulation_(std::move(simulation)) {}

  [[nodiscard]] const S& simulation() const noexcept { return simulation_; }

  /// For what is neither an input nor a step, such as what another shard says. Not within a tick.
  [[nodiscard]] S& simulation() noexcept {
    frames_.clear();  // they may show what is about to change
    history_.clear();
    return simulation_;
  }

  /// Called after each tick, when its snapshots are on their way: to keep the state, to record it.
  void after_tick(std::function<void(const S&, std::uint64_t tick)> hook) {
    after_tick_ = std::move(hook);
  }

  /// Records what the simulation is told from now on, in that order, for `replay`; null: nothing
  /// more. To replay all of it, record from before the first join. The log must outlive the shard.
  void record(ReplayLog* log) noexcept { log_ = log; }

  [[nodiscard]] JoinCheck check_join(const Subscriber& who) const override {
    JoinCheck check = check_identity(who);
    if constexpr (HasAuthorizeJoin<S>) {
      if (check.refusal == JoinRefusal::none && !who.is_admin) {
        if (std::string reason = simulation_.authorize_join(who); !reason.empty()) {
          check = {JoinRefusal::unauthorized, std::move(reason)};
        }
      }
    }
    if (check.refusal == JoinRefusal::none) check.refusal = check_room(who);
    return check;
  }

  void attach(Subscription& subscription, Connection& connection, time_point now) override {
    if (!begin(subscription, connection, now)) return;
    send_hello(subscription);
    if (tick_ == 0 || subscription.acked_tick != tick_) send_current(subscription, now);
    if (HasOnJoin<S> || log_ != nullptr) enqueue({Queued::Kind::join, &subscription, now});
    note_change();
  }

  void leave(Subscription& subscription, time_point now) override {
    const bool is_known =
        subscription.connection != nullptr && (HasOnJoin<S> || HasOnLeave<S> || log_ != nullptr);
    detach(subscription, now);
    if (is_running() && (is_known || subscription.queued != 0)) {
      enqueue({Queued::Kind::leave, &subscription, now});
    } else {
      drop_queued_of(subscription);
      forget(subscription);
    }
    note_change();
  }

  InputResult input(Subscription& from, byte_view value, Format format,
                    std::optional<std::uint64_t> number, std::uint64_t target,
                    time_point now) override {
    const InputVerdict verdict = screen(from, value.size(), number, target, now);
    if (verdict != InputVerdict::accepted) return refuse(verdict);
    std::optional<Input> decoded = decode(value, format);
    if (!decoded) return refuse(InputVerdict::malformed);
    if constexpr (HasAuthorizeInput<S>) {
      if (!simulation_.authorize_input(from.who, *decoded)) {
        return refuse(InputVerdict::unauthorized);
      }
    }
    const InputResult result = accept(from, number, now);
    enqueue({Queued::Kind::input, &from, now, number, target, std::move(decoded)});
    if (log_ != nullptr) keep_bytes(value, format);
    note_change();
    return result;
  }

  [[nodiscard]] Format nearest(Format wished) const noexcept override {
    return wished == Format::msgpack || writes(wished) ? wished : Format::json;
  }

  void note_interest(Subscription& from, byte_view parameters) override {
    if constexpr (requires { simulation_.on_interest(from.who, parameters); }) {
      frames_.clear();
      simulation_.on_interest(from.who, parameters);
    }
  }

  void advance(time_point now) override {
    if (!is_running()) return;
    if (clock_) {
      while (is_running() && clock_->is_due(now)) run_tick(clock_->take(now), now);
    } else if (is_tick_wanted_) {
      // Time passes for it too, though it is not what moves it.
      run_tick(now - last_tick_, now);
    }
    if (is_running() && is_idle_at(now)) end(Ending::idle, now);
    note_change();
  }

 private:
  struct NoHistory {
    void clear() noexcept {}
  };
  template <class T>
  struct HistoryOf {
    using type = NoHistory;
  };
  template <HasDelta T>
  struct HistoryOf<T> {
    using type = DeltaHistory<typename T::Snapshot>;
  };
  using History = typename HistoryOf<S>::type;

  struct Queued {
    enum class Kind : std::uint8_t { join, input, leave };
    Kind kind;
    Subscription* from;
    time_point came;
    std::optional<std::uint64_t> number{};
    std::uint64_t target = 0;
    std::optional<Input> input{};
    Format format = Format::json;    // of the bytes
    std::vector<std::byte> bytes{};  // for the log, if there is one
  };

  void enqueue(Queued queued) {
    queue_.push_back(std::move(queued));
    is_tick_wanted_ = true;
  }

  void run_tick(duration covered, time_point now) {
    ++tick_;
    ++stats_.ticks;
    last_tick_ = now;
    is_tick_wanted_ = false;
    begin_times(now);
    batch_.swap(queue_);
    if (config_.sorts_inputs) sort_batch();
    for (Queued& queued : batch_) take(queued, now);
    batch_.clear();
    enter(TickPhase::step);
    events_.clear();
    if (log_ != nullptr) log_->step(tick_, covered);
    if constexpr (requires { simulation_.step(covered, events_); }) {
      simulation_.step(covered, events_);
    } else {
      simulation_.step(covered);
    }
    enter(TickPhase::publish);
    publish(now);
    if (!events_.entries().empty()) send_events(now);
    end_times();
    if (after_tick_) after_tick_(simulation_, tick_);
    if constexpr (HasFinished<S>) {
      if (simulation_.finished()) end(Ending::finished, now);
    }
  }

  void take(Queued& queued, time_point now) {
    Subscription& from = *queued.from;
    switch (queued.kind) {
      case Queued::Kind::join:
        if constexpr (HasOnJoin<S>) simulation_.on_join(from.who);
        if (log_ != nullptr) log_->join(from.who);
        return;
      case Queued::Kind::leave:
        if constexpr (HasOnLeave<S>) simulation_.on_leave(from.who);
        if (log_ != nullptr) log_->leave(from.who.handle);
        drop_queued_of(from);  // what was meant for a later tick
        forget(from);
        return;
      case Queued::Kind::input:
        break;
    }
    if (queued.target > tick_ && clock_) {
      queue_.push_back(std::move(queued));
      return;
    }
    --inputs_;
    applied(from, queued.number, now - queued.came);
    if (log_ != nullptr) {
      log_->input(from.who.handle, queued.number, queued.format, queued.bytes);
    }
    if constexpr (requires { static_cast<bool>(simulation_.apply(from.who, *queued.input)); }) {
      if (!simulation_.apply(from.who, *queued.input)) ++stats_.inputs_refused;
    } else {
      simulation_.apply(from.who, *queued.input);
    }
  }

  // Joins first and leaves last, so that nobody acts who is not there.
  void sort_batch() {
    std::stable_sort(batch_.begin(), batch_.end(), [](const Queued& a, const Queued& b) {
      if (a.kind != b.kind) return a.kind < b.kind;
      if (a.kind != Queued::Kind::input) return false;
      if (a.from->who.id != b.from->who.id) return a.from->who.id < b.from->who.id;
      return a.number.value_or(0) < b.number.value_or(0);
    });
  }

  void drop_queued_of(Subscription& subscription) {
    std::erase_if(queue_, [&](const Queued& queued) { return queued.from == &subscription; });
    inputs_ -= std::exchange(subscription.queued, 0);
  }

  // What was translated from MessagePack is kept as JSON: a replay knows what the game knows.
  void keep_bytes(byte_view value, Format format) {
    const bool is_translated = format == Format::msgpack && !writes(Format::msgpack);
    const byte_view bytes = is_translated ? byte_view{json_} : value;
    queue_.back().format = is_translated ? Format::json : format;
    queue_.back().bytes.assign(bytes.begin(), bytes.end());
  }

  // Output.

  [[nodiscard]] std::uint64_t view_key_of(const Subscription& subscription) const {
    if constexpr (HasViewKey<S>) {
      enter(TickPhase::view);
      const std::uint64_t key = simulation_.view_key(subscription.who);
      enter(TickPhase::publish);
      return key;
    }
    return 0;
  }

  void publish(time_point now) {
    if (attached_ == 0) return;
    frames_.begin(tick_);
    for (const auto& subscription : subscriptions_) {
      if (subscription->connection == nullptr) continue;
      send_acknowledgement(*subscription);  // in front of the state that shows it
      send_picture(*subscription, now);
    }
  }

  // To one who has just joined: the state as it is between two ticks.
  void send_current(Subscription& to, time_point now) {
    if (!frames_.is_of(tick_)) frames_.begin(tick_);
    send_picture(to, now);
  }

  void send_picture(Subscription& to, time_point now) {
    Picture picture{{view_key_of(to), to.format}, 0};
    if (picture.view.key != to.view_key) {
      to.view_key = picture.view.key;
      to.view_since = tick_;
    }
    if constexpr (HasDelta<S>) {
      if (to.wire == Wire::v2) return send_difference(to, picture, now);
    }
    const std::size_t at = frames_.find(picture);
    if (!frames_.has_payload(at)) encode_whole(at, picture);
    send_snapshot(to, frames_.frame(at, to.wire), now);
  }

  // What has changed since the newest snapshot that the subscriber says it has, if that was of the
  // same view and is still known; else a whole one.
  void send_difference(Subscription& to, Picture picture, time_point now) requires HasDelta<S> {
    const std::uint64_t key = picture.view.key;
    const auto& current = history_.current(tick_, key, [&] {
      enter(TickPhase::view);
      auto made = simulation_.snapshot(key);
      enter(TickPhase::publish);
      return made;
    });
    const std::uint64_t acked = to.acked_tick >= to.view_since ? to.acked_tick : 0;
    const auto* const base = acked != 0 && acked < tick_ ? history_.find(acked, key) : nullptr;
    if (base != nullptr) picture.base = acked;
    const std::size_t at = frames_.find(picture);
    if (!frames_.has_payload(at) && base == nullptr) {
      encode_whole(at, picture);
    } else if (!frames_.has_payload(at)) {
      enter(TickPhase::encode);
      const bool is_changed =
          S::encode_delta(*base, current, picture.view.format, frames_.start(at));
      frames_.end(at, !is_changed);
      enter(TickPhase::publish);
      ++stats_.deltas_encoded;
      note_encoded(at);
    }
    send_snapshot(to, frames_.frame(at, to.wire), now);
  }

  void encode_whole(std::size_t at, const Picture& picture) {
    enter(TickPhase::encode);
    std::vector<std::byte>& out = frames_.start(at);
    if (picture.view.format == Format::msgpack && !writes(Format::msgpack)) {
      json_.clear();
      simulation_.encode({picture.view.key, Format::json}, json_);
      if (wire::json_to_msgpack(json_, out, {.max_depth = 512, .max_elements = SIZE_MAX})) {
        out.push_back(std::byte{0xC0});  // it is no JSON: null
      }
    } else {
      simulation_.encode(picture.view, out);
    }
    frames_.end(at);
    enter(TickPhase::publish);
    note_encoded(at);
  }

  void note_encoded(std::size_t at) noexcept {
    ++stats_.frames_encoded;
    stats_.bytes_encoded += frames_.payload(at).size();
  }

  void send_events(time_point now) {
    for (const Events::Entry& event : events_.entries()) {
      for (const auto& subscription : subscriptions_) {
        if (event.to != 0 && subscription->who.handle != event.to) continue;
        if (subscription->connection != nullptr) {
          send_event(*subscription, events_.bytes_of(event), now);
        }
      }
    }
  }

  // Formats.

  [[nodiscard]] static bool writes(Format format) noexcept {
    if constexpr (HasFormats<S>) return S::writes(format) || format == Format::json;
    return format == Format::json;
  }

  [[nodiscard]] std::optional<Input> decode(byte_view value, Format format) {
    if (format != Format::msgpack || writes(Format::msgpack)) return S::decode(value, format);
    json_.clear();
    if (wire::msgpack_to_json(value, json_)) return std::nullopt;
    return S::decode(json_, Format::json);
  }

  S simulation_;
  std::vector<Queued> queue_;  // what waits for the next tick, in the order in which it came
  std::vector<Queued> batch_;  // what the running tick takes
  Events events_;
  FrameCache frames_;
  History history_;
  std::vector<std::byte> json_;  // what is translated from or to it
  ReplayLog* log_ = nullptr;
  std::function<void(const S&, std::uint64_t)> after_tick_;
};

}  // namespace muster::shard
