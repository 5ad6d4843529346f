// SPDX-License-Identifier: MIT
// A shard of a toy game, and subscribers of it in memory.
#pragma once

#include <muster/memory/network.hpp>
#include <muster/shard/shard.hpp>

#include <charconv>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

namespace test {

/// A game that notes what happens to it. Its state is the sum of its inputs; a snapshot is
/// `{"sum":N}`, or of a view other than 0 `{"view":K,"sum":N}`.
struct Tally {
  using Input = long;

  static std::optional<long> decode(muster::byte_view bytes, muster::shard::Format) {
    const std::string_view text = muster::as_text(bytes);
    long value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
  }
  bool apply(const muster::shard::Subscriber& from, long input) {
    log.push_back(from.id + ":" + std::to_string(input));
    if (input == refused) return false;
    sum += input;
    return true;
  }
  void step(muster::duration covered) {
    log.emplace_back("step");
    elapsed += covered;
  }
  void encode(const muster::shard::View& view, std::vector<std::byte>& out) const {
    ++*encodings;
    std::string text = view.key == 0 ? "{" : "{\"view\":" + std::to_string(view.key) + ",";
    text += "\"sum\":" + std::to_string(sum) + "}";
    text.resize(std::max(text.size(), size), ' ');
    const muster::byte_view bytes = muster::as_bytes(text);
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  std::string authorize_join(const muster::shard::Subscriber& who) const {
    return who.id == "banned" ? "not you" : "";
  }
  bool authorize_input(const muster::shard::Subscriber&, long input) const {
    return input != forbidden;
  }
  void on_join(const muster::shard::Subscriber& who) { log.push_back("+" + who.id); }
  void on_leave(const muster::shard::Subscriber& who) { log.push_back("-" + who.id); }
  bool finished() const { return sum >= goal; }
  std::uint64_t view_key(const muster::shard::Subscriber& who) const {
    return who.id.starts_with("red") ? 1 : who.id.starts_with("blue") ? 2 : 0;
  }

  [[nodiscard]] std::uint64_t hash() const {
    std::uint64_t mixed = 14695981039346656037U;
    for (const std::string& entry : log) {
      for (const char c : entry + '\n')
        mixed = (mixed ^ static_cast<unsigned char>(c)) * 1099511628211U;
    }
    return mixed ^ static_cast<std::uint64_t>(elapsed.count()) ^ static_cast<std::uint64_t>(sum);
  }

  static constexpr long refused = 1313;
  static constexpr long forbidden = 666;

  long sum = 0;
  long goal = 1'000'000;
  std::size_t size = 0;  // snapshots are filled up to it
  muster::duration elapsed{0};
  std::vector<std::string> log{};
  std::shared_ptr<int> encodings = std::make_shared<int>(0);
};

/// The client's side of subscribers: what they got.
struct ShardClients final : muster::Service {
  struct Got {
    std::uint64_t tick;
    std::string payload;
  };
  struct Client {
    muster::Connection* connection = nullptr;
    std::vector<Got> got;
    muster::CloseInfo closed{};
    std::string close_text;
    bool is_open = false;
  };

  void on_open(muster::Connection& connection, muster::time_point) override {
    clients[connection.id().index].is_open = true;
  }
  void on_message(muster::Connection& connection, const muster::Message& message,
                  muster::time_point) override {
    REQUIRE(message.kind == muster::MessageKind::binary);
    REQUIRE(message.bytes.size() > 8);
    std::uint64_t tick = 0;
    for (int i = 0; i < 8; ++i)
      tick = tick << 8U | std::to_integer<std::uint64_t>(message.bytes[i]);
    clients[connection.id().index].got.push_back(
        {tick, std::string{muster::as_text(message.bytes.subspan(8))}});
  }
  void on_close(muster::Connection& connection, const muster::CloseInfo& info,
                muster::time_point) override {
    Client& client = clients[connection.id().index];
    client.is_open = false;
    client.closed = info;
    client.close_text = info.text;
    client.closed.text = {};
    client.connection = nullptr;
  }
  std::map<std::uint32_t, Client> clients;
};

/// A shard whose subscribers are put in by hand, without a front end.
class ShardWorld final : public muster::Service {
 public:
  using Shard = muster::shard::Shard<Tally>;

  explicit ShardWorld(const Shard::Config& config = {}, Tally tally = {})
      : shard(std::make_unique<Shard>(config, std::move(tally), network.now())) {
    network.add(*this);
  }
  ~ShardWorld() override { network.remove(*this); }

  /// Joins, and says how it went from the client's side.
  ShardClients::Client& join(std::string id, const muster::memory::Link& link = {}) {
    ids.push_back(std::move(id));
    muster::Connection& connection = network.connect(clients, *this, {}, link);
    ShardClients::Client& client = clients.clients[connection.id().index];
    client = {};
    client.connection = &connection;
    if (link.bytes_per_second == 0) {
      REQUIRE(network.run_until_quiet());
    } else {
      network.run_for(std::chrono::seconds{1});  // snapshots keep such a link busy for good
    }
    return client;
  }
  void leave(ShardClients::Client& client) {
    client.connection->close(muster::CloseReason::finished);
    REQUIRE(network.run_until_quiet());
  }
  muster::shard::InputResult input(std::string_view id, std::string_view value,
                                   std::optional<std::uint64_t> number = {},
                                   std::uint64_t target = 0) {
    muster::shard::Subscription* const from = shard->find(id);
    REQUIRE(from != nullptr);
    return shard->input(*from, muster::as_bytes(value), muster::shard::Format::json, number, target,
                        network.now());
  }
  [[nodiscard]] std::vector<std::string> take_log() {
    return std::exchange(shard->simulation().log, {});
  }

  void on_open(muster::Connection& connection, muster::time_point now) override {
    muster::shard::Subscription& made =
        shard->reserve({.id = ids.front(), .user = ids.front()}, wire, muster::shard::Format::json);
    ids.erase(ids.begin());
    connection.set_context(&made);
    shard->attach(made, connection, now);
  }
  void on_message(muster::Connection&, const muster::Message&, muster::time_point) override {}
  void on_close(muster::Connection& connection, const muster::CloseInfo&,
                muster::time_point now) override {
    auto* const subscription = connection.context<muster::shard::Subscription>();
    if (subscription != nullptr && shard) shard->leave(*subscription, now);
  }
  void advance(muster::time_point now) override {
    if (shard) shard->advance(now);
  }
  muster::time_point next_deadline() const noexcept override {
    return shard ? shard->next_deadline() : muster::no_deadline;
  }

  ShardClients clients;
  muster::memory::Network network{1};
  std::vector<std::string> ids;
  muster::shard::Wire wire = muster::shard::Wire::legacy;
  std::unique_ptr<Shard> shard;
};

}  // namespace test
