// SPDX-License-Identifier: MIT
// Trailers as items of type, size and value; messages of fixed fields. All integers are big-endian.
#include <muster/relay/extension.hpp>

#include <muster/utf8.hpp>
#include <muster/wire/byte_reader.hpp>
#include <muster/wire/byte_writer.hpp>

#include <algorithm>
#include <cassert>

namespace muster::relay {
namespace {

constexpr std::array magic{std::byte{'R'}, std::byte{'X'}, std::byte{1}};  // and the version

enum class Item : std::uint8_t {
  capabilities = 1,
  name = 2,
  spectator = 3,
  proof = 4,
  seat = 5,
  sequence = 6,
  password_key = 7,
  metadata = 8,
  listed = 9,
  max_players = 10,
};

constexpr std::uint8_t all_but_flag = 1;
constexpr std::uint8_t open_flag = 1;
constexpr std::uint8_t listed_flag = 2;

// U+0000 to U+001F, U+007F, and U+0080 to U+009F. The text is UTF-8.
bool has_control_character(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto octet = static_cast<unsigned char>(text[i]);
    if (octet < 0x20 || octet == 0x7F) return true;
    // Valid text has a byte behind this one.
    if (octet == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0) return true;
  }
  return false;
}

std::optional<errc> problem_of_name(byte_view name) noexcept {
  if (name.size() > max_name_size) return errc::bad_value;
  if (!is_valid_utf8(name)) return errc::bad_utf8;
  if (has_control_character(as_text(name))) return errc::bad_value;
  return std::nullopt;
}

Mac::Tag to_tag(byte_view value) noexcept {
  Mac::Tag tag{};
  std::ranges::copy(value, tag.begin());
  return tag;
}

// Reads one value of a known size, and keeps the first of its type.
template <class Field, class Read>
bool take(byte_view value, std::size_t size, Field& field, Read read) noexcept {
  if (value.size() != size) return false;
  if (!field) field = read(wire::ByteReader{value});
  return true;
}

bool take_tag(byte_view value, std::optional<Mac::Tag>& field) noexcept {
  return take(value, Mac::Tag{}.size(), field,
              [](wire::ByteReader reader) { return to_tag(reader.rest()); });
}

bool take_u16(byte_view value, std::optional<std::uint16_t>& field) noexcept {
  return take(value, sizeof(std::uint16_t), field,
              [](wire::ByteReader reader) { return reader.u16_be(); });
}

bool take_flag(byte_view value, bool& field) noexcept {
  field = true;
  return value.empty();
}

result<MemberEvent> read_member_event(wire::ByteReader& reader) noexcept {
  MemberEvent event;
  event.change = static_cast<MemberChange>(reader.u8());
  event.player_id = reader.u16_be();
  event.seat = reader.u16_be();
  event.flags = reader.u8();
  event.name = as_text(reader.bytes(reader.u8()));
  if (!reader.ok()) return reader.error();
  if (event.change > MemberChange::expired) return errc::bad_value;
  if (const auto problem = problem_of_name(as_bytes(event.name))) return *problem;
  return event;
}

// A message that must have exactly the fields that are read from it.
class Fields {
 public:
  Fields(byte_view message, Extended id) noexcept : reader_(message) {
    if (reader_.u8() != static_cast<std::uint8_t>(id)) reader_.fail(errc::bad_value);
  }

  wire::ByteReader* operator->() noexcept { return &reader_; }

  template <class Value>
  result<Value> finish(const Value& value) noexcept {
    if (!reader_.is_at_end()) reader_.fail(errc::bad_value);
    if (!reader_.ok()) return reader_.error();
    return value;
  }

 private:
  wire::ByteReader reader_;
};

// A message whose size is known: made without an allocation.
template <std::size_t Size>
class FixedMessage {
 public:
  explicit FixedMessage(Extended id) noexcept { writer_.u8(static_cast<std::uint8_t>(id)); }
  FixedMessage(const FixedMessage&) = delete;
  FixedMessage& operator=(const FixedMessage&) = delete;

  wire::ByteWriter* operator->() noexcept { return &writer_; }

  [[nodiscard]] std::array<std::byte, Size> bytes() const noexcept {
    assert(writer_.ok() && writer_.size() == Size);
    return bytes_;
  }

 private:
  std::array<std::byte, Size> bytes_{};
  wire::ByteWriter writer_{mutable_byte_view{bytes_}};
};

}  // namespace

bool is_display_name(std::string_view name) noexcept {
  return !name.empty() && !problem_of_name(as_bytes(name));
}

// The trailer.

