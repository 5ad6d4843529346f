// SPDX-License-Identifier: MIT
// What a game has to offer to be a shard.
#pragma once

#include <muster/bytes.hpp>
#include <muster/shard/format.hpp>
#include <muster/shard/subscriber.hpp>
#include <muster/time.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::shard {

/// Which picture of the state, and how it is written. Subscribers with equal views share one
/// encoded frame.
struct View {
  std::uint64_t key = 0;  ///< what the simulation's `view_key` said; 0: everything
  Format format = Format::json;
  friend bool operator==(const View&, const View&) = default;
};

/// Reliable messages that a step has for subscribers, beside the state (chat, a kill feed).
class Events {
 public:
  /// @param to      a subscriber's handle; 0: all
  /// @param event   at most 64 KiB; copied
  void send(std::uint64_t to, byte_view event) {
    entries_.push_back({to, bytes_.size(), event.size()});
    bytes_.insert(bytes_.end(), event.begin(), event.end());
  }

  struct Entry {
    std::uint64_t to;
    std::size_t at;
    std::size_t size;
  };
  [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }
  [[nodiscard]] byte_view bytes_of(const Entry& entry) const noexcept {
    return byte_view{bytes_}.subspan(entry.at, entry.size);
  }
  void clear() noexcept {
    entries_.clear();
    bytes_.clear();
  }

 private:
  std::vector<Entry> entries_;
  std::vector<std::byte> bytes_;
};

/// A game: its state, what changes it, and how it is shown. `Shard<S>` calls it, never by a virtual
/// call, from one thread.
///
///     struct Counter {
///       using Input = int;
///       static std::optional<Input> decode(byte_view bytes, Format format);
///       void apply(const Subscriber& from, const Input& input) { value += input; }
///       void step(duration dt) {}
///       void encode(const View& view, std::vector<std::byte>& out) const;
///       int value = 0;
///     };
///
/// `decode` gets the bytes of the input alone, valid in the shard's format (JSON has been checked),
/// and returns nothing for what is no input of this game. `encode` appends. `step` may take an
/// `Events&` too. What else a game has is found by its presence:
///
/// - `bool apply(...)`: false counts the input as refused
/// - `std::string authorize_join(const Subscriber&) const`: why not, or empty; without it whoever
/// is
///   an administrator, or whose id is its account's, alone or followed by `:` and anything, may
///   join
/// - `bool authorize_input(const Subscriber&, const Input&) const`: asked before it is queued
/// - `void on_join(const Subscriber&)`, `void on_leave(const Subscriber&)`: in the tick, in order
///   with the inputs
/// - `bool finished() const`: after a step; the shard then publishes its last snapshot and ends
/// - `std::uint64_t view_key(const Subscriber&) const`: once for each subscriber and tick
/// - `static bool writes(Format)`: which formats `decode` and `encode` know, besides JSON
/// - `using Snapshot`, `Snapshot snapshot(std::uint64_t view_key) const` and
///   `static bool encode_delta(const Snapshot& base, const Snapshot& now, Format, std::vector<
///   std::byte>& out)`: what changed since a snapshot that a subscriber has; false: nothing
/// - `void on_interest(const Subscriber&, byte_view)`: what a subscriber of version 2 wants to see,
///   between two ticks
/// - `std::uint64_t hash() const`: of the state, for replays
template <class S>
concept Simulation = requires(S& simulation, const S& state, const Subscriber& from,
                              typename S::Input& input, const View& view, byte_view bytes,
                              std::vector<std::byte>& out) {
  { S::decode(bytes, Format::json) } -> std::same_as<std::optional<typename S::Input>>;
  simulation.apply(from, input);
  state.encode(view, out);
}
&&(
    requires(S& simulation, duration dt) { simulation.step(dt); } ||
    requires(S & simulation, duration dt, Events& events) { simulation.step(dt, events); });

template <class S>
concept HasAuthorizeJoin = requires(const S& state, const Subscriber& who) {
  { state.authorize_join(who) } -> std::convertible_to<std::string>;
};

template <class S>
concept HasAuthorizeInput = requires(const S& state, const Subscriber& who,
                                     const typename S::Input& input) {
  { state.authorize_input(who, input) } -> std::convertible_to<bool>;
};

template <class S>
concept HasOnJoin = requires(S& simulation, const Subscriber& who) {
  simulation.on_join(who);
};

template <class S>
concept HasOnLeave = requires(S& simulation, const Subscriber& who) {
  simulation.on_leave(who);
};

template <class S>
concept HasFinished = requires(const S& state) {
  { state.finished() } -> std::convertible_to<bool>;
};

template <class S>
concept HasViewKey = requires(const S& state, const Subscriber& who) {
  { state.view_key(who) } -> std::convertible_to<std::uint64_t>;
};

template <class S>
concept HasFormats = requires {
  { S::writes(Format::binary) } -> std::convertible_to<bool>;
};

template <class S>
concept HasDelta = requires(const S& state, const typename S::Snapshot& base,
                            std::vector<std::byte>& out) {
  { state.snapshot(std::uint64_t{}) } -> std::convertible_to<typename S::Snapshot>;
  { S::encode_delta(base, base, Format::json, out) } -> std::convertible_to<bool>;
};

template <class S>
concept HasHash = requires(const S& state) {
  { state.hash() } -> std::convertible_to<std::uint64_t>;
};

}  // namespace muster::shard
