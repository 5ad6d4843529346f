// SPDX-License-Identifier: MIT
// Clients, their handlers, and the end of the run.
#include "lobby_bot.hpp"

#include "strategy.hpp"

#include <muster/lobby/lobby_client.hpp>
#include <muster/version.hpp>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <random>
#include <utility>

namespace bot_program {

namespace {

using namespace std::chrono_literals;
using muster::time_point;
using muster::lobby::Event;
using muster::lobby::EventKind;
using muster::lobby::MatchInfo;
using muster::lobby::MatchResult;
using muster::lobby::StopReason;
using std::chrono::system_clock;

constexpr std::size_t most_dialling = 100;  // at the same time: a listener's backlog is finite
constexpr std::size_t most_rows = 10;
constexpr int most_news = 20;
constexpr muster::duration closing_limit = 3s;
constexpr muster::duration closing_step = 5ms;
constexpr std::size_t handler_threads = 1;  // a strategy takes microseconds

// What a match's handler tells the run, which looks at it from the loop's thread.
struct MatchCard {
  std::atomic<std::int64_t> seat{-1};  // negative: it is not known
  std::atomic<std::uint32_t> turns{0};
};

// Plays one match.
class Player {
 public:
  Player(Strategy strategy, std::uint64_t seed, const MatchInfo& info,
         std::shared_ptr<MatchCard> card, SharedTimes& times)
      : strategy_(strategy),
        dice_(dice_of(seed, info.match_id, info.participant_id)),
        card_(std::move(card)),
        times_(&times) {}

  void on_match_start(const muster::lobby::MatchStart& start) {
    if (const auto seat = seat_of(start.frame)) card_->seat = *seat;
  }

  void on_turn(const muster::lobby::Turn<AnyGame>& turn, muster::lobby::TurnReply<AnyGame> reply) {
    if (turn.seat) card_->seat = *turn.seat;
    reply(choose(strategy_, turn.state, turn.legal, dice_));
    ++card_->turns;
  }

  void on_latency(muster::duration decision) { times_->record(decision); }

 private:
  Strategy strategy_;
  std::mt19937_64 dice_;
  std::shared_ptr<MatchCard> card_;
  SharedTimes* times_;
};

using Client = muster::lobby::LobbyClient<AnyGame, Player>;

// Whether a person should hear of it.
bool is_news(EventKind kind) noexcept {
  switch (kind) {
    case EventKind::connected:
    case EventKind::backing_off:
    case EventKind::unknown_frame:
    case EventKind::duplicate_match_ignored:
    case EventKind::match_started:
    case EventKind::match_resumed:
    case EventKind::sequence_gap:
    case EventKind::turn_expired:
      return false;
    default:
      return true;
  }
}

std::string_view sentence_of(StopReason reason) noexcept {
  switch (reason) {
    case StopReason::connect_failed:
      return "the lobby cannot be reached";
    case StopReason::lobby_unstable:
      return "the lobby accepts connections, and closes them";
    case StopReason::lobby_lost:
      return "the lobby was lost, and did not come back";
    case StopReason::auth_failed:
      return "the lobby does not accept the token";
    case StopReason::token_revoked:
      return "the token was revoked";
    case StopReason::handler_failed:
      return "the strategy failed";
    default:
      return to_string(reason);
  }
}

}  // namespace

LobbyStatus status_of(StopReason reason) noexcept {
  switch (reason) {
    case StopReason::connect_failed:
    case StopReason::lobby_unstable:
    case StopReason::lobby_lost:
      return LobbyStatus::lost;
    case StopReason::auth_failed:
    case StopReason::token_revoked:
      return LobbyStatus::auth;
    case StopReason::handler_failed:
      return LobbyStatus::handler;
    case StopReason::none:
    case StopReason::max_matches:
    case StopReason::stopped:
    case StopReason::evicted:
      break;
  }
  return LobbyStatus::normal;
}

muster::lobby::Config config_of(const LobbyOptions& options, const LobbySettings& settings) {
  muster::lobby::Config config;
  config.url = settings.url;
  config.token = settings.token;
  config.max_matches = options.max_matches;
  config.max_concurrent_matches = options.concurrency;
  config.safe_mode = options.safe_mode;
  config.client_name = "muster-bot";
  config.client_version = MUSTER_VERSION_STRING;
  config.user_agent = "muster-bot/" MUSTER_VERSION_STRING;
  if (!options.game.empty()) config.supported_games = {options.game};
  return config;
}

// A bot's client, and what it says.
class LobbyBot::Participant final : public Client::Observer {
 public:
  Participant(LobbyBot& run, const LobbySettings& settings, std::size_t number)
      : run_(&run),
        name_(settings.bot_id.empty() ? std::to_string(number) : settings.bot_id),
        token_(settings.token),
        client_(
            config_of(run.options_, settings), run.dialer(), run.loop().outbox(), run.entropy(),
            run.executor_, [this](const MatchInfo& info) { return make_player(info); }, this) {}

