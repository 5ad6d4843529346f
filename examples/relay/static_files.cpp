// SPDX-License-Identifier: MIT
// Reading a folder, and names in requests.
#include "static_files.hpp"

#include <muster/ascii.hpp>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

namespace relay_program {

namespace {

namespace fs = std::filesystem;

std::string_view content_type_of(const fs::path& name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 18> types{{
      {".css", "text/css; charset=utf-8"},
      {".gif", "image/gif"},
      {".html", "text/html; charset=utf-8"},
      {".ico", "image/x-icon"},
      {".jpg", "image/jpeg"},
      {".js", "text/javascript; charset=utf-8"},
      {".json", "application/json"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".mp3", "audio/mpeg"},
      {".ogg", "audio/ogg"},
      {".png", "image/png"},
      {".svg", "image/svg+xml"},
      {".ttf", "font/ttf"},
      {".txt", "text/plain; charset=utf-8"},
      {".wasm", "application/wasm"},
      {".webmanifest", "application/manifest+json"},
      {".webp", "image/webp"},
      {".woff2", "font/woff2"},
  }};
  const std::string extension = name.extension().string();
  for (const auto& [known, type] : types) {
    if (extension == known) return type;
  }
  return "application/octet-stream";
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = muster::hex_digit(text[i + 1]);
    const int low = muster::hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

}  // namespace

bool StaticFiles::load(const std::string& root, std::string& problem) {
  std::map<std::string, File, std::less<>> files;
  std::size_t left = max_bytes;
  std::error_code error;
  fs::recursive_directory_iterator it{root, error};
  for (; !error && it != fs::recursive_directory_iterator{}; it.increment(error)) {
    const fs::path& path = it->path();
    const fs::file_status status = it->symlink_status(error);
    if (error) break;
    if (is_hidden(path)) {
      it.disable_recursion_pending();
      continue;
    }
    if (!fs::is_regular_file(status)) continue;
    std::ifstream input{path, std::ios::binary};
    std::string content{std::istreambuf_iterator<char>{input}, {}};
    if (!input || input.bad()) {
      problem = path.string() + " cannot be read; every file below static_root is served";
      return false;
    }
    if (content.size() > left || files.size() == max_files) {
      problem = root + " has too much; at most 4096 files and 64 MiB are served";
      return false;
    }
    left -= content.size();
    files.emplace("/" + path.lexically_relative(root).generic_string(),
                  File{content_type_of(path), std::move(content)});
  }
  if (error) {
    problem = root + " cannot be read (" + error.message() + "); a folder is needed";
    return false;
  }
  files_ = std::move(files);
  return true;
}

const StaticFiles::File* StaticFiles::find(std::string_view path) const {
  std::string name = percent_decoded(path).value_or(std::string{});
  if (name.ends_with('/')) name += "index.html";
  const auto found = files_.find(name);
  return found == files_.end() ? nullptr : &found->second;
}

}  // namespace relay_program
