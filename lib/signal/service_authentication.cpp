// SPDX-License-Identifier: MIT
// Who may come in, and in which version.
#include "service_impl.hpp"

#include "app_id.hpp"
#include "sdk_version.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace muster::signal {

namespace {

constexpr std::uint32_t default_per_minute = 1000;
constexpr std::string_view operation_ids = "room_operation_ids";
constexpr std::array<std::string_view, 3> default_capabilities{"reconnection", "spectator-mode",
                                                               "rate-limits-v2"};

template <class Word>
std::uint8_t mask_of(const std::optional<std::vector<Word>>& words) noexcept {
  if (!words) return 1;  // the relay alone
  unsigned mask = 0;
  for (const Word word : *words) mask |= 1U << static_cast<unsigned>(word);
  return static_cast<std::uint8_t>(mask);
}

}  // namespace

void Service::Impl::refuse_authentication(Session& session, ErrorCode code, std::string_view reason,
                                          bool closes, time_point now) {
  ++stats_.errors.validation;
  delivery_.tell(session, AuthenticationError{reason, code}, now);
  if (closes) {
    finish(session, CloseReason::refused, CloseCode::auth_timeout, now, std::nullopt,
           "auth_failed");
  }
}

bool Service::Impl::is_compatible(const Authenticate& message) const {
  if (!message.platform || !message.sdk_version) return false;
  const auto minimum = config.minimum_sdk_versions.find(lower_case(*message.platform));
  const auto version = read_sdk_version(*message.sdk_version);
  if (minimum == config.minimum_sdk_versions.end() || !version) return false;
  const auto needed = read_sdk_version(minimum->second);
  return !needed || *version >= *needed;
}

void Service::Impl::handle(Session& session, Authenticate& message, time_point now) {
  const bool is_open = !config.require_authentication;
  if (session.is_authenticated || (is_open && session.has_spoken)) {
    return refuse(session, ErrorCode::invalid_input,
                  session.is_authenticated ? "Already authenticated"
                                           : "Authenticate must be the first message",
                  now);
  }
  const App* app = nullptr;
  if (!is_open) {
    const auto found =
        is_app_id(message.app_id) ? apps_.find(std::string_view{message.app_id}) : apps_.end();
    if (found == apps_.end()) {
      return refuse_authentication(session, ErrorCode::invalid_app_id, "Unknown application", true,
                                   now);
    }
    app = found->second;
    const std::uint32_t limit = app->rate_limit_per_minute.value_or(default_per_minute);
    if (!authentications_[app].take(1, limit, std::chrono::minutes{1}, now)) {
      ++stats_.rate_limit.auth_rejections;
      return refuse_authentication(session, ErrorCode::rate_limit_exceeded,
                                   "Too many authentications", true, now);
    }
  } else if (!is_app_id(message.app_id)) {
    return refuse_authentication(session, ErrorCode::invalid_app_id, "Not an application id", false,
                                 now);
  }
  if (config.enforce_sdk_compatibility && !is_compatible(message)) {
    return refuse_authentication(session, ErrorCode::sdk_version_unsupported,
                                 "This platform and SDK version are not supported", false, now);
  }
  const std::uint16_t claimed =
      message.protocol_version.value_or(static_cast<std::uint16_t>(session.endpoint));
  const std::uint16_t negotiated = std::min(claimed, config.max_protocol_version);
  if (negotiated < config.min_protocol_version) {
    return refuse_authentication(session, ErrorCode::unsupported_protocol_version,
                                 "This protocol version is not supported", is_open, now);
  }

  Abilities& abilities = session.abilities;
  abilities.version = negotiated >= 3 ? Version::v3 : Version::v2;
  abilities.transports = 1;
  abilities.topologies = 1;
  abilities.has_operation_ids = false;
  if (abilities.is_v3()) {
    // Everybody has the relay.
    abilities.transports = static_cast<std::uint8_t>(mask_of(message.supported_transports) | 1U);
    abilities.topologies = static_cast<std::uint8_t>(mask_of(message.supported_topologies) | 1U);
    const auto& wanted = message.requested_capabilities;
    abilities.has_operation_ids =
        wanted && std::find(wanted->begin(), wanted->end(), operation_ids) != wanted->end();
  }
  const GameDataFormat wished = message.game_data_format.value_or(GameDataFormat::json);
  abilities.format = GameDataFormat::json;
  if (wished == GameDataFormat::message_pack && config.enable_message_pack_game_data) {
    abilities.format = wished;
  } else if (wished != GameDataFormat::json) {
    delivery_.tell(
        session,
        Error{"This format of game data is not supported", ErrorCode::unsupported_game_data_format},
        now);
  }
  session.app = app;
  session.app_id = app == nullptr ? app_uuid("default") : app_uuid(app->id);
  session.is_authenticated = true;
  session.stage = Session::Stage::ready;
  schedule(session, no_deadline);

  Authenticated accepted{"default", std::nullopt, 1000, 10'000, 100'000};
  if (app != nullptr) {
    accepted.app_name = app->name;
    if (app->organization) accepted.organization = *app->organization;
    accepted.per_minute = app->rate_limit_per_minute.value_or(default_per_minute);
    accepted.per_hour = accepted.per_minute * 60;
    accepted.per_day = accepted.per_minute * 1440;
  }
  delivery_.tell(session, accepted, now);
  send_protocol_info(session, message, now);
}

void Service::Impl::send_protocol_info(Session& session, const Authenticate& message,
                                       time_point now) {
  ProtocolInfo info;
  const std::string platform = message.platform ? lower_case(*message.platform) : std::string{};
  const auto find = [&platform](const auto& map) { return map.find(platform); };
  if (message.platform) info.platform = *message.platform;
  if (message.sdk_version) info.sdk_version = *message.sdk_version;
  if (const auto it = find(config.minimum_sdk_versions); it != config.minimum_sdk_versions.end()) {
    info.minimum_version = it->second;
  }
  if (const auto it = find(config.recommended_sdk_versions);
      it != config.recommended_sdk_versions.end()) {
    info.recommended_version = it->second;
  }
  if (const auto it = find(config.sdk_notes); it != config.sdk_notes.end()) info.notes = it->second;
  std::vector<std::string_view> capabilities;
  auto listed = find(config.capabilities);
  if (listed == config.capabilities.end()) listed = config.capabilities.find("default");
  if (listed != config.capabilities.end()) {
    capabilities.assign(listed->second.begin(), listed->second.end());
  } else {
    capabilities.assign(default_capabilities.begin(), default_capabilities.end());
  }
  if (session.abilities.has_operation_ids) capabilities.push_back(operation_ids);
  info.capabilities = capabilities;
  info.has_message_pack = config.enable_message_pack_game_data;
  info.player_name_rules = &name_rules_;
  info.protocol_version = static_cast<std::uint16_t>(session.abilities.version);
  info.min_protocol_version = config.min_protocol_version;
  info.max_protocol_version = config.max_protocol_version;
  delivery_.tell(session, info, now);
}

}  // namespace muster::signal
