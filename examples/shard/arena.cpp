// SPDX-License-Identifier: MIT
// Moving, shooting and being hit, in integers.
#include "arena.hpp"

#include <muster/utf8.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace shard_program {

namespace {

using muster::duration;
using muster::shard::Events;
using muster::shard::Subscriber;

constexpr std::int32_t parts = 256;  // of a unit, in a `Point`
constexpr std::int64_t second = 1'000'000'000;
constexpr std::int32_t full_tilt = 127;

// A name as others see it: what reaches everybody has a bound.
constexpr std::size_t max_name = 64;

// How many players one event introduces.
constexpr std::size_t introduced_at_once = 64;

// More do not fly at once, however often one fires.
constexpr unsigned shots_of_one = Rules::shot_time / Rules::reload_time + 1;

// The table is made by the compiler, so that it is the same on every machine.
constexpr std::size_t sine_steps = 1024;
constexpr double half_turn = 3.14159265358979323846;

constexpr double sine_of(double x) {
  double term = x;
  double sum = x;
  for (int n = 1; n < 12; ++n) {
    term *= -x * x / ((2 * n) * (2 * n + 1));
    sum += term;
  }
  return sum;
}

constexpr auto sines = [] {
  std::array<std::int16_t, sine_steps> table{};
  for (std::size_t i = 0; i < sine_steps; ++i) {
    // From -180 to 180 degrees, where the series is short.
    const double turn = static_cast<double>(i) / sine_steps;
    const double value = 16384 * sine_of(2 * half_turn * (turn < 0.5 ? turn : turn - 1));
    table[i] = static_cast<std::int16_t>(value < 0 ? value - 0.5 : value + 0.5);
  }
  return table;
}();

// The largest number whose square is not above `value`.
std::int32_t square_root(std::int32_t value) noexcept {
  std::int32_t root = 0;
  while ((root + 1) * (root + 1) <= value) ++root;
  return root;
}

std::int32_t clamp_to_arena(std::int64_t place) noexcept {
  constexpr std::int64_t least = std::int64_t{Rules::radius} * parts;
  constexpr std::int64_t most = std::int64_t{Rules::width - Rules::radius} * parts;
  return static_cast<std::int32_t>(std::clamp(place, least, most));
}

muster::shard::Vector2 in_units(const Arena::Point& at) noexcept {
  const std::int32_t x = at.x / parts;
  const std::int32_t y = at.y / parts;
  return {static_cast<float>(x), static_cast<float>(y)};
}

bool is_inside(const Arena::Point& at) noexcept {
  constexpr std::int32_t most = Rules::width * parts;
  return at.x >= 0 && at.x < most && at.y >= 0 && at.y < most;
}

// How far a direction of that length (16384 is one) leads in a time, in parts of a unit.
std::int32_t travel(std::int32_t direction, std::int32_t speed, duration covered) noexcept {
  const std::int64_t a_second = std::int64_t{direction} * speed * parts / 16384;
  return static_cast<std::int32_t>(a_second * covered.count() / second);
}

Arena::Point moved(const Arena::Point& from, std::uint16_t direction, std::int32_t speed,
                   duration covered) noexcept {
  return {from.x + travel(cosine(direction), speed, covered),
          from.y + travel(sine(direction), speed, covered)};
}

// Whether the way from `from` to `to` touches a body, and how far along; in units, so that every
// product fits.
std::optional<std::int64_t> touches(const Arena::Point& from, const Arena::Point& to,
                                    const Arena::Point& body) noexcept {
  const std::int64_t way_x = (to.x - from.x) / parts;
  const std::int64_t way_y = (to.y - from.y) / parts;
  const std::int64_t x = (body.x - from.x) / parts;
  const std::int64_t y = (body.y - from.y) / parts;
  const std::int64_t length = way_x * way_x + way_y * way_y;
  const std::int64_t along =
      length == 0 ? 0 : std::clamp<std::int64_t>(x * way_x + y * way_y, 0, length);
  const std::int64_t near_x = length == 0 ? 0 : way_x * along / length;
  const std::int64_t near_y = length == 0 ? 0 : way_y * along / length;
  const std::int64_t distance = (x - near_x) * (x - near_x) + (y - near_y) * (y - near_y);
  if (distance > std::int64_t{Rules::radius} * Rules::radius) return std::nullopt;
  return along;
}

void send(Events& events, std::uint64_t to, const nlohmann::json& event) {
  const std::string text = event.dump();
  events.send(to, muster::as_bytes(text));
}

}  // namespace