result<std::optional<Trailer>> decode_trailer(byte_view bytes) noexcept {
  if (bytes.size() < magic.size() || !std::ranges::equal(bytes.first(magic.size()), magic)) {
    return std::optional<Trailer>{};
  }
  wire::ByteReader reader{bytes.subspan(magic.size())};
  Trailer trailer;
  std::optional<std::uint32_t> capabilities;
  while (!reader.is_at_end()) {
    const std::uint8_t type = reader.u8();
    const std::uint16_t size = reader.u16_be();
    const byte_view value = reader.bytes(size);
    if (!reader.ok()) return reader.error();
    bool is_good = true;
    switch (static_cast<Item>(type)) {
      case Item::capabilities:
        is_good = take(value, sizeof(Capabilities), capabilities,
                       [](wire::ByteReader item) { return item.u32_be(); });
        break;
      case Item::name:
        if (value.empty()) return errc::bad_value;
        if (const auto problem = problem_of_name(value)) return *problem;
        if (trailer.name.empty()) trailer.name = as_text(value);
        break;
      case Item::spectator:
        is_good = take_flag(value, trailer.is_spectator);
        break;
      case Item::proof:
        is_good = take_tag(value, trailer.proof);
        break;
      case Item::seat:
        is_good = take_u16(value, trailer.seat);
        break;
      case Item::sequence:
        is_good = take(value, sizeof(std::uint64_t), trailer.sequence,
                       [](wire::ByteReader item) { return item.u64_be(); });
        break;
      case Item::password_key:
        is_good = take_tag(value, trailer.password_key);
        break;
      case Item::metadata:
        is_good = value.size() <= max_metadata_size;
        if (!trailer.metadata) trailer.metadata = value;
        break;
      case Item::listed:
        is_good = take_flag(value, trailer.is_listed);
        break;
      case Item::max_players:
        is_good = take_u16(value, trailer.max_players);
        break;
    }
    if (!is_good) return errc::bad_value;
  }
  trailer.capabilities = capabilities.value_or(0);
  return std::optional{trailer};
}

void append_trailer(std::vector<std::byte>& message, const Trailer& trailer) {
  wire::ByteWriter writer{message};
  const auto begin = [&writer](Item item, std::size_t size) {
    writer.u8(static_cast<std::uint8_t>(item));
    writer.u16_be(static_cast<std::uint16_t>(size));
  };
  const auto bytes = [&](Item item, byte_view value) {
    begin(item, value.size());
    writer.bytes(value);
  };
  writer.bytes(magic);
  begin(Item::capabilities, sizeof(Capabilities));
  writer.u32_be(trailer.capabilities);
  assert(trailer.name.size() <= max_name_size);
  if (!trailer.name.empty()) bytes(Item::name, as_bytes(trailer.name));
  if (trailer.is_spectator) begin(Item::spectator, 0);
  if (trailer.proof) bytes(Item::proof, *trailer.proof);
  if (trailer.seat) {
    begin(Item::seat, sizeof(std::uint16_t));
    writer.u16_be(*trailer.seat);
  }
  if (trailer.sequence) {
    begin(Item::sequence, sizeof(std::uint64_t));
    writer.u64_be(*trailer.sequence);
  }
  if (trailer.password_key) bytes(Item::password_key, *trailer.password_key);
  assert(!trailer.metadata || trailer.metadata->size() <= max_metadata_size);
  if (trailer.metadata) bytes(Item::metadata, *trailer.metadata);
  if (trailer.is_listed) begin(Item::listed, 0);
  if (trailer.max_players) {
    begin(Item::max_players, sizeof(std::uint16_t));
    writer.u16_be(*trailer.max_players);
  }
}

// The messages.

std::optional<Extended> read_extended(byte_view message) noexcept {
  if (message.empty()) return std::nullopt;
  const auto id = std::to_integer<std::uint8_t>(message[0]);
  if (id < static_cast<std::uint8_t>(Extended::targeted)) return std::nullopt;
  if (id > static_cast<std::uint8_t>(Extended::ban)) return std::nullopt;
  return static_cast<Extended>(id);
}

result<Targeted> decode_targeted(byte_view message) noexcept {
  Fields fields{message, Extended::targeted};
  const std::uint8_t flags = fields->u8();
  if ((flags & ~all_but_flag) != 0) fields->fail(errc::bad_value);
  Targeted targeted;
  targeted.all_but = flags == all_but_flag;
  const std::size_t count = fields->u16_be();
  targeted.player_bytes = fields->bytes(2 * count);
  targeted.payload = fields->rest();
  return fields.finish(targeted);
}

std::vector<std::byte> targeted_header(bool all_but, std::span<const std::uint16_t> players) {
  assert(players.size() <= 65535);
  std::vector<std::byte> header;
  header.reserve(4 + 2 * players.size());
  wire::ByteWriter writer{header};
  writer.u8(static_cast<std::uint8_t>(Extended::targeted));
  writer.u8(all_but ? all_but_flag : 0);
  writer.u16_be(static_cast<std::uint16_t>(players.size()));
  for (const std::uint16_t player : players) writer.u16_be(player);
  return header;
}

void append_member_event(std::vector<std::byte>& message, const MemberEvent& event) {
  assert(event.name.size() <= max_name_size);
  const bool is_first = message.empty();
  wire::ByteWriter writer{message};
  if (is_first) writer.u8(static_cast<std::uint8_t>(Extended::member_event));
  writer.u8(static_cast<std::uint8_t>(event.change));
  writer.u16_be(event.player_id);
  writer.u16_be(event.seat);
  writer.u8(event.flags);
  writer.u8(static_cast<std::uint8_t>(event.name.size()));
  writer.text(event.name);
}

