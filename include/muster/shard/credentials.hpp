// SPDX-License-Identifier: MIT
// Who asks to join what: the token and the ids of a request.
#pragma once

#include <muster/export.hpp>
#include <muster/request.hpp>
#include <muster/shard/id.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muster::shard {

/// The bearer token of a request. Never log it.
struct Credentials {
  std::optional<std::string> token;  ///< decoded, at least a byte; empty: there is none

  /// The subprotocol to accept the upgrade with: the offered entry that holds a token, as it was
  /// offered, also when the token was taken from the header. Empty: none. A view into the request.
  std::string_view subprotocol;
};

/// Finds the token: in the last `Authorization` header, if its scheme is Bearer in any case, else
/// in the first subprotocol `bearer.TOKEN` whose token can be decoded. Browsers can send only the
/// latter. A token in the query is ignored: URLs get into logs.
[[nodiscard]] MUSTER_API Credentials read_credentials(const Request& request);

/// A token as it stands in a subprotocol: percent-encoded UTF-8 without control characters. A plus
/// is a plus, because Swift clients send it as it is.
/// @return empty when it is no such text, or of no length
[[nodiscard]] MUSTER_API std::optional<std::string> decode_token(std::string_view text);

/// What a request wants to join.
struct JoinTarget {
  std::string shard;               ///< 1 to 128 bytes
  std::optional<std::string> sid;  ///< the subscriber's id, 1 to 128 bytes; absent: not said
};

enum class JoinTargetError : std::uint8_t {
  none,
  missing_shard,  ///< no `shard` in the query, or an empty one
  bad_query,      ///< an id is not percent-encoded printable UTF-8, or the shard's is too long
  bad_sid,        ///< the `sid` is empty or too long
};

/// Reads the parameters `shard` and `sid` of a query.
/// @param query    what follows the first '?'
/// @param target   filled when the answer is `none`
[[nodiscard]] MUSTER_API JoinTargetError read_join_target(std::string_view query,
                                                          JoinTarget& target);

/// The value of the first parameter with that name, as it stands; empty when it has no '='. Names
/// are compared byte for byte, without decoding.
[[nodiscard]] MUSTER_API std::optional<std::string_view> query_parameter(
    std::string_view query, std::string_view name) noexcept;

/// A parameter's value: percent-encoded, with '+' for a space.
/// @return empty when a '%' is not followed by two hexadecimal digits, or the text is not UTF-8, or
///         it has control characters or line separators
[[nodiscard]] MUSTER_API std::optional<std::string> decode_query_value(std::string_view text);

}  // namespace muster::shard
