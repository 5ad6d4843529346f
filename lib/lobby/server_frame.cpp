// SPDX-License-Identifier: MIT
// Reading the members of a message.
#include "server_frame.hpp"

#include <muster/wire/json_string.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>

namespace muster::lobby {

using wire::JsonKind;
using wire::JsonMember;
using wire::JsonScanner;

std::string text_of(byte_view json_string) {
  return wire::json_string_text(as_text(json_string.subspan(1, json_string.size() - 2)));
}

bool ServerFrame::read(const Message& message) {
  members_.clear();
  return message.kind == MessageKind::text && read(message.bytes);
}

bool ServerFrame::read(byte_view object) {
  members_.clear();
  whole_ = object;
  JsonScanner scanner{object, max_depth};
  if (scanner.kind() != JsonKind::object) return false;
  while (const auto member = scanner.next_member()) {
    if (members_.size() < max_members) members_.push_back(*member);
  }
  return scanner.ok();
}

const JsonMember* ServerFrame::member(std::string_view name) const noexcept {
  const auto found = std::find_if(members_.rbegin(), members_.rend(),
                                  [name](const JsonMember& m) { return m.is_named(name); });
  return found == members_.rend() ? nullptr : &*found;
}

std::optional<std::string> ServerFrame::text(std::string_view name) const {
  const JsonMember* const found = member(name);
  if (found == nullptr || found->kind != JsonKind::string) return std::nullopt;
  return text_of(found->value);
}

std::optional<std::int64_t> ServerFrame::number(std::string_view name) const noexcept {
  const JsonMember* const found = member(name);
  if (found == nullptr || found->kind != JsonKind::number) return std::nullopt;
  const std::string_view digits = as_text(found->value);
  std::int64_t value = 0;
  const auto [at, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || at != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::optional<duration> ServerFrame::time(std::string_view name) const noexcept {
  constexpr std::chrono::milliseconds day = std::chrono::hours{24};
  const std::optional<std::int64_t> ms = number(name);
  if (!ms || *ms <= 0 || *ms >= day.count()) return std::nullopt;
  return std::chrono::milliseconds{*ms};
}

bool ServerFrame::is_true(std::string_view name) const noexcept {
  const JsonMember* const found = member(name);
  return found != nullptr && as_text(found->value) == "true";
}

std::optional<byte_view> ServerFrame::object(std::string_view name) const noexcept {
  const JsonMember* const found = member(name);
  if (found == nullptr || found->kind != JsonKind::object) return std::nullopt;
  return found->value;
}

std::optional<std::vector<std::string>> ServerFrame::texts(std::string_view name) const {
  const JsonMember* const found = member(name);
  if (found == nullptr || found->kind != JsonKind::array) return std::nullopt;
  std::vector<std::string> texts;
  JsonScanner scanner{found->value, max_depth};
  while (const auto element = scanner.next_element()) {
    if (element->kind != JsonKind::string || texts.size() == max_elements) continue;
    std::string text = text_of(element->value);
    if (!text.empty()) texts.push_back(std::move(text));
  }
  return texts;
}

}  // namespace muster::lobby
