// SPDX-License-Identifier: MIT
// What each fault does.
#include "faults.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace lobby_program {

using muster::as_bytes;
using muster::CloseReason;
using muster::Connection;
using muster::HeaderField;
using muster::MessageKind;
using muster::time_point;

namespace {

using Kind = Fault::Kind;

struct Name {
  std::string_view name;
  Kind kind;
};

constexpr std::array names{Name{"close", Kind::close},
                           Name{"cut", Kind::cut},
                           Name{"half-open", Kind::half_open},
                           Name{"delay", Kind::delay},
                           Name{"duplicate", Kind::duplicate},
                           Name{"repeat-seq", Kind::repeat_seq},
                           Name{"unknown", Kind::unknown},
                           Name{"bad-json", Kind::bad_json},
                           Name{"binary", Kind::binary},
                           Name{"big", Kind::big},
                           Name{"no-hello", Kind::no_hello},
                           Name{"short-end", Kind::short_end},
                           Name{"wrong-subprotocol", Kind::wrong_subprotocol},
                           Name{"missing-subprotocol", Kind::missing_subprotocol},
                           Name{"http", Kind::http},
                           Name{"evict", Kind::evict},
                           Name{"revoke", Kind::revoke},
                           Name{"limit", Kind::limit},
                           Name{"hostile-url", Kind::hostile_url},
                           Name{"matched-twice", Kind::matched_twice},
                           Name{"resume-always", Kind::resume_always}};

constexpr muster::duration cut_delay = std::chrono::milliseconds{10};

bool is_of_upgrade(Kind kind) {
  return kind == Kind::http || kind == Kind::wrong_subprotocol || kind == Kind::missing_subprotocol;
}

// The one type of frame that a fault touches; empty: all.
std::string_view type_of(Kind kind) {
  switch (kind) {
    case Kind::no_hello:
    case Kind::resume_always:
      return "hello";
    case Kind::short_end:
      return "match_end";
    case Kind::hostile_url:
    case Kind::matched_twice:
      return "matched";
    default:
      return {};
  }
}

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::uint64_t value_or(const Fault& fault, std::uint64_t otherwise) {
  return number<std::uint64_t>(fault.value).value_or(otherwise);
}

std::uint64_t most(Kind kind) {
  switch (kind) {
    case Kind::close:
      return 4999;
    case Kind::http:
      return 599;
    case Kind::big:
      return 64U << 20U;
    default:
      return 3'600'000;
  }
}

}  // namespace

std::optional<Fault> parse_fault(std::string_view text, std::string& problem) {
  const std::size_t at = text.rfind('@');
  const std::string_view what = text.substr(0, at);
  const std::string_view where = at == std::string_view::npos ? "" : text.substr(at + 1);
  const std::string_view name = what.substr(0, what.find('='));
  const auto known = std::find_if(names.begin(), names.end(),
                                  [&](const Name& entry) { return entry.name == name; });
  if (known == names.end() || where.empty()) {
    problem = "\"" + std::string{text} +
              "\" is no fault; one is KIND[=VALUE]@PLACE[:FRAME], with PLACE a number, * or lobby,"
              " and KIND one of";
    for (const Name& entry : names) problem += ' ' + std::string{entry.name};
    return std::nullopt;
  }
  Fault fault{.kind = known->kind};
  if (name.size() < what.size()) fault.value = what.substr(name.size() + 1);
  const bool takes_number = fault.kind == Kind::close || fault.kind == Kind::delay ||
                            fault.kind == Kind::big || fault.kind == Kind::http;
  const bool takes_value = takes_number || fault.kind == Kind::hostile_url;
  const auto value = number<std::uint64_t>(fault.value);
  if (!fault.value.empty() &&
      (!takes_value || (takes_number && (!value || *value > most(fault.kind))))) {
    problem = "\"" + std::string{text} + "\": the value " + fault.value + " is not possible here";
    return std::nullopt;
  }
  const std::size_t colon = where.find(':');
  const std::string_view place = where.substr(0, colon);
  const auto match = number<std::uint64_t>(place);
  const auto frame = colon == std::string_view::npos
                         ? std::optional<std::uint64_t>{0}
                         : number<std::uint64_t>(where.substr(colon + 1));
  const bool is_place = place == "*" || place == "lobby" || (match && *match != 0);
  if (!is_place || !frame || (colon != std::string_view::npos && *frame == 0)) {
    problem = "\"" + std::string{text} +
              "\": the place must be a match's number from 1, * or lobby"
              ", and a frame's number from 1 may follow";
    return std::nullopt;
  }
  fault.match = place == "lobby" ? 0 : place == "*" ? Fault::any_match : *match;
  fault.frame = *frame;
  const bool is_of_lobby = fault.kind >= Kind::evict;
  const bool is_of_match = fault.kind == Kind::short_end || fault.kind == Kind::wrong_subprotocol ||
                           fault.kind == Kind::missing_subprotocol;
  if ((is_of_lobby && fault.match != 0) || (is_of_match && fault.match == 0)) {
    problem = "\"" + std::string{text} + "\": this happens " +
              (is_of_lobby ? "in the lobby only" : "in matches only");
    return std::nullopt;
  }
  return fault;
}

