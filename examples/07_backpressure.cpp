// SPDX-License-Identifier: MIT
// A peer that does not read: what is sent to it waits, within a budget, and the sender chooses what
// becomes of the rest. Here a ticker says 1 to 100, four times in another way, to somebody who
// stops reading after the first and goes on after the last.
//
//   $ build/dev/examples/07_backpressure
//   reliable: 13 queued, 87 refused; heard 13 of them, 1 to 13, then there was room again
//   latest: 100 queued, 0 refused; heard 2 of them, 1 to 100
//   volatile: 100 queued, 0 refused; heard 1 of them, 1 to 1
//   broadcast: 100 queued, 0 refused; heard 13 of them, 1 to 13, then closed: too_slow
#include <muster/group.hpp>
#include <muster/memory/network.hpp>

#include <chrono>
#include <iostream>
#include <string>

using muster::Delivery;
using muster::time_point;
using namespace std::chrono_literals;

struct Ticker final : muster::Service {
  explicit Ticker(muster::Outbox& outbox) : group(outbox) {}
  void on_open(muster::Connection& reader, time_point) override {
    reader.set_budget({.bytes = 4096, .frames = 16});  // 4 of them for last words; usually more
    group.join(reader);
    connection = &reader;
  }
  void on_message(muster::Connection&, const muster::Message&, time_point) override {}

  // A send was refused, and half of the budget is free again: here a program goes on.
  void on_writable(muster::Connection&, time_point) override { has_room = true; }

  // A broadcast does not tell its sender who had no room for it, so this does.
  void on_overrun(muster::Connection& reader, std::uint32_t, time_point) override {
    reader.close(muster::CloseReason::too_slow, 1013);  // as it does by default
  }
  void on_close(muster::Connection&, const muster::CloseInfo&, time_point) override {
    connection = nullptr;
  }

  muster::Group group;
  muster::Connection* connection = nullptr;
  bool has_room = false;
};

struct Reader final : muster::Service {
  void on_message(muster::Connection&, const muster::Message& message, time_point) override {
    if (count++ == 0) first = muster::as_text(message.bytes);
    last = muster::as_text(message.bytes);
  }
  void on_close(muster::Connection&, const muster::CloseInfo& info, time_point) override {
    end = muster::to_string(info.reason);
  }
  int count = 0;
  std::string first, last, end;
};

// @param send   sends one message, in one way
template <class Send>
void tick(const char* way, Send send) {
  muster::memory::Network network;
  Ticker ticker{network.outbox()};
  Reader reader;
  // As a socket whose buffers hold one message.
  muster::Connection& link = network.connect(reader, ticker, {}, {.window = 1});
  network.run_for(1s);
  network.stall(link, true);
  int queued = 0, refused = 0;
  for (int i = 1; i <= 100; ++i) {
    const std::string text = std::to_string(i);
    const auto status = send(ticker, muster::Message{muster::as_bytes(text)});
    ++(status == muster::SendStatus::queued ? queued : refused);
    network.run_for(10ms);
  }
  network.stall(link, false);
  network.run_for(1s);

  std::cout << way << ": " << queued << " queued, " << refused << " refused; heard " << reader.count
            << " of them, " << reader.first << " to " << reader.last;
  if (ticker.has_room) std::cout << ", then there was room again";
  if (!reader.end.empty()) std::cout << ", then closed: " << reader.end;
  std::cout << '\n';
}

int main() {
  // All of them, in order, or a word that there is no room: for what must arrive.
  tick("reliable",
       [](Ticker& ticker, muster::Message message) { return ticker.connection->send(message); });
  // The newest takes the place of the one of its key that waits: for states.
  tick("latest", [](Ticker& ticker, muster::Message message) {
    return ticker.connection->send(message, Delivery::latest(1));
  });
  // Dropped while the peer is behind: for what is of no use later.
  tick("volatile", [](Ticker& ticker, muster::Message message) {
    return ticker.connection->send(message, Delivery::volatile_);
  });
  // Encoded once for all members of a group; whoever has no room for it is told to the service.
  tick("broadcast",
       [](Ticker& ticker, muster::Message message) { return ticker.group.broadcast(message); });
}
