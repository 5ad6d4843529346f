// SPDX-License-Identifier: MIT
// The phases of a run, and what hosts and players check.
#include "relay_bot.hpp"

#include <muster/relay/host.hpp>
#include <muster/relay/player.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

namespace bot_program {

namespace {

using namespace std::chrono_literals;
using muster::byte_view;
using muster::duration;
using muster::time_point;
namespace relay = muster::relay;

constexpr duration connect_limit = 15s;  // for everybody together, plus 1 ms for each
constexpr duration settle_limit = 2s;    // without anything arriving
constexpr duration settle_step = 5ms;
constexpr duration leave_limit = 5s;
constexpr std::size_t most_dialling = 100;  // at the same time: a listener's backlog is finite
constexpr int most_news = 5;

// What a payload says. In this machine's byte order: both ends are this process.
struct Stamp {
  std::uint32_t room = 0;
  std::uint32_t sender = 0;  // 0: the host
  std::uint64_t number = 0;
  std::uint64_t sent_ns = 0;
};
constexpr std::size_t checked_from = sizeof(Stamp) + sizeof(std::uint64_t);
static_assert(checked_from == min_payload_size);

// Changes in every bit with every field and with the size.
std::uint64_t check_of(const Stamp& stamp, std::size_t size) {
  std::uint64_t sum = size;
  for (const std::uint64_t word :
       {(std::uint64_t{stamp.room} << 32U) | stamp.sender, stamp.number, stamp.sent_ns}) {
    sum = (sum ^ word) * 0x9e3779b97f4a7c15U;
    sum ^= sum >> 29U;
  }
  return sum;
}

std::byte filler(std::uint64_t check, std::size_t at) {
  return static_cast<std::byte>((check >> (8 * (at % 8))) + at / 8);
}

std::vector<std::byte> write_payload(const Stamp& stamp, std::size_t size) {
  std::vector<std::byte> out(size);
  const std::uint64_t check = check_of(stamp, size);
  std::memcpy(out.data(), &stamp, sizeof(stamp));
  std::memcpy(out.data() + sizeof(stamp), &check, sizeof(check));
  for (std::size_t at = checked_from; at < size; ++at) out[at] = filler(check, at);
  return out;
}

std::optional<Stamp> read_payload(byte_view bytes) {
  if (bytes.size() < checked_from) return std::nullopt;
  Stamp stamp;
  std::uint64_t check = 0;
  std::memcpy(&stamp, bytes.data(), sizeof(stamp));
  std::memcpy(&check, bytes.data() + sizeof(stamp), sizeof(check));
  if (check != check_of(stamp, bytes.size())) return std::nullopt;
  for (std::size_t at = checked_from; at < bytes.size(); ++at) {
    if (bytes[at] != filler(check, at)) return std::nullopt;
  }
  return stamp;
}

void take_payload(Flow& flow, Sequence& sequence, const Stamp& stamp, std::size_t size) {
  const std::uint64_t now = clock_ns();
  if (sequence.take(stamp.number, flow)) flow.deliver(size, now - stamp.sent_ns);
}

relay::MemberConfig member_config(const Options& options, const std::string& room) {
  relay::MemberConfig config;
  config.url = options.relay;
  config.game_id = options.game;
  config.room_id = room;
  config.reconnect.backoff.first = 100ms;
  config.reconnect.backoff.longest = 2s;
  if (!options.name.empty() || options.spectator) {
    config.extension = {.capabilities = relay::all_capabilities,
                        .name = options.name,
                        .is_spectator = options.spectator};  // a host's is ignored
  }
  return config;
}

}  // namespace

// A player: checks what the host says, and sends actions.
class RelayBot::Seat final : public relay::Player::Handler {
 public:
  Seat(RelayBot& bot, Table& table, std::uint32_t number);

  void take_turn() {
    const Stamp stamp{room_, number_, sent_, clock_ns()};
    const auto error = player_.send_action(write_payload(stamp, bot_->options_.size));
    if (!error) {
      ++sent_;
    } else {
      ++bot_->tally_.to_host.refused;
    }
  }

  void on_joined(const relay::HandshakeResponse& response, bool again, time_point) override {
    ++bot_->tally_.connections;
    if (again) ++bot_->tally_.reconnects;
    id_ = response.player_id;
  }