result<std::vector<MemberEvent>> decode_member_events(byte_view message) {
  if (message.empty()) return errc::unexpected_end;
  if (read_extended(message) != Extended::member_event) return errc::bad_value;
  wire::ByteReader reader{message.subspan(1)};
  std::vector<MemberEvent> events;
  do {
    const result<MemberEvent> event = read_member_event(reader);
    if (!event) return event.error();
    events.push_back(*event);
  } while (!reader.is_at_end());
  return events;
}

std::array<std::byte, 8> encode_host_state(const HostState& state) noexcept {
  FixedMessage<8> message{Extended::host_state};
  message->u8(static_cast<std::uint8_t>(state.presence));
  message->u16_be(state.player_id);
  message->u32_be(state.remaining_ms);
  return message.bytes();
}

result<HostState> decode_host_state(byte_view message) noexcept {
  Fields fields{message, Extended::host_state};
  const std::uint8_t presence = fields->u8();
  if (presence > static_cast<std::uint8_t>(HostPresence::changed)) fields->fail(errc::bad_value);
  HostState state;
  state.presence = static_cast<HostPresence>(presence);
  state.player_id = fields->u16_be();
  state.remaining_ms = fields->u32_be();
  return fields.finish(state);
}

std::vector<std::byte> encode_room_info(const RoomInfo& info) {
  assert(info.metadata.size() <= max_metadata_size);
  std::vector<std::byte> message;
  message.reserve(2 + info.metadata.size());
  wire::ByteWriter writer{message};
  writer.u8(static_cast<std::uint8_t>(Extended::room_info));
  writer.u8(static_cast<std::uint8_t>((info.is_open ? open_flag : 0) |
                                      (info.is_listed ? listed_flag : 0)));
  writer.bytes(info.metadata);
  return message;
}

result<RoomInfo> decode_room_info(byte_view message) noexcept {
  Fields fields{message, Extended::room_info};
  const std::uint8_t flags = fields->u8();
  if ((flags & ~(open_flag | listed_flag)) != 0) fields->fail(errc::bad_value);
  RoomInfo info;
  info.is_open = (flags & open_flag) != 0;
  info.is_listed = (flags & listed_flag) != 0;
  info.metadata = fields->rest();
  if (info.metadata.size() > max_metadata_size) fields->fail(errc::bad_value);
  return fields.finish(info);
}

std::array<std::byte, 9> encode_state_sequence(std::uint64_t sequence) noexcept {
  FixedMessage<9> message{Extended::state_sequence};
  message->u64_be(sequence);
  return message.bytes();
}

result<std::uint64_t> decode_state_sequence(byte_view message) noexcept {
  Fields fields{message, Extended::state_sequence};
  const std::uint64_t sequence = fields->u64_be();
  return fields.finish(sequence);
}

std::array<std::byte, 1 + nonce_size> encode_challenge(const Nonce& nonce) noexcept {
  FixedMessage<1 + nonce_size> message{Extended::challenge};
  message->bytes(nonce);
  return message.bytes();
}

result<Nonce> decode_challenge(byte_view message) noexcept {
  Fields fields{message, Extended::challenge};
  Nonce nonce{};
  std::ranges::copy(fields->bytes(nonce_size), nonce.begin());
  return fields.finish(nonce);
}

std::array<std::byte, 5> encode_host_offer(std::uint32_t remaining_ms) noexcept {
  FixedMessage<5> message{Extended::host_offer};
  message->u32_be(remaining_ms);
  return message.bytes();
}

result<std::uint32_t> decode_host_offer(byte_view message) noexcept {
  Fields fields{message, Extended::host_offer};
  const std::uint32_t remaining_ms = fields->u32_be();
  return fields.finish(remaining_ms);
}

std::array<std::byte, 4> encode_ban(const Ban& ban) noexcept {
  FixedMessage<4> message{Extended::ban};
  message->u16_be(ban.player_id);
  message->u8(ban.scopes);
  return message.bytes();
}

result<Ban> decode_ban(byte_view message) noexcept {
  constexpr std::uint8_t all_scopes =
      static_cast<std::uint8_t>(BanScope::user) | static_cast<std::uint8_t>(BanScope::address);
  Fields fields{message, Extended::ban};
  Ban ban;
  ban.player_id = fields->u16_be();
  ban.scopes = fields->u8();
  const bool is_good = ban.scopes != 0 && (ban.scopes & ~all_scopes) == 0;
  // A message that is cut off has no scope either, but that was said already.
  if (!is_good) fields->fail(errc::bad_value);
  return fields.finish(ban);
}

Mac::Tag password_key(Mac& mac, std::string_view password, std::string_view game_id,
                      std::string_view room_id) {
  std::vector<std::byte> message;
  wire::ByteWriter writer{message};
  for (const std::string_view part : {std::string_view{"muster room password"}, game_id}) {
    writer.text(part);
    writer.u8(0);
  }
  writer.text(room_id);
  return mac.tag(as_bytes(password), message);
}

}  // namespace muster::relay
