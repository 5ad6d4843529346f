// SPDX-License-Identifier: MIT
#include <muster/shard/matchmaker.hpp>

#include "match_queue.hpp"

#include <muster/shard/id.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace muster::shard {

namespace {

constexpr std::size_t max_modes = 64;
constexpr std::size_t max_prefix = 64;

using std::chrono::seconds;
using std::chrono::sys_seconds;

bool is_prefix(std::string_view text) {
  return text.size() <= max_prefix && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
         });
}

std::string hex(std::uint64_t value) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
  return {digits.data(), end};
}

}  // namespace

/// One that the matchmaker knows something of.
struct QueuedPlayer {
  enum class State : std::uint8_t { queued, reserved, claimed, remembered };
  using Deadline = std::pair<time_point, std::uint64_t>;  // and a number, so that none is equal

  State state = State::queued;
  std::map<std::string, QueuedPlayer, std::less<>>::iterator self{};
  QueuedParty* party = nullptr;  // queued
  IdleReason reason{};           // remembered

  // When its state ends, if it is not queued.
  Deadline deadline{};

  // Of a seat.
  std::string shard{};
  std::string ticket{};
  std::uint64_t nonce = 0;
  sys_seconds expires{};
  time_point matched{};

  [[nodiscard]] const std::string& id() const noexcept { return self->first; }
};

class MUSTER_LOCAL Matchmaker::Impl {
 public:
  Impl(const Config& config, const TicketSigner::Key& key, Entropy& entropy, Mac& mac,
       MatchHandler& handler, time_point now, sys_seconds unix_now)
      : config_(config),
        signer_(mac, key),
        entropy_(&entropy),
        handler_(&handler),
        next_pass_(now),
        clock_read_(now),
        clock_(unix_now) {
    for (const MatchMode& mode : config_.modes) {
      queues_.try_emplace(mode.name, mode, config_.max_wait);
    }
  }

  void set_unix_time(time_point now, sys_seconds unix_now) {
    clock_read_ = now;
    clock_ = unix_now;
  }

  std::error_code enqueue(const Party& party, time_point now);
  bool dequeue(std::string_view id, time_point now);
  std::error_code claim(const JoinTicket& ticket, time_point now);
  [[nodiscard]] MatchStatus status(std::string_view id, time_point now) const;
  void advance(time_point now);
  [[nodiscard]] time_point next_deadline() const noexcept;
  void watch(std::function<void(std::string_view)> changed) { changed_ = std::move(changed); }
  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }
  [[nodiscard]] std::size_t queued_count() const noexcept { return queued_; }

 private:
  using Player = QueuedPlayer;
  using State = Player::State;
  using Players = std::map<std::string, Player, std::less<>>;
  using Deadlines = std::map<Player::Deadline, Player*>;

  // Told to the handler when everything is in order again.
  struct Notice {
    std::string player;
    std::string shard;
  };

  [[nodiscard]] Player* find(std::string_view id) {
    const auto found = players_.find(id);
    return found == players_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] std::error_code check(const Party& party, const MatchQueue& queue);
  [[nodiscard]] bool make_room(const Party& party);
  void take_out(QueuedParty& party, const Player* leaver, std::vector<Notice>& notices,
                time_point now);
  void remember(Player& player, IdleReason reason, time_point now);
  void forget(Player& player);
  void set_deadline(Deadlines& deadlines, Player& player, time_point when);
  void clear_deadline(Player& player);
  void tell(const std::vector<Notice>& notices, IdleReason reason, time_point now);
  void expire(time_point now);
  void pass(MatchQueue& queue, time_point now);
  [[nodiscard]] bool form(MatchQueue& queue, const std::vector<MatchQueue::Member>& members,
                          time_point now);
  void give_seat(Player& player, const Match& match, const MatchSeat& seat, std::uint64_t nonce,
                 time_point now);
  void note_change(const Player& player) const {
    if (changed_) changed_(player.id());
  }
  [[nodiscard]] sys_seconds unix_time(time_point now) const noexcept {
    return clock_ + std::chrono::floor<seconds>(now - clock_read_);
  }

  Config config_;
  TicketSigner signer_;
  Entropy* entropy_;
  MatchHandler* handler_;
  std::function<void(std::string_view)> changed_;
  time_point next_pass_;
  time_point clock_read_;
  sys_seconds clock_;

  // Strangers may have chosen the names, so no hash table.
  Players players_;
  std::map<std::string, MatchQueue, std::less<>> queues_;
  std::map<std::uint64_t, QueuedParty> parties_;  // queued, or in a match that is being made
  Deadlines reserved_;
  Deadlines claimed_;
  Deadlines remembered_;
  std::uint64_t next_number_ = 1;  // of a party
  std::uint64_t deadlines_set_ = 0;
  std::uint64_t next_match_ = 1;
  std::size_t queued_ = 0;  // players in `parties_`
  bool is_advancing_ = false;
  Stats stats_;
};