  void on_full(byte_view state, time_point now) override {
    const auto stamp = read_payload(state);
    if (!stamp || stamp->room != room_ || stamp->sender != 0) {
      ++bot_->tally_.to_players.wrong;
      return;
    }
    const bool is_first = !from_host.is_started();
    from_host.restart(stamp->number, bot_->tally_.to_players);
    if (is_first) bot_->place_taken(now);
  }

  void on_reset(byte_view state, time_point now) override { on_full(state, now); }

  void on_delta(byte_view changes, time_point) override {
    Flow& flow = bot_->tally_.to_players;
    const std::size_t size = bot_->options_.size;
    // One message may carry several updates, if they had to wait for each other.
    for (; changes.size() >= size; changes = changes.subspan(size)) {
      const auto stamp = read_payload(changes.first(size));
      if (stamp && stamp->room == room_ && stamp->sender == 0) {
        take_payload(flow, from_host, *stamp, size);
      } else {
        ++flow.wrong;
      }
    }
    if (!changes.empty()) ++flow.wrong;
  }

  void on_away(relay::Parting parting, std::string_view text, time_point, time_point) override {
    bot_->broke_off(name(), to_string(parting), text);
  }

  void on_end(relay::Parting parting, std::string_view text, time_point now) override;

  [[nodiscard]] relay::Player& player() noexcept { return player_; }
  [[nodiscard]] std::uint16_t id() const noexcept { return id_; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] std::string name() const {
    return "player " + std::to_string(number_) + " of room " + room_name_;
  }

  Sequence from_host;  // of this player
  Sequence at_host;    // what the host got of it

 private:
  RelayBot* bot_;
  Table* table_;
  std::uint32_t room_;
  std::uint32_t number_;
  std::string room_name_;
  relay::Player player_;
  std::uint64_t sent_ = 0;
  std::uint16_t id_ = 0;
};

// A room: the host sends updates, and checks what its players say.
class RelayBot::Table final : public relay::Host::Handler {
 public:
  Table(RelayBot& bot, std::uint32_t its_number, const std::string& its_name)
      : number(its_number),
        name(its_name),
        bot_(&bot),
        host_(member_config(bot.options_, its_name), bot.dialer(), bot.loop().outbox(),
              bot.entropy(), *this) {
    for (std::uint32_t i = 1; i <= bot.options_.players; ++i) {
      seats.push_back(std::make_unique<Seat>(bot, *this, i));
    }
  }

  void take_turn(time_point now) {
    const auto error = host_.delta(write_payload(stamp(), bot_->options_.size));
    if (!error) {
      ++sent_;
      host_.end_turn(now);
    } else {
      ++bot_->tally_.to_players.refused;
    }
  }

  void on_created(const relay::HandshakeResponse&, bool again, time_point now) override {
    ++bot_->tally_.connections;
    if (again) {
      ++bot_->tally_.reconnects;
      return;
    }
    for (const auto& seat : seats) bot_->waiting_.push_back(seat.get());
    bot_->fill_places(now);
  }

  void on_arrival(std::uint16_t, time_point) override {}
  void on_departure(std::uint16_t, time_point) override {}

  void on_rpc(std::uint16_t id, byte_view payload, time_point) override {
    Flow& flow = bot_->tally_.to_host;
    const auto said = read_payload(payload);
    const bool is_known = said && said->room == number && said->sender >= 1 &&
                          said->sender <= seats.size() && payload.size() == bot_->options_.size;
    if (!is_known || seats[said->sender - 1]->id() != id) {
      ++flow.wrong;
      return;
    }
    take_payload(flow, seats[said->sender - 1]->at_host, *said, payload.size());
  }

  // The state is the number of the next update.
  std::vector<std::byte> full_state() override {
    return write_payload(stamp(), bot_->options_.size);
  }

  void on_away(relay::Parting parting, std::string_view text, time_point, time_point) override {
    bot_->broke_off("the host of room " + name, to_string(parting), text);
  }

  void on_end(relay::Parting parting, std::string_view text, time_point now) override {
    bot_->ended_early("the host of room " + name, to_string(parting), text);
    bot_->gone(now);
  }

  void player_left(time_point now) {
    if (++left_ == seats.size() && bot_->phase_ == Phase::leaving) host_.terminate(now);
  }

  [[nodiscard]] relay::Host& host() noexcept { return host_; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] bool is_empty() const noexcept { return left_ == seats.size(); }

