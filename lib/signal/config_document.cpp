// SPDX-License-Identifier: MIT
#include <muster/signal/config_document.hpp>

#include <muster/bytes.hpp>
#include <muster/error.hpp>
#include <muster/utf8.hpp>

#include "config_fault.hpp"
#include "config_keys.hpp"
#include "config_text.hpp"

#include <algorithm>
#include <utility>

namespace muster::signal {
namespace {

// Objects are merged, all else is replaced; as deep as documents may be.
void merge(Json& base, Json&& over) {
  auto* const into = base.get_ptr<Json::object_t*>();
  auto* const from = over.get_ptr<Json::object_t*>();
  if (into == nullptr || from == nullptr) {
    base = std::move(over);
    return;
  }
  for (auto& [name, value] : *from) merge((*into)[name], std::move(value));
}

// Gives keys the names that the table has, so that a later document wins whatever it calls them.
bool use_known_names(Json& document, std::string& problem) {
  for (const ConfigAlias& alias : config_aliases) {
    const auto section = document.find(std::string{alias.section});
    if (section == document.end() || !section->is_object()) continue;
    const auto found = section->find(std::string{alias.alias});
    if (found == section->end()) continue;
    if (section->contains(std::string{alias.name})) {
      problem.assign(alias.section).append(".").append(alias.alias);
      problem.append(" is another name of ").append(alias.name).append("; give one of them");
      return false;
    }
    Json value = std::move(*found);
    section->erase(found);
    (*section)[std::string{alias.name}] = std::move(value);
  }
  return true;
}

// "server.default_max_players" of "SERVER__DEFAULT_MAX_PLAYERS"; empty: no such name.
std::string path_of_variable(std::string_view name) {
  std::string path;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (name.substr(i).starts_with("__")) {
      path += '.';
      ++i;
    } else if (c >= 'A' && c <= 'Z') {
      path += static_cast<char>(c - 'A' + 'a');
    } else if ((c >= '0' && c <= '9') || c == '_') {
      path += c;
    } else {
      return {};
    }
  }
  const bool has_empty =
      path.starts_with('.') || path.ends_with('.') || path.find("..") != std::string::npos;
  const auto depth = static_cast<std::size_t>(std::count(path.begin(), path.end(), '.')) + 1;
  return has_empty || depth >= ConfigDocument::max_depth ? std::string{} : path;
}

// A name as it stands in a path.
std::string in_path(std::string_view name) {
  const bool is_plain =
      !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
      });
  return is_plain ? std::string{name} : in_quotes(name);
}

// Reads one document into settings.
class Reader {
 public:
  Reader(const std::vector<ConfigKey>& keys, Settings& settings)
      : keys_(keys), settings_(settings) {}

  std::string problem;

  // False: `problem` says why.
  bool section(const std::string& path, const Json::object_t& members) {
    for (const auto& [name, value] : members) {
      const std::string full = (path.empty() ? "" : path + ".") + in_path(name);
      if (const ConfigKey* const key = find(full)) {
        const std::string rule = key->set(settings_, value);
        if (!rule.empty()) return fail(full + rule);
      } else if (!is_section(full)) {
        return fail(full + " is an unknown key");
      } else if (!value.is_object()) {
        return fail(full + " must be an object");
      } else if (!section(full, value.get_ref<const Json::object_t&>())) {
        return false;
      }
    }
    return true;
  }

  bool check() {
    if (const auto fault = find_fault(settings_.config)) {
      for (const ConfigKey& key : keys_) {
        if (key.field == fault->field) {
          return fail(std::string{key.path} + " must " + fault->must);
        }
      }
      return fail(std::string{fault->field} + " must " + fault->must);
    }
    return check_server();
  }

 private:
  [[nodiscard]] const ConfigKey* find(std::string_view path) const {
    const auto key = std::find_if(keys_.begin(), keys_.end(),
                                  [path](const ConfigKey& k) { return k.path == path; });
    return key == keys_.end() ? nullptr : &*key;
  }

  [[nodiscard]] bool is_section(std::string_view path) const {
    return std::any_of(keys_.begin(), keys_.end(), [path](const ConfigKey& key) {
      return key.path.size() > path.size() && key.path.starts_with(path) &&
             key.path[path.size()] == '.';
    });
  }

  bool check_server() {
    using ClientAuth = ServerSettings::ClientAuth;
    const ServerSettings& server = settings_.server;
    const Config& config = settings_.config;
    const auto is_given = [](const std::optional<std::string>& text) {
      return text && !text->empty();
    };
    if (server.require_metrics_auth && !is_given(server.metrics_auth_token)) {
      return fail("security.metrics_auth_token must be given while require_metrics_auth is true");
    }
    if (server.tls_enabled && !is_given(server.certificate_path)) {
      return fail("security.transport.tls.certificate_path must be given while tls is enabled");
    }
    if (server.tls_enabled && !is_given(server.private_key_path)) {
      return fail("security.transport.tls.private_key_path must be given while tls is enabled");
    }
    if (server.tls_enabled && server.client_auth != ClientAuth::none &&
        !is_given(server.client_ca_path)) {
      return fail(
          "security.transport.tls.client_ca_cert_path must be given while client_auth is not none");
    }
    if (config.require_token_binding && !server.tls_enabled) {
      return fail("security.transport.token_binding.required must be false without tls");
    }
    if (config.require_client_fingerprint &&
        (!server.tls_enabled || server.client_auth == ClientAuth::none)) {
      return fail(
          "security.transport.token_binding.require_client_fingerprint must be false without "
          "tls.client_auth");
    }
    if (server.log_filename.empty() || server.log_filename.find('/') != std::string::npos ||
        server.log_filename == "." || server.log_filename == "..") {
      return fail("logging.filename must be the name of a file");
    }
    constexpr std::uint32_t max_send_buffer = 16 * 1024 * 1024;
    if (server.socket_send_buffer_bytes > max_send_buffer) {
      return fail("websocket.socket_send_buffer_bytes must be from 0 to 16777216");
    }
    if (server.upgrade_timeout < std::chrono::seconds{1} ||
        server.upgrade_timeout > std::chrono::hours{1}) {
      return fail("websocket.http_header_read_timeout_secs must be from 1 s to 3600 s");
    }
    return true;
  }

