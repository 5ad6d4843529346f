// SPDX-License-Identifier: MIT
// The JSON message that carries an input: {"input":...,"client_seq":...}
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muster::shard {

/// What a client sends in one message.
struct Envelope {
  byte_view input;                          ///< one JSON value, checked, as the client wrote it
  std::optional<std::uint64_t> client_seq;  ///< the client's own number for this input
};

/// Why a message is no envelope.
enum class EnvelopeError : std::uint8_t {
  none,
  bad_json,        ///< not JSON, or with a number beyond a double
  bad_utf8,        ///< a string in it is not UTF-8
  too_deep,        ///< nested deeper than the limit
  not_object,      ///< JSON, but not an object
  missing_input,   ///< an object without `input`
  bad_client_seq,  ///< `client_seq` is neither null nor a whole number from 0 to 2^64 - 1
};

/// The error's name as metrics and refusals show it, for example "bad_json".
[[nodiscard]] MUSTER_API std::string_view to_string(EnvelopeError error) noexcept;

struct EnvelopeRules {
  /// How many arrays and objects may be open at once, the envelope included: 1 to 512.
  std::size_t max_depth = 64;

  /// What the original does: whatever is JSON is an input. One that is missing, also from a message
  /// that is no object, is null; a `client_seq` that is no such number is absent; bytes that are
  /// not UTF-8 become U+FFFD.
  bool is_lenient = false;

  [[nodiscard]] static constexpr EnvelopeRules original() noexcept { return {127, true}; }
};

/// Reads envelopes. Other members are ignored; of equal names the last counts.
///
/// Nothing is copied or allocated, but for the repair of a lenient decoder.
/// @threads       distinct objects: safe; shared objects: unsafe
/// @source        RFC 8259
class MUSTER_API EnvelopeDecoder {
 public:
  explicit EnvelopeDecoder(const EnvelopeRules& rules = {}) noexcept : rules_(rules) {}

  /// @param message    of text or of bytes
  /// @param envelope   filled when the answer is `none`; its view is into `message`, or valid until
  ///                   the next call
  [[nodiscard]] EnvelopeError decode(byte_view message, Envelope& envelope);

 private:
  [[nodiscard]] EnvelopeError decode_once(byte_view message, Envelope& envelope) const noexcept;

  EnvelopeRules rules_;
  std::string repaired_;  // the message with U+FFFD in it
};

}  // namespace muster::shard