void Matchmaker::Impl::set_deadline(Deadlines& deadlines, Player& player, time_point when) {
  player.deadline = {when, deadlines_set_++};
  deadlines.emplace(player.deadline, &player);
}

void Matchmaker::Impl::clear_deadline(Player& player) {
  switch (player.state) {
    case State::reserved:
      reserved_.erase(player.deadline);
      break;
    case State::claimed:
      claimed_.erase(player.deadline);
      break;
    case State::remembered:
      remembered_.erase(player.deadline);
      break;
    case State::queued:
      break;
  }
}

void Matchmaker::Impl::forget(Player& player) {
  note_change(player);
  clear_deadline(player);
  players_.erase(player.self);
}

void Matchmaker::Impl::remember(Player& player, IdleReason reason, time_point now) {
  clear_deadline(player);
  player.state = State::remembered;
  player.party = nullptr;
  player.reason = reason;
  player.shard.clear();
  player.ticket.clear();
  set_deadline(remembered_, player, now + config_.assignment_ttl);
  note_change(player);
}

void Matchmaker::Impl::tell(const std::vector<Notice>& notices, IdleReason reason, time_point now) {
  for (const Notice& notice : notices) {
    handler_->on_idle(notice.player, reason, notice.shard, now);
  }
}

// The whole party leaves. Whoever asked for it is forgotten, the others are told.
void Matchmaker::Impl::take_out(QueuedParty& party, const Player* leaver,
                                std::vector<Notice>& notices, time_point now) {
  if (party.is_queued) party.queue->erase(party);
  queued_ -= party.players.size();
  stats_.left += party.players.size();
  for (Player* const player : party.players) {
    if (player == leaver) {
      note_change(*player);
      players_.erase(player->self);
    } else {
      remember(*player, IdleReason::party_left, now);
      notices.push_back({player->id(), {}});
    }
  }
  parties_.erase(party.number);
}

std::error_code Matchmaker::Impl::check(const Party& party, const MatchQueue& queue) {
  if (party.players.empty()) return errc::bad_value;
  if (party.players.size() > queue.mode().team_size) return errc::too_large;
  std::set<std::string_view> ids;
  for (const std::string_view id : party.players) {
    if (!is_valid_id(id) || !ids.insert(id).second) return errc::bad_value;
  }
  for (const std::string_view id : party.players) {
    const Player* const player = find(id);
    if (player != nullptr && player->state == State::reserved) return errc::already_exists;
  }
  return {};
}

// Room for those of a party who are not known. What was only remembered goes, the oldest first.
bool Matchmaker::Impl::make_room(const Party& party) {
  std::size_t known = 0;
  std::vector<Player*> own;
  for (const std::string_view id : party.players) {
    Player* const player = find(id);
    if (player == nullptr) continue;
    ++known;
    if (player->state == State::remembered) own.push_back(player);
  }
  const std::size_t wanted = players_.size() + party.players.size() - known;
  if (wanted > config_.max_players + remembered_.size() - own.size()) return false;
  std::size_t surplus = wanted > config_.max_players ? wanted - config_.max_players : 0;
  for (auto it = remembered_.begin(); surplus > 0;) {
    Player& player = *(it++)->second;
    if (std::find(own.begin(), own.end(), &player) != own.end()) continue;
    forget(player);
    --surplus;
  }
  return true;
}

