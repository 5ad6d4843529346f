// SPDX-License-Identifier: MIT
#include "config_value.hpp"

namespace muster::signal {
namespace {

// Objects of a list: each member is read by name, an unknown one is a mistake.
template <class T, class ReadMember>
std::string read_objects(const Json& value, std::vector<T>& out, std::string_view shape,
                         ReadMember read_member) {
  if (!value.is_array()) return " must be a list of objects such as " + std::string{shape};
  std::vector<T> objects;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string index = "[" + std::to_string(i) + "]";
    if (!value[i].is_object()) return index + " must be an object such as " + std::string{shape};
    T& object = objects.emplace_back();
    for (const auto& [name, member] : value[i].get_ref<const Json::object_t&>()) {
      const auto problem = read_member(object, name, member);
      if (!problem) return index + " has the unknown key " + in_quotes(name);
      if (!problem->empty()) return index + "." + name + *problem;
    }
  }
  out = std::move(objects);
  return {};
}

}  // namespace

std::string read_flag(const Json& value, bool& out) {
  const auto* flag = value.get_ptr<const bool*>();
  if (flag == nullptr) return " must be true or false";
  out = *flag;
  return {};
}

std::string read_text(const Json& value, std::string& out) {
  const auto* text = value.get_ptr<const Json::string_t*>();
  if (text == nullptr) return " must be a text";
  // A file's name or a log's line would end there.
  if (text->find('\0') != std::string::npos) return " must be a text without control characters";
  out = *text;
  return {};
}

std::string read_secret(const Json& value, std::string& out) {
  std::string problem = read_text(value, out);
  if (problem.empty() && out == hidden_secret) {
    return " must be the secret itself, not what is printed in its place";
  }
  return problem;
}

std::string read_texts(const Json& value, std::vector<std::string>& out) {
  if (!value.is_array()) return " must be a list of texts";
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string problem = read_text(value[i], texts.emplace_back());
    if (!problem.empty()) return "[" + std::to_string(i) + "]" + problem;
  }
  out = std::move(texts);
  return {};
}

Json write_secret(const std::string& secret) {
  return Json(secret.empty() ? std::string_view{} : hidden_secret);
}

Json write_optional_secret(const std::optional<std::string>& secret) {
  return secret ? write_secret(*secret) : Json();
}

std::string read_apps(const Json& value, std::vector<App>& out) {
  constexpr std::string_view shape = R"({"app_id": "my-game", "app_name": "My game"})";
  std::vector<App> apps;
  std::string problem = read_objects(
      value, apps, shape,
      [](App& app, const std::string& name, const Json& member) -> std::optional<std::string> {
        if (name == "app_id") return read_text(member, app.id);
        if (name == "app_name") return read_text(member, app.name);
        if (name == "organization") return read_optional(member, app.organization, read_text);
        if (name == "max_rooms") return read_optional_whole(member, app.max_rooms);
        if (name == "max_players_per_room") {
          return read_optional_whole(member, app.max_players_per_room);
        }
        if (name == "rate_limit_per_minute") {
          return read_optional_whole(member, app.rate_limit_per_minute);
        }
        if (name == "app_secret") {  // no client ever shows it: an identifier is no password
          std::string secret;
          return read_text(member, secret);
        }
        return std::nullopt;
      });
  for (std::size_t i = 0; problem.empty() && i < apps.size(); ++i) {
    if (apps[i].id.empty()) problem = "[" + std::to_string(i) + "].app_id must be a text";
  }
  if (problem.empty()) out = std::move(apps);
  return problem;
}

Json write_apps(const std::vector<App>& apps) {
  Json list = Json::array();
  for (const App& app : apps) {
    list.push_back({{"app_id", app.id},
                    {"app_name", app.name},
                    {"organization", write_optional(app.organization)},
                    {"max_rooms", write_optional(app.max_rooms)},
                    {"max_players_per_room", write_optional(app.max_players_per_room)},
                    {"rate_limit_per_minute", write_optional(app.rate_limit_per_minute)}});
  }
  return list;
}

std::string read_ice_servers(const Json& value, std::vector<IceServerConfig>& out) {
  constexpr std::string_view shape = R"({"urls": ["stun:stun.example:3478"]})";
  return read_objects(value, out, shape,
                      [](IceServerConfig& server, const std::string& name,
                         const Json& member) -> std::optional<std::string> {
                        if (name == "urls") return read_texts(member, server.urls);
                        if (name == "username")
                          return read_optional(member, server.username, read_text);
                        if (name == "credential")
                          return read_optional(member, server.credential, read_secret);
                        return std::nullopt;
                      });
}

Json write_ice_servers(const std::vector<IceServerConfig>& servers) {
  Json list = Json::array();
  for (const IceServerConfig& server : servers) {
    list.push_back({{"urls", server.urls},
                    {"username", write_optional(server.username)},
                    {"credential", write_optional_secret(server.credential)}});
  }
  return list;
}

std::string read_origins(const Json& value, std::vector<std::string>& out) {
  std::string all;
  std::string problem = read_text(value, all);
  if (!problem.empty()) return problem + " of origins parted by commas, or \"*\"";
  std::vector<std::string> origins;
  std::string_view rest = all;
  for (bool is_last = false; !is_last;) {
    const std::size_t comma = rest.find(',');
    is_last = comma == std::string_view::npos;
    std::string_view origin = rest.substr(0, comma);
    while (origin.starts_with(' ')) origin.remove_prefix(1);
    while (origin.ends_with(' ')) origin.remove_suffix(1);
    origins.emplace_back(origin);
    if (!is_last) rest.remove_prefix(comma + 1);
  }
  out = std::move(origins);
  return {};
}

Json write_origins(const std::vector<std::string>& origins) {
  if (origins.empty()) return Json("*");
  std::string all;
  for (const std::string& origin : origins) {
    if (!all.empty()) all += ',';
    all += origin;
  }
  return Json(all);
}

}  // namespace muster::signal
