// SPDX-License-Identifier: MIT
// The configuration as a file and the environment have it.
#pragma once

#include <muster/export.hpp>
#include <muster/signal/config.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace muster::signal {

/// What the document says beyond the service: for the program that serves it.
struct ServerSettings {
  std::uint16_t port = 3536;               ///< 1 to 65535
  bool has_port = false;                   ///< the document says so
  std::optional<std::string> log_level{};  ///< "trace", "debug", "info", "warn" or "error"
  std::optional<std::string> log_directory{};
  std::string log_filename = "server.log";
  bool enable_file_logging = true;  ///< false: not to the directory either
  bool require_metrics_auth = false;
  std::optional<std::string> metrics_auth_token{};  ///< a secret
  bool tls_enabled = false;
  std::optional<std::string> certificate_path{};
  std::optional<std::string> private_key_path{};
  std::optional<std::string> client_ca_path{};
  enum class ClientAuth : std::uint8_t { none, optional, require };
  ClientAuth client_auth = ClientAuth::none;
  std::uint32_t socket_send_buffer_bytes = 65'536;      ///< up to 16 MiB; 0: the system's
  duration upgrade_timeout = std::chrono::seconds{10};  ///< 1 s to 1 h
};

/// Documents of the reference server's form, one laid over the other; later ones win, member by
/// member. Everything that is wrong is an error with the path of its key, and nothing is guessed.
/// No error shows a value, since it may be a secret.
/// @threads distinct objects: safe; shared objects: unsafe
/// @source docs/protocol/signal.md, "Configuration"
class MUSTER_API ConfigDocument {
 public:
  static constexpr std::size_t max_size = 1024 * 1024;  ///< bytes of one document
  static constexpr std::size_t max_depth = 8;           ///< objects and lists open at once

  ConfigDocument();
  ~ConfigDocument();
  ConfigDocument(ConfigDocument&&) noexcept;
  ConfigDocument& operator=(ConfigDocument&&) noexcept;

  /// Lays a JSON document over what is there.
  /// @param problem   on failure, a sentence that names the line, or the key's path
  /// @error errc::bad_syntax   not a JSON object, or one key twice; nothing is laid over
  /// @error errc::too_large    more than `max_size` bytes
  /// @error errc::too_deep     deeper than `max_depth`
  std::error_code add(std::string_view json, std::string& problem);

  /// Lays one environment variable over what is there: NAME without its prefix SIGNAL_FISH__,
  /// segments parted by "__", in upper case. The value is read as JSON if it is JSON, else it is a
  /// text; under a key that is a text, a number stays a text.
  /// @param problem   on failure, a sentence that names the variable
  /// @error errc::bad_syntax   not such a name, or the value is no UTF-8
  /// @error errc::too_large, too_deep   as for `add`
  std::error_code add_variable(std::string_view name, std::string_view value, std::string& problem);

  /// What it all means, checked. Nothing is set on failure.
  /// @param problem   on failure, a sentence that begins with the key's path
  /// @error errc::invalid_config   an unknown key, or a value that is not allowed
  std::error_code read(Config& config, ServerSettings& settings, std::string& problem) const;

  /// The document with every key that does something, for --print-config. Secrets are hidden.
  [[nodiscard]] static std::string print(const Config& config, const ServerSettings& settings);

  /// A key, for documents and tests.
  struct KeyInfo {
    std::string path;     ///< "server.default_max_players"
    bool is_used = true;  ///< false: checked, and without any effect
  };
  [[nodiscard]] static std::vector<KeyInfo> keys();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::signal
