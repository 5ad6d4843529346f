// SPDX-License-Identifier: MIT
// The right to a seat in a shard, as a text that a client presents.
#pragma once

#include <muster/export.hpp>
#include <muster/mac.hpp>
#include <muster/result.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace muster::shard {

/// Who may join which shard, and until when.
struct JoinTicket {
  std::string shard;  ///< id of the shard, 1 to 128 bytes
  std::string sid;    ///< id to join as, 1 to 128 bytes

  /// The ticket is good before this second of the calendar's clock (Unix time), and not from it on.
  std::chrono::sys_seconds expires{};

  /// Tells two tickets apart, also two for the same seat. Draw it from an `Entropy`.
  std::uint64_t nonce = 0;

  friend bool operator==(const JoinTicket&, const JoinTicket&) = default;
};

enum class TicketVerdict : std::uint8_t {
  valid,
  bad,        ///< no ticket at all, damaged, or signed with another key
  elsewhere,  ///< a good one, for another shard
  expired,
};

/// "valid", "bad", "elsewhere" or "expired".
[[nodiscard]] MUSTER_API std::string_view to_string(TicketVerdict verdict) noexcept;

struct CheckedTicket {
  TicketVerdict verdict = TicketVerdict::bad;
  JoinTicket ticket{};  ///< empty if it is `bad`
  [[nodiscard]] explicit operator bool() const noexcept { return verdict == TicketVerdict::valid; }
};

/// Signs tickets, and checks those that clients present. A matchmaker and the shards that it fills
/// need not share a process, only the key.
///
///     const CheckedTicket checked = signer.check(token, shard_id, unix_now);
///     if (!checked) return refuse(to_string(checked.verdict));
///
/// **Form.** Base64url without padding (`A-Z a-z 0-9 - _`), at most 408 characters. So it stands
/// as it is in `Authorization: Bearer TICKET`, and in a browser's WebSocket subprotocol
/// `bearer.TICKET`. Ids and expiry are signed, not hidden.
///
/// **Clock.** The expiry is Unix time, because the monotonic clock that everything else here goes
/// by means nothing in another process. The caller reads the calendar's clock and passes its whole
/// seconds. Where the clocks of two machines differ, check with a time that lies a little in the
/// past.
///
/// **Use.** Whoever has the text can use it, and more than once until it expires: this class
/// remembers nothing. To admit each ticket once, keep the nonces of those admitted until they
/// expire; `Matchmaker::claim` does that for its own.
/// @threads distinct objects: safe; shared objects: unsafe
class MUSTER_API TicketSigner {
 public:
  using Key = std::array<std::byte, 32>;

  /// No ticket is longer.
  static constexpr std::size_t max_text_size = 408;

  /// @param mac   HMAC-SHA-256 (`asio::HmacSha256`) on a server; must outlive the signer
  /// @param key   secret, and drawn from a secure source
  TicketSigner(Mac& mac, const Key& key) noexcept : mac_(&mac), key_(key) {}

  /// @error errc::bad_value   an id that is none (`is_valid_id`)
  [[nodiscard]] result<std::string> sign(const JoinTicket& ticket) const;

  /// Any text may be checked. It takes as long for a tag that is nearly right as for any other.
  /// @param text    what was presented, without `Bearer ` or `bearer.`
  /// @param shard   the shard that is to be joined
  /// @param now     Unix time
  [[nodiscard]] CheckedTicket check(std::string_view text, std::string_view shard,
                                    std::chrono::sys_seconds now) const;

 private:
  Mac* mac_;
  Key key_;
};

}  // namespace muster::shard
