// SPDX-License-Identifier: MIT
// Fuzzes the replay log: whatever is read can be recorded and reads the same again, and a replay
// does the same each time, up to the same error.
#include <muster/shard/replay.hpp>

#include "support/require.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace muster;
using namespace muster::shard;
using Kind = ReplayRecord::Kind;
using test::require;

// Knows who is there, so that it sees whether the replay keeps the order of joins and leaves.
class Game {
 public:
  using Input = std::uint64_t;

  static std::optional<Input> decode(byte_view bytes, Format format) {
    if (bytes.empty()) return std::nullopt;
    std::uint64_t value = static_cast<std::uint64_t>(format);
    for (const std::byte octet : bytes) value = value * 31 + std::to_integer<std::uint64_t>(octet);
    return value;
  }
  void apply(const Subscriber& from, const Input& input) {
    const auto at = present_.find(from.handle);
    require(at != present_.end() && at->second == from.id);
    add(input);
  }
  void on_join(const Subscriber& who) {
    require(who.handle != 0 && !who.id.empty() && who.id.size() <= 128);
    require(present_.emplace(who.handle, who.id).second);
    add(who.handle);
  }
  void on_leave(const Subscriber& who) {
    require(present_.erase(who.handle) == 1);
    add(~who.handle);
  }
  void step(duration dt) {
    require(dt >= duration::zero());
    add(static_cast<std::uint64_t>(dt.count()));
  }
  void encode(const View&, std::vector<std::byte>&) const {}
  [[nodiscard]] std::uint64_t hash() const { return hash_; }

 private:
  void add(std::uint64_t value) { hash_ = (hash_ ^ value) * 0x9e3779b97f4a7c15U + 1; }

  std::map<std::uint64_t, std::string> present_;
  std::uint64_t hash_ = 0;
};

struct Run {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> hashes;
  std::uint64_t last = 0;
  errc error{};
  friend bool operator==(const Run&, const Run&) = default;
};

Run run(byte_view log) {
  Run run;
  Game game;
  const auto steps = replay(log, game, [&](std::uint64_t tick, std::uint64_t hash) {
    require(run.hashes.empty() || tick > run.hashes.back().first);
    run.hashes.emplace_back(tick, hash);
  });
  if (steps) require(*steps == run.hashes.size());
  if (!steps) run.error = steps.error();
  run.last = game.hash();
  return run;
}

bool is_within(byte_view part, byte_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void record(ReplayLog& log, const ReplayRecord& record) {
  switch (record.kind) {
    case Kind::join:
      require(log.join({record.handle, std::string{record.id}, std::string{record.user},
                        record.is_admin, Address{}}));
      return;
    case Kind::leave:
      require(log.leave(record.handle));
      return;
    case Kind::input:
      require(log.input(record.handle, record.client_seq, record.format, record.bytes));
      return;
    case Kind::step:
      require(log.step(record.tick, record.dt));
      return;
  }
  std::abort();  // the reader lets no other kind pass
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const byte_view input = std::as_bytes(std::span{data, size});
  ReplayReader reader{input};
  if (!reader.ok()) {
    require(!reader.next() && run(input).error == reader.error());
    return 0;
  }
  ReplayLog log{reader.next_tick()};
  while (const auto found = reader.next()) {
    require(is_within(as_bytes(found->id), input) && is_within(as_bytes(found->user), input) &&
            is_within(found->bytes, input));
    record(log, *found);
  }
  require(!reader.next());

  // What was recorded is the shortest form of what was read. What follows a damaged record is lost.
  require(log.bytes().size() <= size);
  const Run first = run(input);
  Run again = run(log.bytes());
  if (!reader.ok() && again.error == errc{}) {
    require(first.error == reader.error());
    again.error = first.error;
  }
  require(first == again);
  return 0;
}
