// SPDX-License-Identifier: MIT
// Random lives of queues against a plain model: where each player is, who may be matched with whom,
// and that nobody waits who could be matched.
#include <muster/shard/matchmaker.hpp>

#include "support/catch.hpp"
#include "support/seeds.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;
using std::chrono::sys_seconds;

namespace {

constexpr time_point start{100h};
constexpr sys_seconds unix_start{1'700'000'000s};

std::vector<MatchMode> modes() {
  return {{.name = "duel", .teams = 2, .team_size = 1, .window = RatingWindow{50, 20, 400}},
          {.name = "trios", .teams = 2, .team_size = 3, .window = RatingWindow{100, 50, 600}},
          {.name = "all", .teams = 1, .team_size = 5},
          {.name = "pairs", .teams = 3, .team_size = 2, .window = RatingWindow{200, 0, 200}}};
}

struct QueuedGroup {
  std::uint64_t order;
  std::string mode;
  time_point joined;
  std::int32_t rating;
  std::set<std::string> players;
};

struct Player {
  enum class Where { idle, queued, reserved, claimed } where = Where::idle;
  std::uint64_t group = 0;
  IdleReason reason = IdleReason::none;
  time_point since{};
  std::string shard{};
  std::string ticket{};
};

// Whether the first of the sizes and some of the others fill the teams: by trying everything.
bool fills(std::vector<unsigned>& room, const std::vector<unsigned>& sizes, std::size_t at) {
  if (std::all_of(room.begin(), room.end(), [](unsigned left) { return left == 0; })) return true;
  if (at == sizes.size()) return false;
  for (std::size_t team = 0; team < room.size(); ++team) {
    unsigned& left = room[team];
    if (left < sizes[at] ||
        std::count(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(team), left) != 0)
      continue;
    left -= sizes[at];
    const bool filled = fills(room, sizes, at + 1);
    left += sizes[at];
    if (filled) return true;
  }
  return at > 0 && fills(room, sizes, at + 1);
}

class Model final : public MatchHandler {
 public:
  explicit Model(unsigned seed) : random_(seed) {
    config_.modes = modes();
    entropy_.fill(key_);
    std::string problem;
    REQUIRE_FALSE(Matchmaker::validate(config_, problem));
    matchmaker_.emplace(config_, key_, entropy_, mac_, *this, start, unix_start);
    for (int i = 0; i < 60; ++i) players_["p" + std::to_string(i)];
  }

  void step() {
    const unsigned what = below(20);
    if (what < 10) {
      enqueue();
    } else if (what < 12) {
      dequeue();
    } else if (what < 14) {
      claim();
    } else if (what < 15) {
      now_ = std::max(now_, std::min(matchmaker_->next_deadline(), now_ + 20s));
      advance();
    } else {
      now_ += std::chrono::milliseconds{below(800)};
      advance();
    }
    compare();
  }

  // Nobody else comes: in the end nobody is queued or has a seat, and all are accounted for.
  void finish() {
    may_interfere_ = false;
    for (int i = 0; matchmaker_->next_deadline() != no_deadline; ++i) {
      REQUIRE(i < 1000);
      now_ = std::max(now_, matchmaker_->next_deadline());
      advance();
      compare();
    }
    REQUIRE(groups_.empty());
    for (const auto& [id, player] : players_) {
      REQUIRE(player.where != Player::Where::queued);
      REQUIRE(matchmaker_->status(id, now_).state == MatchStatus::State::idle);
    }
    const auto& stats = matchmaker_->stats();
    REQUIRE(stats.queued == stats.matched + stats.left + stats.max_wait);
    REQUIRE(stats.matched == stats.claimed + stats.given_up + stats.unclaimed);
    REQUIRE(stats.matched == matched_);
  }

  std::uint64_t matches = 0;
  std::uint64_t failures = 0;
  std::uint64_t interferences = 0;
  std::uint64_t checks = 0;       // that nobody around a party could be matched with it
  std::uint64_t mixed_sizes = 0;  // matches of parties of several sizes

  bool on_match(const Match& match, time_point now) override {
    REQUIRE(now == now_);
    check_match(match);
    // Out of the queue while the shard is made.
    std::set<std::uint64_t> taken;
    for (const MatchSeat& seat : match.seats) taken.insert(players_.at(seat.player).group);
    if (may_interfere_ && below(5) == 0) {
      ++interferences;
      const std::string who = match.seats[below(match.seats.size())].player;
      below(2) == 0 ? leave(who) : enqueue_one(who);
    }
    const bool is_made = below(6) != 0;
    if (!is_made) {
      ++failures;
      resting_.insert(match.mode);
      return false;
    }
    ++matches;
    std::set<std::uint64_t> gone;
    for (const MatchSeat& seat : match.seats) {
      Player& player = players_.at(seat.player);
      if (player.where != Player::Where::queued || !taken.contains(player.group)) continue;
      gone.insert(player.group);
      player = {.where = Player::Where::reserved,
                .since = now,
                .shard = match.shard,
                .ticket = seat.ticket};
      ++matched_;
    }
    for (const auto order : gone) groups_.erase(order);
    return true;
  }

  void on_idle(std::string_view id, IdleReason reason, std::string_view shard,
               time_point now) override {
    REQUIRE(now == now_);
    Player& player = players_.at(std::string{id});
    if (reason == IdleReason::unclaimed) {
      REQUIRE(player.where == Player::Where::reserved);
      REQUIRE(now >= player.since + config_.reservation);
      REQUIRE(player.shard == shard);
      player = {.reason = reason, .since = now};
      return;
    }
    REQUIRE(shard.empty());
    if (reason == IdleReason::max_wait) {
      REQUIRE(player.where == Player::Where::queued);
      QueuedGroup& group = groups_.at(player.group);
      REQUIRE(now >= group.joined + config_.max_wait);
      REQUIRE(group.players.erase(std::string{id}) == 1);
      if (group.players.empty()) groups_.erase(player.group);
      player = {.reason = reason, .since = now};
      return;
    }
    // The model has taken the party out already.
    REQUIRE(reason == IdleReason::party_left);
    REQUIRE(expected_to_hear_.erase(std::string{id}) == 1);
  }

 private:
  [[nodiscard]] unsigned below(std::size_t n) { return static_cast<unsigned>(random_() % n); }

  const MatchMode& mode_of(std::string_view name) const {
    const auto found = std::find_if(config_.modes.begin(), config_.modes.end(),
                                    [&](const MatchMode& mode) { return mode.name == name; });
    REQUIRE(found != config_.modes.end());
    return *found;
  }

  // A party leaves the model; `leaver` asked for it, those in `moving` come back at once.
  void take_out(std::uint64_t order, const std::string& leaver,
                const std::set<std::string>& moving) {
    for (const std::string& id : groups_.at(order).players) {
      players_.at(id) = {};
      if (id == leaver || moving.contains(id)) continue;
      players_.at(id) = {.reason = IdleReason::party_left, .since = now_};
      expected_to_hear_.insert(id);
    }
    groups_.erase(order);
  }

  void enqueue() {
    const MatchMode& mode = config_.modes[below(config_.modes.size())];
    std::set<std::string> ids;
    const std::size_t size = 1 + below(below(2) == 0 ? 1 : mode.team_size);
    while (ids.size() < size) ids.insert("p" + std::to_string(below(players_.size())));
    enqueue(mode, ids);
  }
  void enqueue_one(const std::string& id) {
    enqueue(config_.modes[below(config_.modes.size())], {id});
  }
  void enqueue(const MatchMode& mode, const std::set<std::string>& ids) {
    const std::vector<std::string_view> views(ids.begin(), ids.end());
    const auto rating = static_cast<std::int32_t>(below(1000));
    const bool has_seat = std::any_of(ids.begin(), ids.end(), [&](const std::string& id) {
      return players_.at(id).where == Player::Where::reserved;
    });
    if (!has_seat) {
      for (const std::string& id : ids) {
        const Player& player = players_.at(id);
        if (player.where == Player::Where::queued) take_out(player.group, {}, ids);
      }
    }
    const auto error =
        matchmaker_->enqueue({.mode = mode.name, .players = views, .rating = rating}, now_);
    REQUIRE(expected_to_hear_.empty());
    REQUIRE(error == (has_seat ? make_error_code(errc::already_exists) : std::error_code{}));
    if (has_seat) return;
    const std::uint64_t order = ++last_order_;
    groups_[order] = {order, mode.name, now_, mode.window ? rating : 0, ids};
    for (const std::string& id : ids) {
      players_.at(id) = {.where = Player::Where::queued, .group = order};
    }
    if (is_advancing_) arrived_in_pass_.insert(mode.name);
  }

  void dequeue() { leave("p" + std::to_string(below(players_.size()))); }
  void leave(const std::string& id) {
    Player& player = players_.at(id);
    const bool was_in =
        player.where == Player::Where::queued || player.where == Player::Where::reserved;
    if (player.where == Player::Where::queued) take_out(player.group, id, {});
    if (player.where != Player::Where::claimed) player = {};
    REQUIRE(matchmaker_->dequeue(id, now_) == was_in);
    REQUIRE(expected_to_hear_.empty());
  }

  void claim() {
    const std::string id = "p" + std::to_string(below(players_.size()));
    Player& player = players_.at(id);
    if (player.where != Player::Where::reserved) return;
    const sys_seconds unix_now =
        unix_start + std::chrono::floor<std::chrono::seconds>(now_ - start);
    const auto checked = TicketSigner{mac_, key_}.check(player.ticket, player.shard, unix_now);
    const bool in_time = now_ < player.since + config_.reservation;
    if (!in_time) REQUIRE(checked.verdict == TicketVerdict::expired);
    REQUIRE(checked.ticket.sid == id);
    REQUIRE(matchmaker_->claim(checked.ticket, now_) ==
            (in_time ? std::error_code{} : make_error_code(errc::not_found)));
    if (!in_time) return;
    REQUIRE(matchmaker_->claim(checked.ticket, now_) == errc::already_exists);
    player.where = Player::Where::claimed;
  }

  void advance() {
    resting_.clear();
    arrived_in_pass_.clear();
    const bool searches = now_ >= next_pass_;
    const auto searches_before = matchmaker_->stats().searches;
    is_advancing_ = true;
    matchmaker_->advance(now_);
    is_advancing_ = false;
    if (matchmaker_->stats().searches != searches_before) {
      REQUIRE(searches);
      next_pass_ = now_ + config_.pass_interval;
    }
    for (auto& [id, player] : players_) {
      if (player.where == Player::Where::claimed && now_ >= player.since + config_.assignment_ttl) {
        player = {};
      }
      if (player.where == Player::Where::idle && now_ >= player.since + config_.assignment_ttl) {
        player = {};
      }
      REQUIRE(
          (player.where != Player::Where::reserved || now_ < player.since + config_.reservation));
    }
    for (const auto& [order, group] : groups_) REQUIRE(now_ < group.joined + config_.max_wait);
    if (searches) check_nobody_could_be_matched();
  }

  // By another way than the library: how far the window reaches, in points.
  [[nodiscard]] double window(const MatchMode& mode, const QueuedGroup& group) const {
    if (!mode.window) return 1e9;
    const double waited = std::chrono::duration<double>(now_ - group.joined).count();
    return std::min<double>(mode.window->most,
                            mode.window->initial + mode.window->per_second * waited);
  }

  void check_match(const Match& match) {
    const MatchMode& mode = mode_of(match.mode);
    REQUIRE(shards_.insert(match.shard).second);
    REQUIRE(match.shard.starts_with("match_"));
    REQUIRE(match.seats.size() == std::size_t{mode.teams} * mode.team_size);
    std::map<std::uint64_t, std::set<std::string>> parties;  // by the model's number
    std::map<std::uint64_t, std::set<unsigned>> teams_of;
    std::vector<unsigned> team_sizes(mode.teams);
    std::set<std::string> once;
    for (const MatchSeat& seat : match.seats) {
      REQUIRE(once.insert(seat.player).second);
      const Player& player = players_.at(seat.player);
      REQUIRE(player.where == Player::Where::queued);
      REQUIRE(groups_.at(player.group).mode == match.mode);
      parties[player.group].insert(seat.player);
      teams_of[player.group].insert(seat.team);
      ++team_sizes.at(seat.team);
      if (mode.window) REQUIRE(seat.rating == groups_.at(player.group).rating);
      const auto checked = TicketSigner{mac_, key_}.check(seat.ticket, match.shard, unix_start);
      REQUIRE((checked && checked.ticket.sid == seat.player));
      REQUIRE(checked.ticket.expires == match.expires);
    }
    for (const unsigned size : team_sizes) REQUIRE(size == mode.team_size);
    std::set<std::size_t> sizes;
    for (const auto& [order, players] : parties) {
      REQUIRE(players == groups_.at(order).players);  // all of it came along
      REQUIRE(teams_of[order].size() == 1);
      sizes.insert(players.size());
    }
    if (sizes.size() > 1) ++mixed_sizes;
    // There is one around whom all others are within its window.
    const bool has_anchor = std::any_of(parties.begin(), parties.end(), [&](const auto& anchor) {
      const QueuedGroup& middle = groups_.at(anchor.first);
      return std::all_of(parties.begin(), parties.end(), [&](const auto& other) {
        return std::abs(groups_.at(other.first).rating - middle.rating) <=
               window(mode, middle) + 1e-6;
      });
    });
    REQUIRE(has_anchor);
  }

  void check_nobody_could_be_matched() {
    for (const auto& [order, anchor] : groups_) {
      const MatchMode& mode = mode_of(anchor.mode);
      if (resting_.contains(anchor.mode) || arrived_in_pass_.contains(anchor.mode)) continue;
      std::vector<unsigned> sizes{static_cast<unsigned>(anchor.players.size())};
      for (const auto& [other_order, other] : groups_) {
        if (other_order == order || other.mode != anchor.mode) continue;
        if (std::abs(other.rating - anchor.rating) > window(mode, anchor) - 1e-6) continue;
        sizes.push_back(static_cast<unsigned>(other.players.size()));
      }
      std::vector<unsigned> room(mode.teams, mode.team_size);
      if (sizes.size() > 12) sizes.resize(12);
      ++checks;
      REQUIRE_FALSE(fills(room, sizes, 0));
    }
  }

  void compare() {
    std::size_t queued = 0;
    for (const auto& [id, player] : players_) {
      const MatchStatus status = matchmaker_->status(id, now_);
      switch (player.where) {
        case Player::Where::queued: {
          ++queued;
          REQUIRE(status.state == MatchStatus::State::queued);
          const QueuedGroup& own = groups_.at(player.group);
          std::size_t before = 0;
          for (const auto& [order, group] : groups_) {
            if (order < own.order && group.mode == own.mode) before += group.players.size();
          }
          REQUIRE(status.position == before);
          REQUIRE(status.waited == now_ - own.joined);
          break;
        }
        case Player::Where::reserved:
          if (now_ >= player.since + config_.reservation) {
            REQUIRE(status.reason == IdleReason::unclaimed);
            break;
          }
          REQUIRE(status.state == MatchStatus::State::matched);
          REQUIRE(status.shard == player.shard);
          REQUIRE(status.ticket == player.ticket);
          break;
        case Player::Where::claimed:
          if (now_ >= player.since + config_.assignment_ttl) break;
          REQUIRE(status.state == MatchStatus::State::matched);
          REQUIRE(status.shard == player.shard);
          REQUIRE(status.ticket.empty());
          break;
        case Player::Where::idle:
          REQUIRE(status.state == MatchStatus::State::idle);
          REQUIRE(status.reason == player.reason);
          break;
      }
    }
    REQUIRE(matchmaker_->queued_count() == queued);
  }

  std::mt19937 random_;
  Matchmaker::Config config_;
  SeededEntropy entropy_{1};
  WeakMac mac_;
  TicketSigner::Key key_{};
  time_point now_ = start;
  time_point next_pass_ = start;
  std::map<std::string, Player> players_;
  std::map<std::uint64_t, QueuedGroup> groups_;
  std::uint64_t last_order_ = 0;
  std::uint64_t matched_ = 0;
  std::set<std::string> expected_to_hear_;
  std::set<std::string> resting_;          // modes whose last match of this pass failed
  std::set<std::string> arrived_in_pass_;  // modes: who came during a pass waits for the next
  bool is_advancing_ = false;
  std::set<std::string> shards_;
  bool may_interfere_ = true;
  std::optional<Matchmaker> matchmaker_;
};

}  // namespace

TEST_CASE("matchmaker: random lives of players keep to the model", "[shard]") {
  std::uint64_t matches = 0;
  std::uint64_t failures = 0;
  std::uint64_t interferences = 0;
  std::uint64_t mixed_sizes = 0;
  std::uint64_t checks = 0;
  for (unsigned seed = 1; seed <= ::test::share_of(200); ++seed) {
    INFO("seed " << seed);
    Model model{seed};
    for (int i = 0; i < 400; ++i) model.step();
    model.finish();
    matches += model.matches;
    failures += model.failures;
    interferences += model.interferences;
    mixed_sizes += model.mixed_sizes;
    checks += model.checks;
  }
  // The lives were not dull.
  CHECK(matches > ::test::share_of(2'000));
  CHECK(failures > ::test::share_of(400));
  CHECK(interferences > ::test::share_of(400));
  CHECK(mixed_sizes > ::test::share_of(400));
  CHECK(checks > ::test::share_of(20'000));
}