std::int32_t sine(std::uint16_t angle) noexcept { return sines[angle / (0x10000U / sine_steps)]; }

Arena::Arena(std::uint64_t seed, std::uint16_t capacity)
    : dice_(seed),
      bodies_(capacity),
      shots_(capacity * shots_of_one),
      bodies_near_(Rules::cell_width, capacity),
      shots_near_(Rules::cell_width, capacity * shots_of_one) {
  numbers_.reserve(capacity);
}

// Who is there.

const Arena::Body* Arena::find(std::uint64_t handle) const noexcept {
  const auto found = numbers_.find(handle);
  return found == numbers_.end() ? nullptr : &bodies_[found->second - 1U];
}

Arena::Body* Arena::body_of(std::uint64_t handle) noexcept {
  return const_cast<Body*>(find(handle));
}

void Arena::on_join(const Subscriber& who) {
  const auto free = std::find_if(bodies_.begin(), bodies_.end(),
                                 [](const Body& body) { return body.handle == 0; });
  if (free == bodies_.end()) return;  // it is shown an empty arena
  *free = {.handle = who.handle, .id = who.id};
  spawn(*free);
  const std::uint16_t number = number_of(*free);
  numbers_.emplace(who.handle, number);
  bodies_near_.insert(number - 1U, in_units(free->at));
  newcomers_.push_back(who.handle);
}

void Arena::on_leave(const Subscriber& who) {
  Body* const body = body_of(who.handle);
  if (body == nullptr) return;
  const std::uint16_t number = number_of(*body);
  gone_.push_back(number);
  std::erase(newcomers_, who.handle);
  bodies_near_.erase(number - 1U);
  numbers_.erase(who.handle);
  *body = {};
}

bool Arena::apply(const Subscriber& from, const Controls& controls) {
  Body* const body = body_of(from.handle);
  if (body == nullptr) return false;
  body->controls = controls;
  // Two inputs may fall into one step: a short press counts too.
  body->wants_shot = body->wants_shot || controls.fire;
  return true;
}

// One step.

// splitmix64, by Sebastiano Vigna.
std::uint64_t Arena::roll() noexcept {
  std::uint64_t word = dice_ += 0x9e3779b97f4a7c15U;
  word = (word ^ (word >> 30U)) * 0xbf58476d1ce4e5b9U;
  word = (word ^ (word >> 27U)) * 0x94d049bb133111ebU;
  return word ^ (word >> 31U);
}

void Arena::spawn(Body& body) noexcept {
  const auto somewhere = [this] {
    const auto reach = static_cast<std::int32_t>(roll() % (2 * Rules::spawn_reach));
    return (Rules::width / 2 - Rules::spawn_reach + reach) * parts;
  };
  body.at.x = somewhere();
  body.at.y = somewhere();
  body.health = Rules::health;
  body.reload = duration{0};
}

void Arena::move(Body& body, duration covered) noexcept {
  auto x = static_cast<std::int32_t>(body.controls.x);
  auto y = static_cast<std::int32_t>(body.controls.y);
  // Nobody is faster across than straight on.
  if (const std::int32_t square = x * x + y * y; square > full_tilt * full_tilt) {
    const std::int32_t length = square_root(square);
    x = x * full_tilt / length;
    y = y * full_tilt / length;
  }
  const auto way = [covered](std::int32_t tilt) {
    constexpr std::int64_t speed = std::int64_t{Rules::speed} * parts;
    return tilt * speed / full_tilt * covered.count() / second;
  };
  body.at.x = clamp_to_arena(body.at.x + way(x));
  body.at.y = clamp_to_arena(body.at.y + way(y));
}

void Arena::shoot(const Body& body) {
  const auto free = std::find_if(shots_.begin(), shots_.end(),
                                 [](const Shot& shot) { return shot.left <= duration{0}; });
  if (free == shots_.end()) return;
  // It begins at the edge of the body.
  constexpr duration to_the_edge{second * Rules::radius / Rules::shot_speed};
  const std::uint16_t direction = body.controls.aim;
  const Point muzzle = moved(body.at, direction, Rules::shot_speed, to_the_edge);
  if (!is_inside(muzzle)) return;
  *free = {body.handle, number_of(body), direction, muzzle, Rules::shot_time};
  shots_near_.insert(static_cast<std::uint32_t>(free - shots_.begin()), in_units(muzzle));
}

