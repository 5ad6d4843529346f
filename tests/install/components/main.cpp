#include <muster/memory/network.hpp>
#include <muster/room/room.hpp>

#include <chrono>
#include <cstdio>

struct Player final : muster::Service {
  void on_message(muster::Connection&, const muster::Message& message,
                  muster::time_point) override {
    std::printf("%.*s\n", static_cast<int>(message.bytes.size()),
                reinterpret_cast<const char*>(message.bytes.data()));
  }
};

struct Table final : muster::Service {
  explicit Table(muster::Outbox& outbox) : room{/*instance=*/1, {}, outbox, this} {}

  void on_open(muster::Connection& connection, muster::time_point now) override {
    if (!room.next_id(now, /*max_members=*/2))
      return connection.close(muster::CloseReason::refused);
    room.admit(connection, now);
    room.audience(0).join(connection);
    room.audience(0).broadcast({muster::as_bytes("one more"), muster::MessageKind::text});
  }
  void on_message(muster::Connection&, const muster::Message&, muster::time_point) override {}

  muster::Room room;
};

int main() {
  using namespace std::chrono_literals;
  muster::memory::Network network;  // stands in for sockets, here and in your tests
  Table table{network.outbox()};
  Player player;
  for (int i = 0; i < 3; ++i) network.connect(player, table);
  network.run_for(1s);
  std::printf("%zu at the table\n", table.room.size());
}
