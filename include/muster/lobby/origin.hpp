// SPDX-License-Identifier: MIT
// The one host that gets the token, and whether a match is played there.
#pragma once

#include <muster/export.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace muster::lobby {

/// Why a URL is not used. The names of `to_string` are stable.
enum class UrlError : std::uint8_t {
  none,
  lobby_not_absolute,  ///< the lobby's has no scheme
  lobby_bad_scheme,    ///< the lobby's is neither ws nor wss
  lobby_insecure,      ///< the lobby's is ws, to another host than this machine
  userinfo,            ///< a name or a password in front of the host
  malformed_host,
  malformed_port,
  malformed_gateway,  ///< empty, too long, or with a byte that no URL has
  scheme_relative,    ///< "//host/path"
  fragment,
  bad_scheme,         ///< another scheme than ws or wss
  cross_origin,       ///< another host or port than the lobby's
  downgrade,          ///< ws, and the lobby's is wss
  not_path_absolute,  ///< neither a path nor a URL
};

/// The error's stable name, for example "cross_origin".
[[nodiscard]] MUSTER_API std::string_view to_string(UrlError error) noexcept;

/// Scheme, host and port of the lobby: where the token may be sent.
///
/// The text that names a match's gateway comes from the server and decides where the token goes, so
/// it is read with suspicion: what is not plainly a path on this origin, or a URL of it, is
/// refused.
/// @threads distinct objects: safe; shared objects: safe to read
class MUSTER_API Origin {
 public:
  /// Reads the lobby's URL. Path, query and fragment are not part of an origin.
  /// @param allows_insecure   ws:// to any host, not only to this machine
  /// @return `none`, or why the URL is not used; then the origin is not to be used either
  [[nodiscard]] UrlError read(std::string_view lobby_url, bool allows_insecure = false);

  /// "wss://host", or "wss://host:port" if the port is not the scheme's own. In lower case, an
  /// address of version 6 in its canonical form.
  [[nodiscard]] std::string text() const { return scheme_ + "://" + authority_; }

  /// What `gateway` of a `matched` message leads to.
  /// @param gateway   anything
  /// @param url       gets the URL to dial
  /// @return `none`, or why nothing is dialled
  [[nodiscard]] UrlError resolve(std::string_view gateway, std::string& url) const;

 private:
  UrlError read_authority(std::string_view text);
  [[nodiscard]] bool is_loopback() const noexcept;

  std::string scheme_;      // "ws" or "wss"
  std::string host_;        // lower case, with the brackets of an address of version 6
  std::uint16_t port_ = 0;  // 0: the scheme's own
  std::string authority_;
};

/// Longest gateway text that is looked at, in bytes.
inline constexpr std::size_t max_gateway_size = 2048;

}  // namespace muster::lobby
