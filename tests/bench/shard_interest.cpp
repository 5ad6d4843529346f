// SPDX-License-Identifier: MIT
// What a tick of a shard costs by what its subscribers see of it: in memory, in virtual time.
//
// Entities move on a plane, each subscriber is one of them, and the plane grows with their number.
// What the outbox writes is copied once, as a kernel does it, and nothing more. After the measured
// ticks there is one whose pictures are compared with what a search among all entities finds.
// Prints one line of JSON.
#include <muster/entropy.hpp>
#include <muster/outbox.hpp>
#include <muster/service.hpp>
#include <muster/shard/interest.hpp>
#include <muster/shard/shard.hpp>
#include <muster/shard/spatial_grid.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server_probe.hpp"

namespace {

using namespace muster;
using namespace muster::shard;

/// What a subscriber sees, and with whom it shares the encoded picture.
enum class Way : std::uint8_t {
  cells,      ///< the cells around its own; with those in the same cell
  each,       ///< the same cells; with nobody
  interest,   ///< what is near enough, by an `Interest`; with nobody
  broadcast,  ///< everything; with all
};

constexpr float cell_size = 40;
constexpr InterestRadius radius{60, 66};
constexpr double area_of_entity = 84;  // so 171 in the nine cells, and 135 in the radius
constexpr float most_speed = 6;        // a second, on each axis

struct Pose {
  std::uint32_t id;
  Vector2 at;
};
static_assert(sizeof(Pose) == 12);

class World {
 public:
  using Input = int;  // nobody sends any

  World(Way way, std::uint32_t entities, std::uint32_t subscribers)
      : way_(way),
        side_(static_cast<float>(std::sqrt(entities * area_of_entity))),
        grid_(cell_size, entities),
        interests_(way == Way::interest ? subscribers : 0, Interest{entities}) {
    SeededEntropy entropy{1};
    const auto share = [&entropy] {
      return static_cast<float>(entropy.next_u64() >> 40) / static_cast<float>(1 << 24);
    };
    for (std::uint32_t id = 0; id < entities; ++id) {
      grid_.insert(id, {share() * side_, share() * side_});
      speeds_.push_back({(2 * share() - 1) * most_speed, (2 * share() - 1) * most_speed});
    }
  }

  static std::optional<Input> decode(byte_view, Format) { return std::nullopt; }
  static bool writes(Format format) { return format == Format::binary; }
  void apply(const Subscriber&, const Input&) {}

  void step(duration covered) {
    const float seconds = std::chrono::duration<float>(covered).count();
    for (std::uint32_t id = 0; id < speeds_.size(); ++id) {
      Vector2& speed = speeds_[id];
      Vector2 at = grid_.position(id);
      at.x += speed.x * seconds;
      at.y += speed.y * seconds;
      if (at.x < 0 || at.x > side_) speed.x = at.x < 0 ? std::abs(speed.x) : -std::abs(speed.x);
      if (at.y < 0 || at.y > side_) speed.y = at.y < 0 ? std::abs(speed.y) : -std::abs(speed.y);
      grid_.move(id, at);
    }
    for (std::uint32_t id = 0; id < interests_.size(); ++id) {
      interests_[id].look(grid_, grid_.position(id), radius);
      interests_[id].update([](std::uint32_t, Interest::Change) {});
    }
  }

  std::uint64_t view_key(const Subscriber& who) const {
    if (way_ == Way::broadcast) return 0;
    if (way_ != Way::cells) return who.handle;
    const Cell cell = cell_of(grid_.position(avatar(who.handle)), cell_size);
    return (std::uint64_t{static_cast<std::uint32_t>(cell.x)} << 32 |
            static_cast<std::uint32_t>(cell.y)) +
           1;
  }

