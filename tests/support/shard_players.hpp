// SPDX-License-Identifier: MIT
// A shard of a small game with deltas and events behind its front end, and clients of it that note
// what they hear, over whatever transport.
#pragma once

#include <muster/shard/client.hpp>
#include <muster/shard/registry.hpp>
#include <muster/shard/service.hpp>
#include <muster/shard/shard.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace test {

/// Ten cells, and filling behind them. An input `"3=q"` sets one, and one of `9=!` tells everybody.
/// A delta is the cells that differ: `3q7x`.
struct Board {
  using Input = std::pair<std::size_t, char>;
  using Snapshot = std::string;

  static std::optional<Input> decode(muster::byte_view bytes, muster::shard::Format format) {
    std::string_view text = muster::as_text(bytes);
    if (format == muster::shard::Format::json) {
      if (text.size() != 5 || text.front() != '"') return std::nullopt;
      text = text.substr(1, 3);
    }
    if (text.size() != 3 || text[1] != '=' || text[0] < '0' || text[0] > '9') return std::nullopt;
    return Input{static_cast<std::size_t>(text[0] - '0'), text[2]};
  }
  void apply(const muster::shard::Subscriber& from, const Input& input) {
    cells[input.first] = input.second;
    log.push_back(from.id + ":" + input.second);
  }
  void step(muster::duration, muster::shard::Events& events) {
    if (cells[9] == '!') events.send(0, muster::as_bytes("nine"));
    if (cells[9] == '!') cells[9] = '.';
  }
  [[nodiscard]] std::string snapshot(std::uint64_t) const { return cells; }
  void encode(const muster::shard::View& view, std::vector<std::byte>& out) const {
    const bool is_json = view.format == muster::shard::Format::json;
    const std::string filled = cells + std::string(filling, '_');
    append(is_json ? '"' + filled + '"' : filled, out);
  }
  static bool encode_delta(const std::string& base, const std::string& now, muster::shard::Format,
                           std::vector<std::byte>& out) {
    for (std::size_t i = 0; i < now.size(); ++i) {
      if (base[i] != now[i]) append(std::to_string(i) + now[i], out);
    }
    return base != now;
  }
  static bool writes(muster::shard::Format format) {
    return format == muster::shard::Format::binary;
  }
  static void append(std::string_view text, std::vector<std::byte>& out) {
    const muster::byte_view bytes = muster::as_bytes(text);
    out.insert(out.end(), bytes.begin(), bytes.end());
  }

  std::string cells = "..........";
  std::size_t filling = 0;
  std::vector<std::string> log{};
};

/// Two accounts.
struct TwoTokens final : muster::shard::Authenticator {
  void authenticate(std::string_view token, const muster::Request&,
                    muster::shard::Authentication authentication, muster::time_point now) override {
    muster::shard::Identity identity;
    if (token == "tok-alice") identity = {"alice", false, 1};
    if (token == "tok-bob") identity = {"bob", false, 2};
    authentication.is(identity, now);
  }
  [[nodiscard]] bool is_valid(std::uint64_t, muster::time_point) override { return true; }
};

/// The shard `one`, which takes no guests, and its front end.
struct BoardServer {
  using Shard = muster::shard::Shard<Board>;

  BoardServer(muster::Outbox& outbox, muster::Entropy& entropy, muster::time_point now,
              const Shard::Config& config = {.hz = 50}, Board board = {})
      : service({}, registry, outbox, entropy) {
    service.set_authenticator(&tokens);
    auto made = std::make_unique<Shard>(config, std::move(board), now);
    shard = made.get();
    REQUIRE(registry.insert("one", std::move(made), now));
  }
  [[nodiscard]] const Board& board() const { return std::as_const(*shard).simulation(); }

  TwoTokens tokens;
  muster::shard::Registry registry;
  muster::shard::Service service;
  Shard* shard = nullptr;
};