  const std::uint32_t number;
  const std::string name;
  std::vector<std::unique_ptr<Seat>> seats;

 private:
  [[nodiscard]] Stamp stamp() const { return {number, 0, sent_, clock_ns()}; }

  RelayBot* bot_;
  relay::Host host_;
  std::uint64_t sent_ = 0;
  std::size_t left_ = 0;
};

RelayBot::Seat::Seat(RelayBot& bot, Table& table, std::uint32_t number)
    : bot_(&bot),
      table_(&table),
      room_(table.number),
      number_(number),
      room_name_(table.name),
      player_(member_config(bot.options_, table.name), bot.dialer(), bot.loop().outbox(),
              bot.entropy(), *this) {
  at_host.restart(0, bot.tally_.to_host);
}

void RelayBot::Seat::on_end(relay::Parting parting, std::string_view text, time_point now) {
  bot_->ended_early(name(), to_string(parting), text);
  table_->player_left(now);
  bot_->gone(now);
}

RelayBot::RelayBot(const Options& options, Surroundings around)
    : Bot(std::move(around), options.json), options_(options) {
  for (std::uint32_t i = 1; i <= options_.rooms; ++i) {
    const std::string name =
        options_.rooms == 1 ? options_.room : options_.room + "-" + std::to_string(i);
    tables_.push_back(std::make_unique<Table>(*this, i, name));
  }
}

RelayBot::~RelayBot() = default;

void RelayBot::start() {
  const time_point now = std::chrono::steady_clock::now();
  const std::size_t members = std::size_t{options_.rooms} * (options_.players + 1);
  phase_deadline_ = now + connect_limit + 1ms * members;
  begin_lines(now);
  for (const auto& table : tables_) {
    loop().add(table->host());
    table->host().start(now);
    ++present_;
  }
  loop().add(*this);
}

void RelayBot::fill_places(time_point now) {
  while (phase_ == Phase::connecting && dialling_ < most_dialling && !waiting_.empty()) {
    Seat& seat = *waiting_.front();
    waiting_.pop_front();
    ++dialling_;
    ++present_;
    loop().add(seat.player());
    seat.player().start(now);
  }
}

void RelayBot::place_taken(time_point now) {
  --dialling_;
  ++ready_;
  fill_places(now);
  if (ready_ == std::size_t{options_.rooms} * options_.players && phase_ == Phase::connecting) {
    begin_play(now);
  }
}

void RelayBot::begin_play(time_point now) {
  phase_ = Phase::playing;
  play_start_ = now;
  begin_lines(now);
  phase_deadline_ = muster::no_deadline;
  if (options_.duration_seconds > 0) {
    phase_deadline_ = now + std::chrono::duration_cast<duration>(
                                std::chrono::duration<double>{options_.duration_seconds});
  }
  // Everybody begins at another moment of the period: real games are not in step.
  const auto schedule = [this, now](double rate, std::size_t index, std::size_t count, Table& table,
                                    Seat* seat) {
    if (rate <= 0) return;
    const auto period =
        std::chrono::duration_cast<duration>(std::chrono::duration<double>{1 / rate});
    const auto share =
        static_cast<duration::rep>(index) * period.count() / static_cast<duration::rep>(count);
    turns_.push({now + duration{share}, period, &table, seat});
  };
  for (std::size_t t = 0; t < tables_.size(); ++t) {
    Table& table = *tables_[t];
    schedule(options_.rate, t, tables_.size(), table, nullptr);
    for (std::size_t s = 0; s < table.seats.size(); ++s) {
      schedule(options_.rpc_rate, t * table.seats.size() + s, tables_.size() * table.seats.size(),
               table, table.seats[s].get());
    }
  }
}

void RelayBot::take_turns(time_point now) {
  while (!turns_.empty() && turns_.top().at <= now) {
    Turn turn = turns_.top();
    turns_.pop();
    if (turn.seat != nullptr) {
      turn.seat->take_turn();
    } else {
      turn.table->take_turn(now);
    }
    // What was missed is made up for, but not a second's worth of it: the machine was asleep.
    turn.at += turn.period;
    if (turn.at < now - 1s) turn.at = now + turn.period;
    turns_.push(turn);
  }
}

void RelayBot::show_line(time_point now, double line_seconds) {
  if (phase_ == Phase::connecting) {
    screen().live("connecting: " + std::to_string(ready_) + " of " +
                  std::to_string(std::size_t{options_.rooms} * options_.players) +
                  " players are there");
  } else if (phase_ == Phase::playing) {
    screen().live(live_line(tally_, seconds(now - play_start_), line_seconds));
  }
}

void RelayBot::advance(time_point now) {
  if (is_over()) return;
  if (phase_ == Phase::playing) take_turns(now);
  show_due_line(now);
  switch (phase_) {
    case Phase::connecting:
      if (phase_deadline_ <= now) note_problem("not all players found their place in time");
      if (stop_wanted_) note_problem("stopped before all players were there");
      if (has_problem()) begin_leaving(now);
      return;
    case Phase::playing:
      if (stop_wanted_ || has_problem() || phase_deadline_ <= now) begin_settling(now);
      return;
    case Phase::settling:
      settle(now);
      return;
    case Phase::leaving:
      if (phase_deadline_ <= now) end();
      return;
  }
}

time_point RelayBot::next_deadline() const noexcept {
  if (is_over()) return muster::no_deadline;
  if (phase_ <= Phase::playing && (stop_wanted_ || has_problem())) return time_point::min();
  const time_point next = std::min(phase_deadline_, next_line());
  if (phase_ != Phase::playing || turns_.empty()) return next;
  return std::min(next, turns_.top().at);
}

// Payloads sent and not there yet.
std::uint64_t RelayBot::under_way() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& table : tables_) {
    for (const auto& seat : table->seats) {
      if (seat->from_host.is_started()) sum += table->sent() - seat->from_host.next();
      sum += seat->sent() - seat->at_host.next();
    }
  }
  return sum;
}

