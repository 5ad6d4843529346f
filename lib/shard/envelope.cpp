// SPDX-License-Identifier: MIT
// One pass over the message by the JSON scanner; what is lenient is decided at its end.
#include <muster/shard/envelope.hpp>

#include <muster/utf8.hpp>
#include <muster/wire/json_scanner.hpp>

#include <charconv>
#include <system_error>

namespace muster::shard {
namespace {

using wire::JsonKind;
using wire::JsonMember;
using wire::JsonScanner;

EnvelopeError as_envelope_error(errc reason) noexcept {
  switch (reason) {
    case errc::bad_utf8:
      return EnvelopeError::bad_utf8;
    case errc::too_deep:
      return EnvelopeError::too_deep;
    default:
      return EnvelopeError::bad_json;
  }
}

// Digits alone: 1.0, 1e3 and -0 are no such number, and neither is 2^64.
std::optional<std::uint64_t> read_whole_number(const JsonMember& member) noexcept {
  if (member.kind != JsonKind::number) return std::nullopt;
  const std::string_view digits = as_text(member.value);
  const char* const end = digits.data() + digits.size();
  std::uint64_t value = 0;
  const auto [at, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc{} || at != end) return std::nullopt;
  return value;
}

}  // namespace

std::string_view to_string(EnvelopeError error) noexcept {
  switch (error) {
    case EnvelopeError::none:
      return "none";
    case EnvelopeError::bad_json:
      return "bad_json";
    case EnvelopeError::bad_utf8:
      return "bad_utf8";
    case EnvelopeError::too_deep:
      return "too_deep";
    case EnvelopeError::not_object:
      return "not_object";
    case EnvelopeError::missing_input:
      return "missing_input";
    case EnvelopeError::bad_client_seq:
      return "bad_client_seq";
  }
  return "unknown";
}

EnvelopeError EnvelopeDecoder::decode(byte_view message, Envelope& envelope) {
  const EnvelopeError error = decode_once(message, envelope);
  if (error != EnvelopeError::bad_utf8 || !rules_.is_lenient) return error;
  repaired_ = replace_invalid_utf8(message);
  return decode_once(as_bytes(repaired_), envelope);
}

EnvelopeError EnvelopeDecoder::decode_once(byte_view message, Envelope& envelope) const noexcept {
  JsonScanner scanner{message, rules_.max_depth};
  std::optional<byte_view> input;
  std::optional<std::uint64_t> client_seq;
  bool is_bad_client_seq = false;
  while (const auto member = scanner.next_member()) {
    if (member->is_named("input")) {
      input = member->value;
    } else if (member->is_named("client_seq")) {
      client_seq = read_whole_number(*member);
      is_bad_client_seq = !client_seq && member->kind != JsonKind::null;
    }
  }
  scanner.finish();
  if (!scanner.ok()) return as_envelope_error(scanner.error());
  if (!rules_.is_lenient) {
    if (scanner.kind() != JsonKind::object) return EnvelopeError::not_object;
    if (!input) return EnvelopeError::missing_input;
    if (is_bad_client_seq) return EnvelopeError::bad_client_seq;
  }
  envelope = {input.value_or(as_bytes("null")), client_seq};
  return EnvelopeError::none;
}

}  // namespace muster::shard