  void start(time_point now) {
    run_->loop().add(client_);
    static_cast<void>(client_.start(now));  // it is the first call
  }
  void stop(time_point now) { client_.stop(now); }

  void on_event(const Event& event, time_point now) override {
    switch (event.kind) {
      case EventKind::connected:
        if (was_online_) ++run_->tally_.lobby_reconnects;
        was_online_ = true;
        dialled(now);
        break;
      case EventKind::backing_off:
        dialled(now);
        break;
      case EventKind::match_dropped:
        if (Row* const row = find(event.match_id)) row->is_away = true;
        break;
      case EventKind::match_resumed:
        ++run_->tally_.match_reconnects;
        if (Row* const row = find(event.match_id)) {
          row->is_away = false;
          ++row->reconnects;
        }
        break;
      default:
        break;
    }
    if (run_->options_.json_log) {
      run_->log(event_json(system_clock::now(), name_, event));
    } else if (is_news(event.kind)) {
      std::string sentence = name_ + ": " + std::string{to_string(event.kind)};
      if (event.code != 0) sentence += " " + std::to_string(event.code);
      if (!event.match_id.empty()) sentence += ", match " + printable(event.match_id);
      if (!event.detail.empty()) sentence += ": " + printable(event.detail);
      run_->tell(std::move(sentence));
    }
  }

  void on_result(const MatchResult& result, time_point) override {
    std::optional<std::int64_t> seat;
    const auto found = rows_.find({result.match_id, result.participant_id});
    if (found != rows_.end()) {
      if (const std::int64_t known = found->second.card->seat; known >= 0) seat = known;
      rows_.erase(found);
    }
    const Verdict verdict = verdict_of(result.end, result.participant_id, seat);
    run_->tally_.note(result, verdict);
    if (!run_->options_.json_log) return;
    run_->log(result_json(system_clock::now(), name_, result, verdict));
  }

  void on_stopped(StopReason reason, time_point now) override {
    if (run_->options_.json_log) run_->log(stopped_json(system_clock::now(), name_, reason));
    dialled(now);
    run_->one_stopped(reason, name_);
  }

  // Adds what the client counts, and rows while there is place for them.
  void count(LobbyTally& tally) const {
    const auto& stats = client_.stats();
    tally.online += client_.state() == muster::lobby::Engine::State::ready ? 1U : 0U;
    tally.running += client_.active_matches();
    tally.turns += stats.turns;
    tally.fallbacks += stats.fallbacks;
  }
  void show(std::vector<MatchRow>& rows, time_point now) const {
    for (const auto& [key, row] : rows_) {
      if (rows.size() == most_rows) return;
      rows.push_back({key.first, name_, row.is_away, row.card->turns, row.reconnects,
                      seconds(now - row.since)});
    }
  }

 private:
  struct Row {
    std::shared_ptr<MatchCard> card;
    time_point since;
    bool is_away = false;
    std::uint32_t reconnects = 0;
  };

  std::unique_ptr<Player> make_player(const MatchInfo& info) {
    auto card = std::make_shared<MatchCard>();
    // By the ids as events and results show them.
    rows_.insert_or_assign({token_.redact(info.match_id), token_.redact(info.participant_id)},
                           Row{card, run_->loop().now()});
    return std::make_unique<Player>(run_->options_.strategy, run_->seed_, info, std::move(card),
                                    run_->times_);
  }

  Row* find(std::string_view match_id) {
    const auto found = rows_.lower_bound({std::string{match_id}, {}});
    return found != rows_.end() && found->first.first == match_id ? &found->second : nullptr;
  }

