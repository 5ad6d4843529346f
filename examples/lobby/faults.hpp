// SPDX-License-Identifier: MIT
// A server that misbehaves on purpose, for tests of clients.
#pragma once

#include "game.hpp"
#include "wire.hpp"

#include <muster/outbox.hpp>
#include <muster/time.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lobby_program {

/// One thing that goes wrong, once or always.
struct Fault {
  enum class Kind : std::uint8_t {
    close,                ///< closes, with the code VALUE (1011)
    cut,                  ///< ends the connection without a close
    half_open,            ///< sends nothing more and reads nothing, no ping either
    delay,                ///< sends VALUE milliseconds later (1000), and what follows behind it
    duplicate,            ///< sends twice
    repeat_seq,           ///< with the number of the frame before it
    unknown,              ///< a frame of a type that nobody knows goes ahead
    bad_json,             ///< text that is no JSON goes ahead
    binary,               ///< a binary message goes ahead
    big,                  ///< a frame of VALUE bytes (17 MiB) goes ahead
    no_hello,             ///< keeps hello back
    short_end,            ///< in place of match_end: the short one, with number 1
    wrong_subprotocol,    ///< selects the token
    missing_subprotocol,  ///< selects none
    http,                 ///< answers an upgrade with the status VALUE (503)
    evict,                ///< as if the bot had connected again
    revoke,               ///< takes the bot's tokens back
    limit,                ///< closes with 1008
    hostile_url,          ///< VALUE for a match's URL (wss://attacker.example/x)
    matched_twice,        ///< tells of a match twice
    resume_always,        ///< tells of the last match again after each hello
  };

  static constexpr std::uint64_t any_match = ~std::uint64_t{0};

  Kind kind = Kind::close;
  std::string value{};      ///< empty: what is in brackets above
  std::uint64_t match = 0;  ///< its number; 0: the lobby
  std::uint64_t frame = 0;  ///< the how many-th for a bot there, from 1; 0: each one
};

/// Reads `KIND[=VALUE]@PLACE[:FRAME]`, where PLACE is a match's number, `*` for all or `lobby`.
/// With a frame it happens once for each match, to the bot that first comes so far. Kinds that
/// touch one type of frame count only that; those of upgrades count upgrades.
/// @param problem   on failure, a sentence
[[nodiscard]] std::optional<Fault> parse_fault(std::string_view text, std::string& problem);

/// Puts faults between the services and their connections.
/// @threads one loop
class Faults final : public Wire {
 public:
  /// What a wire cannot do itself.
  struct Hooks {
    std::function<muster::time_point()> now{};
    std::function<void(muster::Connection&)> cut{};
    std::function<void(const std::string& bot_id)> evict{};
    std::function<void(const std::string& bot_id)> revoke{};
  };

  Faults(std::vector<Fault> faults, muster::Outbox& outbox, Hooks hooks);

  void send(muster::Connection& connection, std::string_view frame, const Origin& origin) override;
  [[nodiscard]] bool hears(const muster::Connection& connection) override;
  bool answer(const Origin& origin, muster::Decision& decision) override;
  [[nodiscard]] std::string_view select(const Origin& origin, std::string_view sentinel,
                                        std::string_view token) override;
  void forget(const muster::Connection& connection) override;

  void advance(muster::time_point now);
  [[nodiscard]] muster::time_point next_deadline() const noexcept;

  /// How often each of them happened, in the order given.
  [[nodiscard]] const std::vector<std::uint64_t>& counts() const noexcept { return counts_; }

 private:
  using Key = std::pair<std::uint32_t, std::uint32_t>;  // a connection's index and generation
  struct Late {
    muster::time_point at;
    muster::ConnectionId connection;
    std::string frame;
    bool is_cut;  // in place of the frame
  };

  [[nodiscard]] bool happens(std::size_t index, const Origin& origin);
  [[nodiscard]] bool apply(const Fault& fault, muster::Connection& connection, Json& frame,
                           std::string& text, const Origin& origin);
  void pass_on(muster::Connection& connection, std::string_view text);

  std::vector<Fault> faults_;
  std::vector<std::uint64_t> counts_;
  muster::Outbox* outbox_;
  Hooks hooks_;
  // By fault: how far each bot of each match is, and in which matches it has happened.
  std::vector<std::map<std::pair<std::uint64_t, std::string>, std::uint64_t>> progress_;
  std::vector<std::set<std::uint64_t>> happened_;
  std::set<Key> half_open_;
  std::deque<Late> late_;
  std::vector<std::function<void()>> deferred_;  // what would call the lobby from within its call
  std::map<std::string, std::string, std::less<>> last_matched_;  // by bot
};

}  // namespace lobby_program