/// Notes what a client hears, and rebuilds boards from deltas.
struct BoardHandler final : muster::shard::Client::Handler {
  void on_joined(muster::time_point) override { ++joins; }
  void on_snapshot(std::uint64_t tick, muster::byte_view bytes, muster::time_point now) override {
    ticks.push_back(tick);
    board = muster::as_text(bytes);
    if (when_snapshot) when_snapshot(now);
  }
  bool apply_delta(muster::byte_view base, muster::byte_view delta,
                   std::vector<std::byte>& out) override {
    if (delta.size() % 2 != 0) return false;
    out.assign(base.begin(), base.end());
    const std::size_t first = !base.empty() && base[0] == std::byte{'"'} ? 1 : 0;
    for (std::size_t i = 0; i < delta.size(); i += 2) {
      const std::size_t at = first + std::to_integer<std::size_t>(delta[i]) - '0';
      if (at >= out.size()) return false;
      out[at] = delta[i + 1];
    }
    return true;
  }
  void on_event(std::uint64_t number, muster::byte_view bytes, muster::time_point) override {
    events.push_back(std::to_string(number) + " " + std::string{muster::as_text(bytes)});
  }
  void on_input_ack(const muster::shard::v2::InputAck& ack, muster::time_point) override {
    acks.push_back(ack);
    if (when_ack) when_ack(ack);
  }
  void on_nack(const muster::shard::v2::Nack& nack, muster::time_point) override {
    nacks.push_back(nack);
  }
  void on_away(muster::shard::Parting parting, std::string_view said, muster::time_point next,
               muster::time_point now) override {
    aways.push_back(parting);
    waits.push_back(next - now);
    text = said;
  }
  void on_end(muster::shard::Parting parting, std::string_view said, muster::time_point) override {
    REQUIRE(!ended);
    ended = parting;
    text = said;
  }
  [[nodiscard]] std::uint64_t acked() const {
    return acks.empty() ? 0 : acks.back().client_seq.value_or(0);
  }
  [[nodiscard]] bool is_in_order() const { return std::is_sorted(ticks.begin(), ticks.end()); }

  int joins = 0;
  std::vector<std::uint64_t> ticks;
  std::string board;
  std::vector<std::string> events;
  std::vector<muster::shard::v2::InputAck> acks;
  std::vector<muster::shard::v2::Nack> nacks;
  std::vector<muster::shard::Parting> aways;
  std::vector<muster::duration> waits;
  std::optional<muster::shard::Parting> ended;
  std::string text;
  std::function<void(muster::time_point)> when_snapshot;
  std::function<void(const muster::shard::v2::InputAck&)> when_ack;
};

/// What to dial: `target` is path and query.
inline muster::DialRequest board_dial(const std::string& origin, std::string_view target,
                                      std::string_view token) {
  muster::DialRequest dial{.url = origin + std::string{target}};
  if (!token.empty()) dial.headers.emplace_back("Authorization", "Bearer " + std::string{token});
  return dial;
}