  // Its first attempt is over: another bot may have its turn.
  void dialled(time_point now) {
    if (std::exchange(has_dialled_, true)) return;
    --run_->dialling_;
    run_->fill_places(now);
  }

  LobbyBot* run_;
  std::string name_;
  muster::lobby::Token token_;
  bool was_online_ = false;
  bool has_dialled_ = false;
  std::map<std::pair<std::string, std::string>, Row> rows_;  // by match and participant
  Client client_;
};

LobbyBot::LobbyBot(const LobbyOptions& options, const std::vector<LobbySettings>& bots,
                   Surroundings around)
    : Bot(std::move(around), options.json_log),
      options_(options),
      seed_(options.seed ? *options.seed : entropy().next_u64()),
      threads_(loop(), handler_threads),
      executor_(threads_) {
  for (const LobbySettings& settings : bots) {
    participants_.push_back(
        std::make_unique<Participant>(*this, settings, participants_.size() + 1));
  }
  tally_.bots = participants_.size();
}

LobbyBot::~LobbyBot() = default;

void LobbyBot::start() {
  start_ = std::chrono::steady_clock::now();
  if (!options_.json_log) begin_lines(start_);
  loop().add(*this);
  fill_places(start_);
}

void LobbyBot::fill_places(time_point now) {
  while (!stop_wanted_ && dialling_ < most_dialling && started_ < participants_.size()) {
    ++dialling_;
    participants_[started_++]->start(now);
  }
}

void LobbyBot::one_stopped(StopReason reason, const std::string& bot) {
  ++stopped_;
  const LobbyStatus status = status_of(reason);
  if (status != LobbyStatus::normal) {
    if (status_ == LobbyStatus::normal) status_ = status;
    note_problem(bot + ": " + std::string{sentence_of(reason)});
  }
}

bool LobbyBot::have_all_stopped() const noexcept {
  return stopped_ == started_ && (stop_wanted_ || started_ == participants_.size());
}

void LobbyBot::advance(time_point now) {
  if (is_over()) return;
  if (stop_wanted_ && !std::exchange(is_stopping_, true)) {
    for (std::size_t i = 0; i < started_; ++i) participants_[i]->stop(now);
  }
  show_due_line(now);
  if (!have_all_stopped()) return;
  // Last words are still to be sent.
  if (next_look_ == muster::no_deadline) closing_start_ = next_look_ = now;
  if (next_look_ > now) return;
  next_look_ = now + closing_step;
  if (loop().outbox().connection_count() == 0 || now - closing_start_ >= closing_limit) end();
}

time_point LobbyBot::next_deadline() const noexcept {
  if (is_over()) return muster::no_deadline;
  if (stop_wanted_ && !is_stopping_) return time_point::min();
  if (have_all_stopped() && next_look_ == muster::no_deadline) return time_point::min();
  return std::min(next_look_, next_line());
}

void LobbyBot::count() {
  tally_.online = tally_.running = 0;
  tally_.turns = tally_.fallbacks = 0;
  for (const auto& participant : participants_) participant->count(tally_);
  tally_.recent = times_.take();
}

void LobbyBot::show_line(time_point now, double) {
  count();
  if (screen().is_terminal()) {
    std::vector<MatchRow> rows;
    for (const auto& participant : participants_) participant->show(rows, now);
    screen().live(live_table(tally_, rows, seconds(now - start_)));
  } else if (std::string line = live_line(tally_); line != last_line_) {
    screen().live(line);
    last_line_ = std::move(line);
  }
  tally_.fold();
}

void LobbyBot::log(const std::string& json_line) { screen().print(json_line + "\n"); }

void LobbyBot::tell(std::string sentence) {
  if (sentence == last_news_ || ++news_told_ > most_news) return;
  screen().settle();
  std::fprintf(stderr, "muster-bot: %s\n", sentence.c_str());
  last_news_ = std::move(sentence);
}

int LobbyBot::finish() {
  count();
  tally_.fold();
  tally_.there = executor_.take_there();
  tally_.back = executor_.take_back();
  if (!is_over()) status_ = LobbyStatus::cut_off;
  const int status = static_cast<int>(status_);
  if (options_.json_log) {
    log(summary_json(system_clock::now(), tally_, seed_, status));
  } else {
    screen().print(summary(tally_, seed_, seconds(std::chrono::steady_clock::now() - start_)));
  }
  print_problem();
  return status;
}

}  // namespace bot_program