// False: it is gone.
bool Arena::fly(Shot& shot, duration covered, Events& events) {
  const Point from = shot.at;
  shot.at = moved(from, shot.direction, Rules::shot_speed, covered);
  shot.left -= covered;
  std::optional<std::int64_t> nearest;
  Body* target = nullptr;
  bodies_near_.for_each_around(in_units(from), 1, [&](std::uint32_t i) {
    Body& body = bodies_[i];
    if (body.handle == shot.by || body.health == 0) return;
    const auto along = touches(from, shot.at, body.at);
    if (!along || (nearest && *nearest <= *along)) return;
    nearest = along;
    target = &body;
  });
  if (target != nullptr) {
    hit(*target, shot, events);
    return false;
  }
  return shot.left > duration{0} && is_inside(shot.at);
}

void Arena::hit(Body& body, const Shot& shot, Events& events) {
  body.health = std::max(0, body.health - Rules::damage);
  if (body.health != 0) return;
  body.down = Rules::down_time;
  std::uint32_t score = 0;
  if (Body* const shooter = body_of(shot.by)) score = ++shooter->score;
  send(events, 0, {{"down", number_of(body)}, {"by", shot.number}, {"score", score}});
}

void Arena::step(duration covered, Events& events) {
  introduce(events);
  for (std::uint32_t i = 0; i < bodies_.size(); ++i) {
    Body& body = bodies_[i];
    if (body.handle == 0) continue;
    const bool is_pressed = std::exchange(body.wants_shot, false) || body.controls.fire;
    body.reload = std::max(duration{0}, body.reload - covered);
    if (body.health == 0) {
      body.down -= covered;
      if (body.down <= duration{0}) spawn(body);
    } else {
      move(body, covered);
      if (is_pressed && body.reload == duration{0}) {
        body.reload = Rules::reload_time;
        shoot(body);
      }
    }
    bodies_near_.move(i, in_units(body.at));
  }
  for (std::uint32_t i = 0; i < shots_.size(); ++i) {
    if (shots_[i].left <= duration{0}) continue;
    if (fly(shots_[i], covered, events)) {
      shots_near_.move(i, in_units(shots_[i].at));
    } else {
      shots_[i] = {};
      shots_near_.erase(i);
    }
  }
}

// Who is in the game is told by events, so that pictures need no names.
void Arena::introduce(Events& events) {
  for (const std::uint16_t number : gone_) send(events, 0, {{"out", number}});
  gone_.clear();
  const auto card = [this](const Body& body) {
    return nlohmann::json{number_of(body), muster::utf8_prefix(body.id, max_name), body.score};
  };
  for (const std::uint64_t handle : newcomers_) {
    const Body& newcomer = *find(handle);
    send(events, 0, {{"in", {card(newcomer)}}});
    send(events, handle,
         {{"you", number_of(newcomer)},
          {"width", Rules::width},
          {"radius", Rules::radius},
          {"speed", Rules::speed},
          {"shot_speed", Rules::shot_speed},
          {"health", Rules::health}});
    nlohmann::json cards = nlohmann::json::array();
    for (const Body& body : bodies_) {
      if (body.handle != 0) cards.push_back(card(body));
      if (cards.size() < introduced_at_once && &body != &bodies_.back()) continue;
      if (cards.empty()) continue;
      send(events, handle, {{"in", std::exchange(cards, nlohmann::json::array())}});
    }
  }
  newcomers_.clear();
}

std::uint64_t Arena::view_key(const Subscriber& who) const {
  constexpr std::int32_t width = Rules::cell_width * parts;
  const Body* const body = find(who.handle);
  if (body == nullptr) return 0;
  const std::int32_t cell = body->at.y / width * Rules::cells + body->at.x / width;
  return static_cast<std::uint64_t>(cell + 1);
}

std::uint64_t Arena::hash() const noexcept {
  std::uint64_t sum = dice_;
  const auto mix = [&sum](auto value) {
    sum = (sum ^ static_cast<std::uint64_t>(value)) * 0x9e3779b97f4a7c15U;
    sum ^= sum >> 29U;
  };
  for (const Body& body : bodies_) {
    for (const std::int32_t value :
         {body.at.x, body.at.y, std::int32_t{body.controls.x}, std::int32_t{body.controls.y},
          std::int32_t{body.controls.aim}, body.health}) {
      mix(value);
    }
    mix(body.handle);
    mix(body.controls.fire ? 1 : 0);
    mix(body.wants_shot ? 1 : 0);
    mix(body.reload.count());
    mix(body.down.count());
    mix(body.score);
  }
  for (const Shot& shot : shots_) {
    mix(shot.by);
    mix(shot.direction);
    mix(shot.at.x);
    mix(shot.at.y);
    mix(shot.left.count());
  }
  return sum;
}

}  // namespace shard_program
