// SPDX-License-Identifier: MIT
// Shows a player at once what its inputs will do.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

namespace muster::shard {

/// The server's state, with those inputs replayed on it that it does not have yet.
///
///     Prediction<World, Move> prediction{{}, [](World& world, const Move& move) {
///       world.apply(move);
///     }};
///     if (const auto seq = client.input(bytes)) prediction.add(*seq, move);
///     draw(prediction.state());
///
/// and in the client's handler: `set_state` in `on_snapshot`, `acknowledge` in `on_input_ack`,
/// `remove` in `on_nack`, and `clear` in `on_joined`. The acknowledgement of what a snapshot shows
/// comes just before it, so `state()` is right from `set_state` on, in `on_snapshot` too.
/// @tparam State   can be copied; a copy is made when something came from the server
/// @tparam Step    called as `step(State&, const Input&)`; it must do what the server does
/// @threads distinct objects: safe; shared objects: unsafe
template <class State, class Input, class Step = void (*)(State&, const Input&)>
class Prediction {
 public:
  /// How many inputs wait at most: above that the server is not there.
  static constexpr std::size_t max_pending = 1024;

  Prediction(State state, Step step)
      : known_(std::move(state)), predicted_(known_), step_(std::move(step)) {}

  /// An input that was sent.
  /// @param seq   its number, higher than those before
  /// @return      false: too many wait; it shows when the server has applied it
  bool add(std::uint64_t seq, Input input) {
    assert(pending_.empty() || seq > pending_.back().seq);
    if (pending_.size() == max_pending) return false;
    refresh();
    step_(predicted_, std::as_const(input));
    pending_.push_back({seq, std::move(input)});
    return true;
  }

  /// What the server says the state is.
  void set_state(State state) {
    known_ = std::move(state);
    is_stale_ = true;
  }

  /// All inputs up to this number are in the server's state, or never will be.
  void acknowledge(std::uint64_t seq) {
    while (!pending_.empty() && pending_.front().seq <= seq) {
      pending_.pop_front();
      is_stale_ = true;
    }
  }

  /// The server will not apply this one.
  void remove(std::uint64_t seq) {
    is_stale_ = std::erase_if(pending_, [&](const Sent& sent) { return sent.seq == seq; }) != 0 ||
                is_stale_;
  }

  /// Nothing waits any more: the connection is another one.
  void clear() {
    pending_.clear();
    is_stale_ = true;
  }

  /// The state with all inputs that wait.
  [[nodiscard]] const State& state() {
    refresh();
    return predicted_;
  }

  /// The server's, without them.
  [[nodiscard]] const State& known() const noexcept { return known_; }
  [[nodiscard]] std::size_t pending() const noexcept { return pending_.size(); }

 private:
  struct Sent {
    std::uint64_t seq;
    Input input;
  };

  void refresh() {
    if (!std::exchange(is_stale_, false)) return;
    predicted_ = known_;
    for (const Sent& sent : pending_) step_(predicted_, sent.input);
  }

  State known_;
  State predicted_;
  Step step_;
  std::deque<Sent> pending_;  // by their numbers
  bool is_stale_ = false;
};

}  // namespace muster::shard