Faults::Faults(std::vector<Fault> faults, muster::Outbox& outbox, Hooks hooks)
    : faults_(std::move(faults)),
      counts_(faults_.size()),
      outbox_(&outbox),
      hooks_(std::move(hooks)),
      progress_(faults_.size()),
      happened_(faults_.size()) {}

// Counts one more, and says whether this is the one.
bool Faults::happens(std::size_t index, const Origin& origin) {
  const Fault& fault = faults_[index];
  const bool is_there =
      fault.match == Fault::any_match ? origin.match != 0 : fault.match == origin.match;
  if (!is_there) return false;
  if (fault.frame != 0) {
    if (happened_[index].contains(origin.match)) return false;
    const std::uint64_t reached = ++progress_[index][{origin.match, std::string{origin.bot_id}}];
    if (reached != fault.frame) return false;
    happened_[index].insert(origin.match);
    std::erase_if(progress_[index],
                  [&](const auto& entry) { return entry.first.first == origin.match; });
  }
  ++counts_[index];
  return true;
}

void Faults::send(Connection& connection, std::string_view frame, const Origin& origin) {
  if (!hears(connection)) return;
  Json json = Json::parse(frame, nullptr, false);
  std::string text{frame};
  const std::string type = json.value("type", "");
  if (type == "matched") last_matched_[std::string{origin.bot_id}] = text;
  bool is_kept = false;
  for (std::size_t i = 0; i < faults_.size() && !is_kept; ++i) {
    const std::string_view touched = type_of(faults_[i].kind);
    if (is_of_upgrade(faults_[i].kind) || (!touched.empty() && touched != type)) continue;
    if (happens(i, origin)) is_kept = apply(faults_[i], connection, json, text, origin);
  }
  if (!is_kept) pass_on(connection, text);
}

/// @return   whether the frame itself is not to be sent
bool Faults::apply(const Fault& fault, Connection& connection, Json& frame, std::string& text,
                   const Origin& origin) {
  const std::string bot_id{origin.bot_id};
  switch (fault.kind) {
    case Kind::close:
      connection.close(CloseReason::internal_error,
                       static_cast<std::uint16_t>(value_or(fault, 1011)), "a fault");
      return true;
    case Kind::limit:
      connection.close(CloseReason::refused, 1008, "too many connects");
      return true;
    case Kind::cut:
      // What was sent before is let through: it waits for the end of this pass.
      half_open_.insert({connection.id().index, connection.id().generation});
      late_.push_back({hooks_.now() + cut_delay, connection.id(), {}, true});
      return true;
    case Kind::half_open:
      half_open_.insert({connection.id().index, connection.id().generation});
      connection.pause_reading();  // so that no ping is answered either
      return true;
    case Kind::delay:
      late_.push_back({hooks_.now() + std::chrono::milliseconds{value_or(fault, 1000)},
                       connection.id(), text, false});
      return true;
    case Kind::duplicate:
    case Kind::matched_twice:
      pass_on(connection, text);
      return false;
    case Kind::repeat_seq:
      if (frame.contains("seq") && frame["seq"] > 1) {
        frame["seq"] = frame["seq"].get<std::int64_t>() - 1;
        text = frame.dump();
      }
      return false;
    case Kind::unknown:
      pass_on(connection, R"({"type":"of_another_time","payload":{"a":[1,null]}})");
      return false;
    case Kind::bad_json:
      pass_on(connection, "{bad");
      return false;
    case Kind::binary:
      connection.send({as_bytes(R"({"type":"ping"})"), MessageKind::binary});
      return false;
    case Kind::big: {
      const std::size_t size = value_or(fault, 17U << 20U);
      connection.set_budget({.bytes = 256U << 20U});
      pass_on(connection, R"({"type":"big","filling":")" + std::string(size, 'x') + "\"}");
      return false;
    }
    case Kind::no_hello:
      return true;
    case Kind::short_end:
      text = Json{{"type", "match_end"},
                  {"match_id", frame.value("match_id", "")},
                  {"seq", 1},
                  {"server_ts", frame.value("server_ts", "")},
                  {"reason", "error"},
                  {"error_code", "server_error"},
                  {"error_message", "a fault"}}
                 .dump();
      return false;
    case Kind::evict:
      deferred_.push_back([this, bot_id] { hooks_.evict(bot_id); });
      return false;
    case Kind::revoke:
      deferred_.push_back([this, bot_id] { hooks_.revoke(bot_id); });
      return false;
    case Kind::hostile_url:
      frame["gateway_ws_url"] = fault.value.empty() ? "wss://attacker.example/x" : fault.value;
      text = frame.dump();
      return false;
    case Kind::resume_always:
      if (const auto last = last_matched_.find(bot_id); last != last_matched_.end()) {
        pass_on(connection, text);
        Json again = Json::parse(last->second);
        again["resume"] = true;
        pass_on(connection, again.dump());
        return true;
      }
      return false;
    case Kind::wrong_subprotocol:
    case Kind::missing_subprotocol:
    case Kind::http:
      return false;  // of upgrades
  }
  return false;
}

