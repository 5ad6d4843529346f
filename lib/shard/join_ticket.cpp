// SPDX-License-Identifier: MIT
#include <muster/shard/join_ticket.hpp>

#include <muster/shard/id.hpp>
#include <muster/wire/byte_reader.hpp>
#include <muster/wire/byte_writer.hpp>

#include "../base64.hpp"

#include <algorithm>
#include <cassert>
#include <optional>

namespace muster::shard {

namespace {

// A ticket in bytes: expiry, nonce, two ids with a length byte each, and the tag. What is signed
// begins with a text of its own, so that nothing else signed with the same key can be a ticket.
constexpr std::string_view context = "muster join ticket 1";
constexpr std::size_t min_body = 8 + 8 + 2 * (1 + 1);
constexpr std::size_t max_body = 8 + 8 + 2 * (1 + max_id_size);
constexpr std::size_t tag_size = Mac::Tag{}.size();

constexpr std::size_t text_size(std::size_t bytes) { return (bytes * 8 + 5) / 6; }
static_assert(text_size(max_body + tag_size) == TicketSigner::max_text_size);

// What is signed, and the tag after it.
using Buffer = std::array<std::byte, context.size() + max_body + tag_size>;

}  // namespace

std::string_view to_string(TicketVerdict verdict) noexcept {
  switch (verdict) {
    case TicketVerdict::valid:
      return "valid";
    case TicketVerdict::elsewhere:
      return "elsewhere";
    case TicketVerdict::expired:
      return "expired";
    case TicketVerdict::bad:
      break;
  }
  return "bad";
}

result<std::string> TicketSigner::sign(const JoinTicket& ticket) const {
  if (!is_valid_id(ticket.shard) || !is_valid_id(ticket.sid)) return errc::bad_value;
  Buffer buffer;
  wire::ByteWriter writer{mutable_byte_view{buffer}};
  writer.text(context);
  writer.u64_be(static_cast<std::uint64_t>(ticket.expires.time_since_epoch().count()));
  writer.u64_be(ticket.nonce);
  for (const std::string_view id : {std::string_view{ticket.shard}, std::string_view{ticket.sid}}) {
    writer.u8(static_cast<std::uint8_t>(id.size()));
    writer.text(id);
  }
  writer.bytes(mac_->tag(key_, writer.written()));
  assert(writer.ok());
  return encode_base64(writer.written().subspan(context.size()), Base64::url);
}

CheckedTicket TicketSigner::check(std::string_view text, std::string_view shard,
                                  std::chrono::sys_seconds now) const {
  CheckedTicket checked;
  if (text.size() > max_text_size || text.size() < text_size(min_body + tag_size)) return checked;
  Buffer buffer;
  std::copy_n(as_bytes(context).begin(), context.size(), buffer.begin());
  const auto size =
      decode_base64(text, Base64::url, mutable_byte_view{buffer}.subspan(context.size()));
  if (!size) return checked;
  const byte_view body = byte_view{buffer}.subspan(context.size(), *size - tag_size);
  const byte_view tag = byte_view{buffer}.subspan(context.size() + body.size(), tag_size);
  const byte_view signed_part = byte_view{buffer}.first(context.size() + body.size());
  if (!equal_in_constant_time(mac_->tag(key_, signed_part), tag)) return checked;

  wire::ByteReader reader{body};
  const auto expires = static_cast<std::int64_t>(reader.u64_be());
  const std::uint64_t nonce = reader.u64_be();
  const std::string_view for_shard = as_text(reader.bytes(reader.u8()));
  const std::string_view sid = as_text(reader.bytes(reader.u8()));
  // Whoever else has the key may sign what he likes.
  if (!reader.ok() || !reader.is_at_end() || !is_valid_id(for_shard) || !is_valid_id(sid)) {
    return checked;
  }
  checked.ticket = {.shard = std::string{for_shard},
                    .sid = std::string{sid},
                    .expires = std::chrono::sys_seconds{std::chrono::seconds{expires}},
                    .nonce = nonce};
  checked.verdict = for_shard != shard              ? TicketVerdict::elsewhere
                    : now >= checked.ticket.expires ? TicketVerdict::expired
                                                    : TicketVerdict::valid;
  return checked;
}

}  // namespace muster::shard