  void encode(const View& view, std::vector<std::byte>& out) const {
    const auto write = [this, &out](std::uint32_t id) {
      const Pose pose{id, grid_.position(id)};
      const auto* const bytes = reinterpret_cast<const std::byte*>(&pose);
      out.insert(out.end(), bytes, bytes + sizeof pose);
    };
    switch (way_) {
      case Way::cells: {
        const std::uint64_t key = view.key - 1;
        const auto middle = [](std::uint64_t index) {
          const auto cell = static_cast<std::int32_t>(static_cast<std::uint32_t>(index));
          return (static_cast<float>(cell) + 0.5F) * cell_size;
        };
        return grid_.for_each_around({middle(key >> 32), middle(key)}, 1, write);
      }
      case Way::each:
        return grid_.for_each_around(grid_.position(avatar(view.key)), 1, write);
      case Way::interest:
        for (const std::uint32_t id : interests_[avatar(view.key)].visible()) write(id);
        return;
      case Way::broadcast:
        for (std::uint32_t id = 0; id < speeds_.size(); ++id) write(id);
    }
  }

  /// Whether the ids are what the subscriber must see; a search among all.
  bool is_right(std::uint64_t handle, const std::vector<Pose>& shown) const {
    const Vector2 from = grid_.position(avatar(handle));
    const CellArea around{cell_of(from, cell_size), 1, cell_size};
    std::vector<bool> is_shown(speeds_.size());
    for (const Pose& pose : shown) {
      if (pose.id >= is_shown.size() || is_shown[pose.id] || pose.at != grid_.position(pose.id))
        return false;
      is_shown[pose.id] = true;
    }
    for (std::uint32_t id = 0; id < is_shown.size(); ++id) {
      const Vector2 at = grid_.position(id);
      bool is_due = true;
      if (way_ == Way::cells || way_ == Way::each) is_due = around.contains(at);
      if (way_ == Way::interest) {
        const double distance = std::sqrt(distance_squared(at, from));
        if (distance > radius.enter && distance <= radius.leave) continue;  // as it came there
        is_due = distance <= radius.enter;
      }
      if (is_shown[id] != is_due) return false;
    }
    return true;
  }

 private:
  static std::uint32_t avatar(std::uint64_t handle) {
    return static_cast<std::uint32_t>(handle - 1);
  }

  Way way_;
  float side_;
  SpatialGrid grid_;
  std::vector<Vector2> speeds_;
  std::vector<Interest> interests_;
};

/// Takes all that it is given, and copies it.
class Sink final : public Connection {
 public:
  explicit Sink(Outbox& outbox) : Connection(outbox, Framing::server) {}

  void open(muster::Service& service) { opened(service); }
  void end() { ended(CloseReason::connection_lost, true); }

  /// Of the last message, without its header and its tick; empty if there is no whole one.
  std::vector<Pose> poses() const {
    const auto at = [this](std::size_t i) { return std::to_integer<std::size_t>(bytes_[i]); };
    if (size_ < 4 || at(0) != 0x82) return {};
    std::size_t begin = 2;
    std::size_t length = at(1);
    if (length >= 126) {
      const std::size_t digits = length == 126 ? 2 : 8;
      length = 0;
      for (std::size_t i = 0; i < digits; ++i) length = length << 8 | at(begin++);
    }
    if (begin + length != size_ || at(begin++) != 0x01) return {};
    while (at(begin++) > 0x7f) {
    }
    std::vector<Pose> poses((size_ - begin) / sizeof(Pose));
    if (poses.size() * sizeof(Pose) != size_ - begin) return {};
    std::memcpy(poses.data(), bytes_.data() + begin, size_ - begin);
    return poses;
  }

  static std::uint64_t written_bytes;

 private:
  std::ptrdiff_t write(std::span<const byte_view> pieces) noexcept override {
    size_ = 0;
    for (const byte_view piece : pieces) {
      if (bytes_.size() < size_ + piece.size()) bytes_.resize(size_ + piece.size());
      std::memcpy(bytes_.data() + size_, piece.data(), piece.size());
      size_ += piece.size();
    }
    written_bytes += size_;
    return static_cast<std::ptrdiff_t>(size_);
  }
  void finish(const CloseInfo&) noexcept override { end(); }
  void release() noexcept override {}

