// SPDX-License-Identifier: MIT
// The routes below /api/shards: what runs, inputs by POST, snapshots as server-sent events.
#include <muster/shard/service.hpp>

#include <muster/shard/id.hpp>
#include <muster/wire/byte_writer.hpp>
#include <muster/wire/json_scanner.hpp>
#include <muster/wire/json_string.hpp>

#include <charconv>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ask.hpp"

namespace muster::shard {

namespace {

constexpr std::string_view base = "/api/shards";
constexpr std::string_view match_base = "/api/match";

// An unsigned number and nothing else.
std::optional<std::uint64_t> read_number(std::string_view text) noexcept {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Members in the order of their names, as the original writes them.
void write_info(std::vector<std::byte>& out, std::string_view id, const AnyShard& shard) {
  wire::ByteWriter writer{out};
  writer.text("{\"id\":");
  wire::write_json_string(writer, id);
  writer.text(",\"input_queue\":" + std::to_string(shard.input_count()));
  writer.text(shard.is_running() ? ",\"running\":true" : ",\"running\":false");
  writer.text(",\"subscribers\":" + std::to_string(shard.subscriber_count()));
  writer.text(",\"tick\":" + std::to_string(shard.tick()) + "}");
}

// Whether a body names somebody else as the one who acts.
bool is_for_another(byte_view body, std::string_view user) noexcept {
  wire::JsonScanner scanner{body, wire::JsonScanner::depth_limit};
  bool is_another = false;
  while (const auto member = scanner.next_member()) {
    if (!member->is_named("subscriber_id")) continue;
    const std::string_view value = as_text(member->value);
    is_another = member->kind != wire::JsonKind::null &&
                 (member->kind != wire::JsonKind::string ||
                  !wire::json_string_equals(value.substr(1, value.size() - 2), user));
  }
  return is_another;
}

}  // namespace

Service::Refusal Service::not_found(const Question& question) {
  return {ErrorCode::shard_not_found, "Shard \"" + question.shard + "\" not found"};
}

void Service::on_request(const Request& request, Decision decision, time_point now) {
  auto ask = std::make_shared<Ask>(Question::What::list, std::move(decision), request.remote);
  Question& question = ask->question;
  std::string_view rest = request.path;
  const bool has_matches = desk_ != nullptr || matchmaker_on_ != here_;
  if (has_matches && rest.starts_with(match_base)) {
    const std::string_view action = rest.substr(match_base.size());
    if (action.empty() || action.front() == '/') return ask_match(ask, request, action, now);
  }
  if (!rest.starts_with(base)) {
    // Everywhere else a WebSocket is what there is.
    if (request.method == "GET" || request.method == "HEAD") {
      return refuse(*ask, {ErrorCode::upgrade_required});
    }
    return refuse(*ask, {ErrorCode::method_not_allowed, {}, 0, "GET"});
  }
  rest.remove_prefix(base.size());
  bool is_post = false;
  if (!rest.empty() && rest != "/") {
    if (rest.front() != '/') return refuse(*ask, {ErrorCode::shard_not_found});
    rest.remove_prefix(1);
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::optional<std::string> id = decode_token(rest.substr(0, slash));
    const std::string_view action = rest.substr(slash);
    if (!id || !is_valid_id(*id)) return refuse(*ask, {ErrorCode::bad_query});
    question.shard = *id;
    ask->what = Question::What::info;
    if (action == "/input") {
      ask->what = Question::What::input;
      question.body.assign(request.body.begin(), request.body.end());
      is_post = true;
    } else if (action == "/connect") {
      ask->what = Question::What::events;
      question.wire = Wire::events;
      if (const auto sid = query_parameter(request.query, "sid")) {
        question.subscriber = decode_query_value(*sid);
        if (!question.subscriber || !is_valid_id(*question.subscriber)) {
          return refuse(*ask, {ErrorCode::bad_sid});
        }
      }
      question.last_event = read_number(request.header("Last-Event-ID").value_or(""));
    } else if (!action.empty()) {
      return refuse(*ask, not_found(question));
    }
  }
  question.what = ask->what;
  const bool is_get = request.method == "GET" || request.method == "HEAD";
  if (is_post ? request.method != "POST" : !is_get) {
    return refuse(*ask, {ErrorCode::method_not_allowed, {}, 0, is_post ? "POST" : "GET, HEAD"});
  }
  identify(std::move(ask), read_credentials(request), request, now);
}

void Service::show_all(const Question& question, Reply& reply) {
  if (!question.identity.is_admin) {
    reply.refusal = Refusal{ErrorCode::forbidden};
    return;
  }
  registry_->list([&reply](std::string_view id, const AnyShard& shard) {
    std::vector<std::byte> row;
    write_info(row, id, shard);
    reply.rows.emplace_back(id, as_text(row));
    return true;
  });
}

void Service::show(const Question& question, Reply& reply) {
  const AnyShard* const shard = registry_->find(question.shard);
  if (shard == nullptr) {
    reply.refusal = not_found(question);
  } else if (question.identity.user.empty() && !question.identity.is_admin) {
    reply.refusal = Refusal{ErrorCode::auth_required};
  } else {
    std::vector<std::byte> body;
    write_info(body, question.shard, *shard);
    reply.body = as_text(body);
  }
}

// Only for oneself: what the body says of who it is from is compared, not believed.
void Service::take_posted(const Question& question, Reply& reply, time_point now) {
  const auto refuse_with = [&reply](ErrorCode code, std::string message = {}) {
    reply.refusal = Refusal{code, std::move(message)};
  };
  const std::string& user = question.identity.user;
  Envelope envelope;
  if (envelopes_.decode(question.body, envelope) != EnvelopeError::none) {
    return refuse_with(ErrorCode::invalid_json);
  }
  AnyShard* const shard = registry_->find(question.shard);
  if (shard == nullptr) {
    reply.refusal = not_found(question);
    return;
  }
  if (user.empty()) return refuse_with(ErrorCode::auth_required);
  Subscription* const from = shard->find(user);
  if (is_for_another(question.body, user)) {
    return refuse_with(ErrorCode::unauthorized, "subscriber_id is not the authenticated user");
  }
  if (from == nullptr) {
    return refuse_with(ErrorCode::unauthorized,
                       "subscriber SubscriberId(\"" + user + "\") is not attached to this shard");
  }
  const InputResult result =
      shard->input(*from, envelope.input, Format::json, envelope.client_seq, 0, now);
  switch (result.verdict) {
    case InputVerdict::accepted:
      reply.body = "{\"accepted\":true,\"seq\":" + std::to_string(result.number) + "}";
      return;
    case InputVerdict::malformed:
      return refuse_with(ErrorCode::input_rejected,
                         "invalid input JSON: not an input of this game");
    case InputVerdict::unauthorized:
      return refuse_with(ErrorCode::unauthorized, "unauthorized: input");
    case InputVerdict::stopped:
      return refuse_with(ErrorCode::shard_stopped);
    case InputVerdict::too_fast:
    case InputVerdict::flooding:
      return refuse_with(ErrorCode::rate_limited);
    case InputVerdict::queue_full:
    case InputVerdict::stale:
    case InputVerdict::too_early:
      break;
  }
  refuse_with(ErrorCode::input_rejected, std::string{to_string(result.verdict)});
}

}  // namespace muster::shard