// Frames keep their order, behind one that is late too.
void Faults::pass_on(Connection& connection, std::string_view text) {
  const auto before = std::find_if(late_.rbegin(), late_.rend(), [&](const Late& late) {
    return late.connection == connection.id();
  });
  if (before != late_.rend()) {
    late_.push_back({before->at, connection.id(), std::string{text}, false});
  } else {
    write(connection, text);
  }
}

bool Faults::hears(const Connection& connection) {
  return !half_open_.contains({connection.id().index, connection.id().generation});
}

bool Faults::answer(const Origin& origin, muster::Decision& decision) {
  for (std::size_t i = 0; i < faults_.size(); ++i) {
    if (faults_[i].kind != Kind::http || !happens(i, origin)) continue;
    const auto status = static_cast<unsigned>(value_or(faults_[i], 503));
    constexpr std::array elsewhere{HeaderField{"Location", "wss://attacker.example/x"}};
    const bool is_redirect = status / 100 == 3;
    decision.respond({.status = status,
                      .body = as_bytes("a fault\n"),
                      .headers = is_redirect ? std::span<const HeaderField>{elsewhere}
                                             : std::span<const HeaderField>{}});
    return true;
  }
  return false;
}

std::string_view Faults::select(const Origin& origin, std::string_view sentinel,
                                std::string_view token) {
  for (std::size_t i = 0; i < faults_.size(); ++i) {
    const bool is_wrong = faults_[i].kind == Kind::wrong_subprotocol;
    if (!is_wrong && faults_[i].kind != Kind::missing_subprotocol) continue;
    if (happens(i, origin)) return is_wrong ? token : std::string_view{};
  }
  return sentinel;
}

void Faults::forget(const Connection& connection) {
  half_open_.erase({connection.id().index, connection.id().generation});
  std::erase_if(late_, [&](const Late& late) { return late.connection == connection.id(); });
}

void Faults::advance(time_point now) {
  for (const auto& call : std::exchange(deferred_, {})) call();
  while (!late_.empty()) {
    const auto next = std::min_element(late_.begin(), late_.end(),
                                       [](const Late& a, const Late& b) { return a.at < b.at; });
    if (next->at > now) return;
    const Late late = std::move(*next);
    late_.erase(next);
    Connection* const connection = outbox_->find(late.connection);
    if (connection != nullptr && late.is_cut) {
      hooks_.cut(*connection);
    } else if (connection != nullptr) {
      write(*connection, late.frame);
    }
  }
}

time_point Faults::next_deadline() const noexcept {
  if (!deferred_.empty()) return time_point::min();
  time_point next = muster::no_deadline;
  for (const Late& late : late_) next = std::min(next, late.at);
  return next;
}

}  // namespace lobby_program
