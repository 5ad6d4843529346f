// SPDX-License-Identifier: MIT
#include "app_id.hpp"

#include "../sha256.hpp"

#include <algorithm>

namespace muster::signal {

bool is_app_id(std::string_view text) noexcept {
  // Of Unicode's control characters those above U+007F have two bytes, of which the first is C2.
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (text.empty() || text.size() > max_app_id_size) return false;
  if (std::any_of(text.begin(), text.end(), is_control)) return false;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == '\xC2' && static_cast<unsigned char>(text[i + 1]) < 0xA0) return false;
  }
  return true;
}

Uuid app_uuid(std::string_view app_id) noexcept {
  Sha256 sha;
  sha.add(as_bytes(app_id));
  const Mac::Tag digest = sha.finish();
  Uuid uuid;
  std::copy_n(digest.begin(), uuid.bytes.size(), uuid.bytes.begin());
  make_version_4(uuid);
  return uuid;
}

}  // namespace muster::signal