std::error_code Matchmaker::Impl::enqueue(const Party& party, time_point now) {
  const auto refuse = [this](std::error_code error) {
    ++stats_.refused;
    return error;
  };
  const auto queue = queues_.find(party.mode);
  if (queue == queues_.end()) return refuse(errc::not_found);
  if (const auto error = check(party, queue->second)) return refuse(error);
  if (!make_room(party)) return refuse(errc::limit_reached);

  std::vector<Notice> notices;
  for (const std::string_view id : party.players) {
    Player* const player = find(id);
    if (player != nullptr && player->state == State::queued) {
      take_out(*player->party, nullptr, notices, now);
    }
  }
  std::erase_if(notices, [&](const Notice& notice) {
    return std::find(party.players.begin(), party.players.end(), notice.player) !=
           party.players.end();
  });

  const std::uint64_t number = next_number_++;
  QueuedParty& entry = parties_[number];
  entry.number = number;
  entry.joined = now;
  entry.rating = party.rating;
  entry.queue = &queue->second;
  for (const std::string_view id : party.players) {
    const auto [self, is_new] = players_.try_emplace(std::string{id});
    Player& player = self->second;
    if (!is_new) clear_deadline(player);
    player = Player{};
    player.self = self;
    player.party = &entry;
    entry.players.push_back(&player);
    note_change(player);
  }
  queue->second.insert(entry);
  queued_ += entry.players.size();
  stats_.queued += entry.players.size();
  tell(notices, IdleReason::party_left, now);
  return {};
}

bool Matchmaker::Impl::dequeue(std::string_view id, time_point now) {
  Player* const player = find(id);
  if (player == nullptr) return false;
  switch (player->state) {
    case State::queued: {
      std::vector<Notice> notices;
      take_out(*player->party, player, notices, now);
      tell(notices, IdleReason::party_left, now);
      return true;
    }
    case State::reserved:
      ++stats_.given_up;
      forget(*player);
      return true;
    case State::remembered:
      forget(*player);
      return false;
    case State::claimed:
      break;
  }
  return false;
}

std::error_code Matchmaker::Impl::claim(const JoinTicket& ticket, time_point now) {
  Player* const player = find(ticket.sid);
  const bool has_seat = player != nullptr &&
                        (player->state == State::reserved || player->state == State::claimed) &&
                        player->nonce == ticket.nonce && player->shard == ticket.shard;
  if (!has_seat) return errc::not_found;
  if (player->state == State::claimed) return errc::already_exists;
  if (now >= player->deadline.first) return errc::not_found;
  clear_deadline(*player);
  player->state = State::claimed;
  player->ticket.clear();
  set_deadline(claimed_, *player, player->matched + config_.assignment_ttl);
  note_change(*player);
  ++stats_.claimed;
  return {};
}

MatchStatus Matchmaker::Impl::status(std::string_view id, time_point now) const {
  MatchStatus status;
  const auto found = players_.find(id);
  if (found == players_.end()) return status;
  const Player& player = found->second;
  switch (player.state) {
    case State::queued:
      status.state = MatchStatus::State::queued;
      // One whose match is being made is at the front, or soon gone.
      if (player.party->is_queued) {
        status.position = player.party->queue->players_before(*player.party);
      }
      status.waited = now - player.party->joined;
      break;
    case State::reserved:
      if (now >= player.deadline.first) {
        status.reason = IdleReason::unclaimed;
        break;
      }
      status.ticket = player.ticket;
      status.expires = player.expires;
      [[fallthrough]];
    case State::claimed:
      if (now >= player.deadline.first) break;
      status.state = MatchStatus::State::matched;
      status.shard = player.shard;
      break;
    case State::remembered:
      status.reason = player.reason;
      break;
  }
  return status;
}