void RelayBot::begin_settling(time_point now) {
  phase_ = Phase::settling;
  play_end_ = now;
  settled_ = under_way();
  last_arrival_ = now;
  end_lines();
  phase_deadline_ = now + settle_step;
}

void RelayBot::settle(time_point now) {
  if (phase_deadline_ > now) return;
  phase_deadline_ = now + settle_step;
  const std::uint64_t left = under_way();
  if (left != settled_) {
    settled_ = left;
    last_arrival_ = now;
  }
  if (left == 0 || now - last_arrival_ >= settle_limit) begin_leaving(now);
}

void RelayBot::begin_leaving(time_point now) {
  for (const auto& table : tables_) {
    for (const auto& seat : table->seats) {
      seat->from_host.finish(table->sent(), tally_.to_players);
      seat->at_host.finish(seat->sent(), tally_.to_host);
    }
  }
  phase_ = Phase::leaving;
  end_lines();
  phase_deadline_ = now + leave_limit;
  waiting_.clear();
  for (const auto& table : tables_) {
    bool somebody_is_there = false;
    for (const auto& seat : table->seats) {
      const auto state = seat->player().state();
      if (state == relay::Membership::State::idle || state == relay::Membership::State::ended) {
        continue;
      }
      somebody_is_there = true;
      seat->player().leave(now);
    }
    if (!somebody_is_there) table->host().terminate(now);
  }
  if (present_ == 0) end();
}

void RelayBot::gone(time_point) {
  --present_;
  if (present_ == 0 && phase_ == Phase::leaving) end();
}

void RelayBot::broke_off(const std::string& who, std::string_view parting, std::string_view text) {
  if (phase_ == Phase::leaving) return;
  ++tally_.departures;
  std::string news = who + " is away (" + std::string{parting} + "): " + std::string{text};
  if (news == last_news_ || ++news_told_ > most_news) return;
  std::fprintf(stderr, "muster-bot: %s\n", news.c_str());
  last_news_ = std::move(news);
}

void RelayBot::ended_early(const std::string& who, std::string_view parting,
                           std::string_view text) {
  if (phase_ >= Phase::leaving) return;
  note_problem(who + " is out (" + std::string{parting} + "): " + std::string{text});
}

int RelayBot::finish() {
  const bool has_played = play_end_ != time_point{};
  tally_.to_players.fold();
  tally_.to_host.fold();
  const Plan plan{options_.rooms, options_.players, options_.size};
  const double span = seconds(play_end_ - play_start_);
  if (options_.json) {
    screen().print(json_line(tally_, plan, span) + "\n");
  } else if (has_played) {
    screen().print(summary(tally_, plan, span));
  }
  print_problem();
  return has_played && !has_problem() && tally_.is_clean() ? 0 : 1;
}

}  // namespace bot_program