  bool fail(std::string sentence) {
    problem = std::move(sentence);
    return false;
  }

  const std::vector<ConfigKey>& keys_;
  Settings& settings_;
};

}  // namespace

struct MUSTER_LOCAL ConfigDocument::Impl {
  Json root = Json::object();
  std::vector<ConfigKey> keys = config_keys();
};

ConfigDocument::ConfigDocument() : impl_(std::make_unique<Impl>()) {}
ConfigDocument::~ConfigDocument() = default;
ConfigDocument::ConfigDocument(ConfigDocument&&) noexcept = default;
ConfigDocument& ConfigDocument::operator=(ConfigDocument&&) noexcept = default;

std::error_code ConfigDocument::add(std::string_view json, std::string& problem) {
  Json document;
  if (const auto error = read_config_text(json, document, problem)) return error;
  if (!document.is_object()) {
    problem = "the document must be an object such as {\"port\": 3536}";
    return errc::bad_syntax;
  }
  if (!use_known_names(document, problem)) return errc::bad_syntax;
  merge(impl_->root, std::move(document));
  return {};
}

std::error_code ConfigDocument::add_variable(std::string_view name, std::string_view value,
                                             std::string& problem) {
  const auto fail = [&problem, name](std::string_view what, errc reason) {
    problem = "SIGNAL_FISH__" + std::string{utf8_prefix(name, 128)} + std::string{what};
    return make_error_code(reason);
  };
  const std::string path = path_of_variable(name);
  if (path.empty()) {
    problem = "SIGNAL_FISH__" + in_quotes(name) +
              " is not the name of a key: segments of A-Z, 0-9 and _, parted by __";
    return errc::bad_syntax;
  }
  if (value.size() > max_size) return fail(" has too many bytes", errc::too_large);
  if (!is_valid_utf8(as_bytes(value))) return fail(" is not UTF-8", errc::bad_syntax);

  Json given;
  std::string why;
  const auto error = read_config_text(value, given, why);
  if (error == errc::too_deep) return fail(": " + why, errc::too_deep);
  const bool is_text =
      std::any_of(impl_->keys.begin(), impl_->keys.end(),
                  [&path](const ConfigKey& key) { return key.is_text && key.path == path; });
  const bool stays_text = is_text && !given.is_string() && !given.is_null();
  if (error || stays_text) given = std::string{value};

  Json layer = std::move(given);
  for (std::string_view rest = path; !rest.empty();) {
    const std::size_t dot = rest.rfind('.');
    const std::size_t begin = dot == std::string_view::npos ? 0 : dot + 1;
    Json outer = Json::object();
    outer[std::string{rest.substr(begin)}] = std::move(layer);
    layer = std::move(outer);
    rest = rest.substr(0, begin == 0 ? 0 : dot);
  }
  if (!use_known_names(layer, why)) return fail(": " + why, errc::bad_syntax);
  merge(impl_->root, std::move(layer));
  return {};
}

std::error_code ConfigDocument::read(Config& config, ServerSettings& settings,
                                     std::string& problem) const {
  Settings all = document_defaults();
  Reader reader{impl_->keys, all};
  if (!reader.section("", impl_->root.get_ref<const Json::object_t&>()) || !reader.check()) {
    problem = std::move(reader.problem);
    return errc::invalid_config;
  }
  config = std::move(all.config);
  settings = std::move(all.server);
  return {};
}

std::string ConfigDocument::print(const Config& config, const ServerSettings& settings) {
  nlohmann::ordered_json document = nlohmann::ordered_json::object();
  const Settings all{config, settings};
  for (const ConfigKey& key : config_keys()) {
    if (!key.get) continue;
    nlohmann::ordered_json* place = &document;
    std::string_view rest = key.path;
    for (auto dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
      place = &(*place)[std::string{rest.substr(0, dot)}];
      rest.remove_prefix(dot + 1);
    }
    (*place)[std::string{rest}] = nlohmann::ordered_json(key.get(all));
  }
  return document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::vector<ConfigDocument::KeyInfo> ConfigDocument::keys() {
  std::vector<KeyInfo> keys;
  for (const ConfigKey& key : config_keys()) {
    keys.push_back({std::string{key.path}, static_cast<bool>(key.get)});
  }
  return keys;
}

}  // namespace muster::signal