void Matchmaker::Impl::expire(time_point now) {
  // The handler may change everything, so each turn looks anew.
  while (!reserved_.empty() && reserved_.begin()->first.first <= now) {
    Player& player = *reserved_.begin()->second;
    const std::vector<Notice> notices{{player.id(), player.shard}};
    ++stats_.unclaimed;
    remember(player, IdleReason::unclaimed, now);
    tell(notices, IdleReason::unclaimed, now);
  }
  for (Deadlines* const deadlines : {&claimed_, &remembered_}) {
    while (!deadlines->empty() && deadlines->begin()->first.first <= now) {
      forget(*deadlines->begin()->second);
    }
  }
  // Numbers grow with time.
  while (!parties_.empty() && now - parties_.begin()->second.joined >= config_.max_wait) {
    QueuedParty& party = parties_.begin()->second;
    std::vector<Notice> notices;
    party.queue->erase(party);
    queued_ -= party.players.size();
    stats_.max_wait += party.players.size();
    for (Player* const player : party.players) {
      remember(*player, IdleReason::max_wait, now);
      notices.push_back({player->id(), {}});
    }
    parties_.erase(party.number);
    tell(notices, IdleReason::max_wait, now);
  }
}

void Matchmaker::Impl::give_seat(Player& player, const Match& match, const MatchSeat& seat,
                                 std::uint64_t nonce, time_point now) {
  player.state = State::reserved;
  player.party = nullptr;
  player.shard = match.shard;
  player.ticket = seat.ticket;
  player.nonce = nonce;
  player.expires = match.expires;
  player.matched = now;
  set_deadline(reserved_, player, now + config_.reservation);
  note_change(player);
}

// False: there is no shard, and no use in trying again now.
bool Matchmaker::Impl::form(MatchQueue& queue, const std::vector<MatchQueue::Member>& members,
                            time_point now) {
  Match match{.shard = config_.shard_prefix,
              .mode = queue.mode().name,
              .seats = {},
              .expires = unix_time(now + config_.reservation)};
  match.shard += hex(static_cast<std::uint64_t>(unix_time(now).time_since_epoch().count()));
  match.shard += '_' + std::to_string(next_match_++);
  std::vector<std::uint64_t> numbers;
  for (const auto& [party, team] : members) {
    numbers.push_back(party->number);
    queue.erase(*party);
    for (const Player* const player : party->players) {
      match.seats.push_back({.player = player->id(),
                             .ticket = {},
                             .party = party->number,
                             .rating = party->rating,
                             .team = team});
    }
  }
  std::stable_sort(match.seats.begin(), match.seats.end(), [](const auto& a, const auto& b) {
    return std::pair{a.team, a.party} < std::pair{b.team, b.party};
  });
  std::vector<std::uint64_t> nonces;  // by seat
  for (MatchSeat& seat : match.seats) {
    nonces.push_back(entropy_->next_u64());
    auto ticket = signer_.sign({.shard = match.shard,
                                .sid = seat.player,
                                .expires = match.expires,
                                .nonce = nonces.back()});
    assert(ticket.has_value());  // all ids were checked
    seat.ticket = std::move(*ticket);
  }

  const bool is_made = handler_->on_match(match, now);

  // Whoever left or queued again meanwhile is not in these parties any more.
  ++(is_made ? stats_.matches : stats_.failed_matches);
  if (!is_made) {
    for (const std::uint64_t number : numbers) {
      const auto party = parties_.find(number);
      if (party != parties_.end()) queue.insert(party->second);
    }
    return false;
  }
  for (std::size_t i = 0; i < match.seats.size(); ++i) {
    const MatchSeat& seat = match.seats[i];
    const auto party = parties_.find(seat.party);
    if (party == parties_.end()) continue;
    Player* const player = find(seat.player);
    assert(player != nullptr && player->party == &party->second);
    give_seat(*player, match, seat, nonces[i], now);
    ++stats_.matched;
    --queued_;
  }
  for (const std::uint64_t number : numbers) parties_.erase(number);
  return true;
}

void Matchmaker::Impl::pass(MatchQueue& queue, time_point now) {
  const std::uint64_t examined_before = queue.examined();
  queue.collect(now);
  std::vector<MatchQueue::Member> members;
  while (QueuedParty* const anchor = queue.take_candidate()) {
    ++stats_.searches;
    if (queue.find_group(*anchor, now, members) && !form(queue, members, now)) break;
  }
  stats_.examined += queue.examined() - examined_before;
}

