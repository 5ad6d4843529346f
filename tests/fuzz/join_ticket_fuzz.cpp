// SPDX-License-Identifier: MIT
// Fuzzes the check of a join ticket: whatever is taken for one must be what its signer would write,
// and what is signed must be taken. The weak hash has no key here, so that a fuzzer gets past it.
#include <muster/shard/id.hpp>
#include <muster/shard/join_ticket.hpp>

#include "support/require.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace muster;
using namespace muster::shard;
using std::chrono::seconds;
using std::chrono::sys_seconds;
using test::require;

// A tag of zeros: any text of the right form is signed.
class NoMac final : public Mac {
 public:
  Tag tag(byte_view, byte_view) noexcept override { return {}; }
};

void check(const TicketSigner& signer, std::string_view text) {
  const sys_seconds now{seconds{1'700'000'000}};
  const CheckedTicket first = signer.check(text, "match_1", now);
  if (first.verdict == TicketVerdict::bad) {
    require(first.ticket == JoinTicket{});
    return;
  }
  const JoinTicket& ticket = first.ticket;
  require(is_valid_id(ticket.shard) && is_valid_id(ticket.sid));
  require((first.verdict == TicketVerdict::elsewhere) == (ticket.shard != "match_1"));
  require(first.verdict == TicketVerdict::elsewhere ||
          (first.verdict == TicketVerdict::expired) == (ticket.expires <= now));
  const auto again = signer.sign(ticket);
  require(again.has_value() && *again == text);  // there is one form only
}

// The input as the fields of a ticket.
void sign(const TicketSigner& signer, byte_view input) {
  if (input.size() < 10) return;
  JoinTicket ticket;
  for (std::size_t i = 0; i < 8; ++i) {
    ticket.nonce = ticket.nonce << 8U | std::to_integer<std::uint64_t>(input[i]);
  }
  ticket.expires =
      sys_seconds{seconds{static_cast<std::int64_t>(ticket.nonce * 0x9e3779b97f4a7c15U)}};
  const std::size_t split = std::to_integer<std::size_t>(input[8]);
  const std::string_view ids = as_text(input.subspan(9));
  ticket.shard = ids.substr(0, std::min(split, ids.size()));
  ticket.sid = ids.substr(ticket.shard.size());
  const auto text = signer.sign(ticket);
  require(text.has_value() == (is_valid_id(ticket.shard) && is_valid_id(ticket.sid)));
  if (!text) return;
  require(text->size() <= TicketSigner::max_text_size);
  const CheckedTicket checked = signer.check(
      *text, ticket.shard,
      ticket.expires - (ticket.expires == sys_seconds::min() ? seconds{0} : seconds{1}));
  require(checked.ticket == ticket);
  std::string damaged = *text;
  damaged[static_cast<std::size_t>(ticket.nonce % damaged.size())] ^= 1;
  const CheckedTicket other = signer.check(damaged, ticket.shard, ticket.expires);
  require(other.verdict == TicketVerdict::bad || other.ticket != ticket);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const byte_view input = std::as_bytes(std::span{data, size});
  NoMac no_mac;
  WeakMac weak_mac;
  check(TicketSigner{no_mac, {}}, as_text(input));
  check(TicketSigner{weak_mac, {}}, as_text(input));
  sign(TicketSigner{weak_mac, {}}, input);
  return 0;
}