  std::vector<std::byte> bytes_;
  std::size_t size_ = 0;
};

std::uint64_t Sink::written_bytes = 0;

class Nobody final : public muster::Service {
  void on_message(Connection&, const Message&, time_point) override {}
};

int run(Way way, std::string_view name, std::uint32_t entities, std::uint32_t subscribers,
        std::uint32_t ticks) {
  constexpr std::uint32_t hz = 30;
  time_point now{std::chrono::hours{1}};
  Outbox outbox{{.budget = {.bytes = 4 * 1024 * 1024, .frames = 512}}};
  Nobody nobody;
  std::vector<std::unique_ptr<Sink>> sinks;
  std::uint64_t pairs = 0;
  std::uint64_t wrong = 0;
  std::uint64_t cpu_ns = 0;
  std::uint64_t bytes = 0;
  AnyShard::Stats before;
  AnyShard::Stats after;
  {
    AnyShard::Config config;
    config.hz = hz;
    config.max_subscribers = 0;
    config.guests = Guests::named;
    Shard<World> shard{config, World{way, entities, subscribers}, now};
    for (std::uint32_t i = 0; i < subscribers; ++i) {
      sinks.push_back(std::make_unique<Sink>(outbox));
      sinks.back()->open(nobody);
      outbox.run(now);
      Subscription& subscription =
          shard.reserve({.handle = 0, .id = std::to_string(i)}, Wire::v2, Format::binary);
      sinks.back()->set_context(&subscription);
      shard.attach(subscription, *sinks.back(), now);
    }
    const auto tick = [&] {
      now = shard.next_deadline();
      shard.advance(now);
      outbox.run(now);
    };
    for (std::uint32_t i = 0; i < hz; ++i) tick();
    before = shard.stats();
    bytes = Sink::written_bytes;
    const auto start = muster_bench::clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (std::uint32_t i = 0; i < ticks; ++i) tick();
    cpu_ns = muster_bench::clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
    bytes = Sink::written_bytes - bytes;
    after = shard.stats();
    const World& world = std::as_const(shard).simulation();
    for (std::uint32_t i = 0; i < subscribers; ++i) {
      const std::vector<Pose> shown = sinks[i]->poses();
      pairs += shown.size();
      const auto handle = sinks[i]->context<Subscription>()->who.handle;
      if (shown.empty() || !world.is_right(handle, shown)) ++wrong;
    }
    if (after.ticks - before.ticks != ticks || after.frames_refused != 0 ||
        after.frames_sent - before.frames_sent != std::uint64_t{ticks} * subscribers)
      ++wrong;
  }
  for (const auto& sink : sinks) sink->end();
  outbox.run(now);
  std::printf(
      "{\"way\":\"%.*s\",\"entities\":%u,\"subscribers\":%u,\"ticks\":%u,\"cpu_ns\":%llu,"
      "\"pairs\":%llu,\"frames_encoded\":%llu,\"bytes_encoded\":%llu,\"bytes_sent\":%llu,"
      "\"wrong\":%llu}\n",
      static_cast<int>(name.size()), name.data(), entities, subscribers, ticks,
      static_cast<unsigned long long>(cpu_ns), static_cast<unsigned long long>(pairs),
      static_cast<unsigned long long>(after.frames_encoded - before.frames_encoded),
      static_cast<unsigned long long>(after.bytes_encoded - before.bytes_encoded),
      static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(wrong));
  return wrong == 0 ? 0 : 1;
}

}  // namespace

// Arguments: cells, each, interest or broadcast; entities; subscribers, not more; ticks.
int main(int argc, char** argv) {
  constexpr std::string_view names[] = {"cells", "each", "interest", "broadcast"};
  const std::string_view name = argc == 5 ? argv[1] : "";
  const auto* const way = std::find(std::begin(names), std::end(names), name);
  const auto number = [&](int i) {
    return static_cast<std::uint32_t>(std::strtoul(argv[i], nullptr, 10));
  };
  if (way == std::end(names) || number(3) == 0 || number(3) > number(2) || number(4) == 0) {
    std::fprintf(stderr,
                 "usage: muster-bench-interest cells|each|interest|broadcast ENTITIES SUBSCRIBERS "
                 "TICKS\n");
    return 2;
  }
  return run(static_cast<Way>(way - std::begin(names)), name, number(2), number(3), number(4));
}