void Matchmaker::Impl::advance(time_point now) {
  assert(!is_advancing_ && "a handler must not call advance");
  is_advancing_ = true;
  expire(now);
  if (now >= next_pass_) {
    bool has_searched = false;
    for (auto& [name, queue] : queues_) {
      if (queue.next_search() > now) continue;
      has_searched = true;
      pass(queue, now);
    }
    if (has_searched) next_pass_ = now + config_.pass_interval;
  }
  is_advancing_ = false;
}

time_point Matchmaker::Impl::next_deadline() const noexcept {
  time_point next = no_deadline;
  for (const Deadlines* const deadlines : {&reserved_, &claimed_, &remembered_}) {
    if (!deadlines->empty()) next = std::min(next, deadlines->begin()->first.first);
  }
  if (!parties_.empty()) next = std::min(next, parties_.begin()->second.joined + config_.max_wait);
  for (const auto& [name, queue] : queues_) {
    const time_point search = queue.next_search();
    if (search != no_deadline) next = std::min(next, std::max(search, next_pass_));
  }
  return next;
}

std::error_code Matchmaker::validate(const Config& config, std::string& problem) {
  using namespace std::chrono_literals;
  const auto check = [&problem](bool good, std::string_view sentence) {
    if (!good && problem.empty()) problem = sentence;
  };
  problem.clear();
  check(!config.modes.empty() && config.modes.size() <= max_modes, "modes must be 1 to 64");
  std::set<std::string_view> names;
  std::size_t largest = 2;
  for (const MatchMode& mode : config.modes) {
    if (problem.empty() && shard::validate(mode, problem)) problem.insert(0, "modes: ");
    check(names.insert(mode.name).second, "modes must have different names");
    largest = std::max(largest, std::size_t{mode.teams} * mode.team_size);
  }
  check(is_prefix(config.shard_prefix), "shard_prefix must be at most 64 of A-Z a-z 0-9 - _");
  check(config.pass_interval >= 1ms && config.pass_interval <= 1min,
        "pass_interval must be between 1 ms and 1 min");
  check(config.max_wait >= 1s && config.max_wait <= 1h, "max_wait must be between 1 s and 1 h");
  check(config.reservation >= 2s && config.reservation <= 10min,
        "reservation must be between 2 s and 10 min");
  check(config.assignment_ttl >= config.reservation && config.assignment_ttl <= 1h,
        "assignment_ttl must be between reservation and 1 h");
  check(config.max_players >= largest && config.max_players <= 10'000'000,
        "max_players must be between the size of a group and 10000000");
  return problem.empty() ? std::error_code{} : make_error_code(errc::invalid_config);
}

Matchmaker::Matchmaker(const Config& config, const TicketSigner::Key& key, Entropy& entropy,
                       Mac& mac, MatchHandler& handler, time_point now, sys_seconds unix_now)
    : impl_(std::make_unique<Impl>(config, key, entropy, mac, handler, now, unix_now)) {}

Matchmaker::~Matchmaker() = default;

void Matchmaker::set_unix_time(time_point now, sys_seconds unix_now) {
  impl_->set_unix_time(now, unix_now);
}
std::error_code Matchmaker::enqueue(const Party& party, time_point now) {
  return impl_->enqueue(party, now);
}
bool Matchmaker::dequeue(std::string_view player, time_point now) {
  return impl_->dequeue(player, now);
}
std::error_code Matchmaker::claim(const JoinTicket& ticket, time_point now) {
  return impl_->claim(ticket, now);
}
MatchStatus Matchmaker::status(std::string_view player, time_point now) const {
  return impl_->status(player, now);
}
void Matchmaker::watch(std::function<void(std::string_view)> changed) {
  impl_->watch(std::move(changed));
}
void Matchmaker::advance(time_point now) { impl_->advance(now); }
time_point Matchmaker::next_deadline() const noexcept { return impl_->next_deadline(); }
const Matchmaker::Stats& Matchmaker::stats() const noexcept { return impl_->stats(); }
std::size_t Matchmaker::queued_count() const noexcept { return impl_->queued_count(); }

}  // namespace muster::shard