/// The same over every transport. A `Side` has `origin`, `dialer()`, `outbox()`, `entropy`,
/// `add(Service&)`, `remove(Service&)`, `now()`,
/// `run_until(done)`, and `tells_why`: whether a refusal's body is heard.
///
/// Joins, refusals, inputs and snapshots, with version 2 and with the legacy protocol.
template <class Side>
void play_board(Side& side, BoardServer& server) {
  using muster::shard::Client;
  using muster::shard::Parting;
  using muster::shard::Wire;
  struct Player {
    Player(Side& side, std::string_view target, std::string_view token, Wire wire) {
      const Client::Config config{.dial = board_dial(side.origin, target, token), .wire = wire};
      std::string problem;
      const std::error_code invalid = Client::validate(config, problem);
      INFO(problem);
      REQUIRE(!invalid);
      client.emplace(config, side.dialer(), side.outbox(), side.entropy, handler);
      side.add(*client);
      REQUIRE(!client->start(side.now()));
    }
    BoardHandler handler;
    std::optional<Client> client;
  };

  // Refusals are final, and say why.
  Player nobody{side, "/?shard=one&v=2", "", Wire::v2};
  Player lost{side, "/?shard=two&v=2", "tok-alice", Wire::v2};
  Player thief{side, "/?shard=one&sid=alice&v=2", "tok-bob", Wire::v2};
  Player vague{side, "/", "tok-bob", Wire::legacy};
  for (Player* refused : {&nobody, &lost, &thief, &vague}) {
    REQUIRE(side.run_until([&] { return refused->handler.ended.has_value(); }));
    CHECK(refused->handler.ended == Parting::refused);
    CHECK(refused->handler.joins == 0);
  }
  // The body of a refusal is not what a WebSocket client hears, only its status.
  const auto says = [](const Player& player, std::string_view code) {
    return !Side::tells_why || player.handler.text.find(code) != std::string::npos;
  };
  CHECK(says(nobody, "AUTH_REQUIRED"));
  CHECK(says(lost, "SHARD_NOT_FOUND"));
  CHECK(says(thief, "UNAUTHORIZED"));
  CHECK(says(vague, "MISSING_SHARD"));

  // One of each protocol in one shard.
  Player alice{side, "/shard/x?shard=one&v=2&format=binary", "tok-alice", Wire::v2};
  Player bob{side, "/?shard=one&sid=bob%3Aphone", "tok-bob", Wire::legacy};
  REQUIRE(
      side.run_until([&] { return !alice.handler.ticks.empty() && !bob.handler.ticks.empty(); }));
  CHECK(alice.client->sid() == "alice");
  CHECK(alice.client->hello()->rate_mhz == 50'000);
  CHECK(alice.handler.board == "..........");
  CHECK(bob.handler.board == "\"..........\"");

  REQUIRE(alice.client->input(muster::as_bytes(std::string_view{"3=q"})).value() == 1);
  REQUIRE(bob.client->input(muster::as_bytes(std::string_view{"\"4=r\""})).value() == 1);
  REQUIRE(alice.client->input(muster::as_bytes(std::string_view{"no input"})).value() == 2);
  REQUIRE(alice.client->input(muster::as_bytes(std::string_view{"9=!"})).value() == 3);
  REQUIRE(side.run_until([&] {
    return alice.handler.board == "...qr....." && bob.handler.board == "\"...qr.....\"" &&
           alice.handler.acked() == 3 && !alice.handler.events.empty();
  }));
  CHECK(alice.handler.events == std::vector<std::string>{"1 nine"});
  REQUIRE(alice.handler.nacks.size() == 1);
  CHECK(alice.handler.nacks[0].client_seq == 2);
  CHECK(alice.handler.nacks[0].code == muster::shard::v2::NackCode::bad_input);
  CHECK(bob.handler.events.empty());
  std::vector<std::string> log = server.board().log;
  std::sort(log.begin(), log.end());
  CHECK(log == std::vector<std::string>{"alice:!", "alice:q", "bob:phone:r"});

  // Ticks go on as deltas, and the clock is known.
  const std::uint64_t seen = alice.client->tick();
  REQUIRE(side.run_until([&] { return alice.client->tick() >= seen + 10; }));
  CHECK(alice.client->stats().deltas > 5);
  CHECK(alice.client->stats().resyncs == 0);
  CHECK(alice.client->clock().is_known());
  CHECK(alice.handler.is_in_order());
  CHECK(bob.handler.is_in_order());

  // Who joins again takes the place of the one before, who does not fight for it.
  Player again{side, "/?shard=one&v=2", "tok-alice", Wire::v2};
  REQUIRE(side.run_until([&] { return alice.handler.ended && !again.handler.ticks.empty(); }));
  CHECK(alice.handler.ended == Parting::replaced);
  CHECK(again.handler.board == "\"...qr.....\"");

  // The game is over for all.
  again.client->leave(side.now());
  REQUIRE(side.run_until([&] { return again.handler.ended.has_value(); }));
  CHECK(again.handler.ended == Parting::left);
  server.shard->end(muster::shard::Ending::finished, side.now());
  REQUIRE(side.run_until([&] { return bob.handler.ended.has_value(); }));
  CHECK(bob.handler.ended == Parting::finished);
  CHECK(bob.handler.text == "finished");
  for (Player* player : {&nobody, &lost, &thief, &vague, &alice, &bob, &again}) {
    side.remove(*player->client);
  }
}

}  // namespace test
