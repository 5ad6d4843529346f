// SPDX-License-Identifier: MIT
// A room of the application, and what it hears of its rooms.
#pragma once

#include <muster/c/relay.h>
#include <muster/bytes.hpp>
#include <muster/relay/authority.hpp>

#include "handle.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace muster::c {

/// What waits to be polled, of all rooms.
class RoomEvents {
 public:
  void push(const muster_relay_event& head, byte_view data) {
    Event event{head, {data.begin(), data.end()}};
    waiting_bytes_ += event.size();
    events_.push_back(std::move(event));
  }

  /// Takes the next one; its data is good until the next call.
  /// @return whether there was one
  bool poll(muster_relay_event& event) {
    if (events_.empty()) return false;
    polled_ = std::move(events_.front());
    events_.pop_front();
    waiting_bytes_ -= polled_.size();
    event = polled_.head;
    event.data = data_of(polled_.data);
    event.data_size = polled_.data.size();
    return true;
  }

  [[nodiscard]] std::size_t waiting_bytes() const noexcept { return waiting_bytes_; }

 private:
  struct Event {
    muster_relay_event head;
    std::vector<std::byte> data;

    [[nodiscard]] std::size_t size() const noexcept { return sizeof(Event) + data.size(); }
  };

  std::deque<Event> events_;
  std::size_t waiting_bytes_ = 0;
  Event polled_{};
};

class Game final : public relay::Authority {
 public:
  Game(RoomEvents& events, std::uint64_t id) : events_(&events), id_(id) {}

  void on_attached(relay::HostedRoom& room, time_point) override { room_ = &room; }
  void on_detached(time_point) override {
    room_ = nullptr;
    tell(MUSTER_RELAY_ROOM_CLOSED);
  }
  void on_join(const relay::PlayerInfo& player, time_point) override {
    tell(MUSTER_RELAY_JOINED, player, as_bytes(player.name));
  }
  void on_back(const relay::PlayerInfo& player, time_point) override {
    tell(MUSTER_RELAY_BACK, player, as_bytes(player.name));
  }
  void on_depart(const relay::PlayerInfo& player, relay::Departure why, time_point) override {
    tell(MUSTER_RELAY_DEPARTED, player, {}, static_cast<int>(why));
  }
  void on_rpc(const relay::PlayerInfo& player, byte_view payload, time_point) override {
    tell(MUSTER_RELAY_RPC, player, payload);
  }
  bool on_state_wanted(time_point) override {
    tell(MUSTER_RELAY_STATE_WANTED);
    return true;
  }
  [[nodiscard]] std::vector<std::byte> full_state() override { return {}; }  // never called

  /// Null: it is over.
  [[nodiscard]] relay::HostedRoom* room() const noexcept { return room_; }

 private:
  void tell(int kind, const relay::PlayerInfo& player = {}, byte_view data = {}, int detail = 0) {
    muster_relay_event head{};
    head.kind = kind;
    head.detail = detail;
    head.room = id_;
    head.player = player.id;
    head.spectator = player.is_spectator ? 1 : 0;
    events_->push(head, data);
  }

  RoomEvents* events_;
  std::uint64_t id_;
  relay::HostedRoom* room_ = nullptr;
};

}  // namespace muster::c
