// SPDX-License-Identifier: MIT
#include "secret_file.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bot_program {

namespace {

constexpr std::size_t max_settings_size = 64 * 1024;
constexpr std::size_t max_token_file_size = 4096;
constexpr std::size_t max_bots_file_size = 8 * 1024 * 1024;

// Closes what it was given.
class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const noexcept { return number_; }

 private:
  int number_;
};

}  // namespace

std::variant<std::string, SettingsProblem> read_secret_file(const std::string& name,
                                                            bool allows_shared,
                                                            std::size_t max_size) {
  const auto unreadable = [&name](std::string_view why) {
    return SettingsProblem{SettingsError::file_unreadable,
                           name + " cannot be read: " + std::string{why}};
  };
  const Descriptor file{::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat about {};
  if (file.number() < 0 || ::fstat(file.number(), &about) != 0) {
    return unreadable(std::strerror(errno));
  }
  if (!S_ISREG(about.st_mode)) return unreadable("it is no ordinary file");
  if (!allows_shared && (about.st_mode & 077U) != 0) {
    return SettingsProblem{SettingsError::file_shared,
                           name + " may be read by others; chmod 600 keeps the token secret"};
  }
  std::string text;
  std::array<char, 4096> block;
  while (true) {
    const ssize_t size = ::read(file.number(), block.data(), block.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return unreadable(std::strerror(errno));
    if (size == 0) break;
    text.append(block.data(), static_cast<std::size_t>(size));
    if (text.size() > max_size) {
      muster::lobby::wipe(text);
      return unreadable("it is too large");
    }
  }
  block.fill(0);
  return text;
}

std::variant<std::vector<LobbySettings>, SettingsProblem> load_bots(
    const LobbySources& sources, const Environment& environment) {
  if (!sources.bots_file.empty()) {
    auto text = read_secret_file(sources.bots_file, sources.allows_shared, max_bots_file_size);
    if (auto* const problem = std::get_if<SettingsProblem>(&text)) return std::move(*problem);
    auto bots = parse_bots(std::get<std::string>(text), sources.arguments, environment);
    muster::lobby::wipe(std::get<std::string>(text));
    return bots;
  }
  LobbyArguments arguments = sources.arguments;
  if (!sources.token_file.empty()) {
    auto text = read_secret_file(sources.token_file, sources.allows_shared, max_token_file_size);
    if (auto* const problem = std::get_if<SettingsProblem>(&text)) return std::move(*problem);
    auto& token = std::get<std::string>(text);
    arguments.token.emplace(
        std::string_view{token}.substr(0, token.find_last_not_of(" \t\r\n") + 1));
    muster::lobby::wipe(token);
  }
  std::optional<std::string> file;
  for (const std::string& name : settings_files(environment)) {
    if (::access(name.c_str(), F_OK) != 0) continue;
    auto text = read_secret_file(name, sources.allows_shared, max_settings_size);
    if (auto* const problem = std::get_if<SettingsProblem>(&text)) return std::move(*problem);
    file = std::get<std::string>(std::move(text));
    break;
  }
  auto settings = resolve_lobby(arguments, file, environment);
  if (file) muster::lobby::wipe(*file);
  if (auto* const problem = std::get_if<SettingsProblem>(&settings)) return std::move(*problem);
  std::vector<LobbySettings> bots;
  bots.push_back(std::get<LobbySettings>(std::move(settings)));
  return bots;
}

}  // namespace bot_program
