// SPDX-License-Identifier: MIT
// Files that are served beside the relay: a game's page and its scripts.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace relay_program {

/// The regular files of a folder, read at once and kept: a request looks a name up and opens
/// nothing, so that no path leads out of the folder and no disk holds a loop up.
///
/// What begins with a dot is left out, and so is every symbolic link.
class StaticFiles {
 public:
  static constexpr std::size_t max_bytes = 64U << 20U;  ///< of all files together
  static constexpr std::size_t max_files = 4096;

  struct File {
    std::string_view content_type;
    std::string content;
  };

  /// Replaces all, or nothing if a file cannot be read.
  /// @param problem   on failure, a sentence for the operator
  [[nodiscard]] bool load(const std::string& root, std::string& problem);

  /// @param path   of a request, percent-encoded; one that ends with '/' is its index.html
  /// @return       null if there is no such file
  [[nodiscard]] const File* find(std::string_view path) const;

 private:
  std::map<std::string, File, std::less<>> files_;  // by path, from '/'
};

}  // namespace relay_program
