// SPDX-License-Identifier: MIT
// How a player says that it can be reached.
#pragma once

#include <muster/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace muster::signal {

/// Where the clients of a host connect directly.
struct DirectEndpoint {
  std::string host;  ///< 1 to 253 bytes
  std::uint16_t port = 0;

  /// Whether one can connect to it: a port, and an address that is neither malformed nor
  /// unspecified, or a name.
  [[nodiscard]] bool is_usable() const noexcept;
};

/// A ConnectionInfo that was checked.
struct ConnectionInfo {
  std::string json;  ///< as it is shown to others: the fields of its kind, in their order
  std::optional<DirectEndpoint> direct{};  ///< of the kind `direct`
};

/// Nothing: it is no ConnectionInfo.
/// @param json    a valid JSON value
/// @source docs/protocol/signal.md, "Shared types"
[[nodiscard]] std::optional<ConnectionInfo> read_connection_info(byte_view json);

}  // namespace muster::signal
