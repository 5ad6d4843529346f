// SPDX-License-Identifier: MIT
// The bytes of a replay log, both ways.
#include <muster/shard/replay_log.hpp>

#include <muster/shard/id.hpp>

#include <muster/wire/byte_writer.hpp>
#include <muster/wire/postcard.hpp>

#include <cassert>
#include <chrono>
#include <limits>

namespace muster::shard {
namespace {

using wire::ByteReader;
using wire::ByteWriter;
namespace postcard = wire::postcard;

constexpr std::string_view magic = "MSRL";
constexpr std::uint64_t last_tick = std::numeric_limits<std::uint64_t>::max() - 1;

std::uint64_t read_at_most(ByteReader& reader, std::uint64_t most) noexcept {
  const std::uint64_t value = postcard::read_u64(reader);
  if (value <= most) return value;
  reader.fail(errc::bad_value);
  return 0;
}

std::uint64_t read_handle(ByteReader& reader) noexcept {
  const std::uint64_t handle = postcard::read_u64(reader);
  if (handle == 0) reader.fail(errc::bad_value);
  return handle;
}

}  // namespace

ReplayLog::ReplayLog(std::uint64_t first_tick, std::size_t max_bytes)
    : max_bytes_(max_bytes), next_tick_(first_tick) {
  assert(first_tick <= last_tick && max_bytes >= 16);
  ByteWriter writer{bytes_};
  writer.text(magic);
  writer.u8(version);
  postcard::write_u64(writer, first_tick);
}

template <class Write>
bool ReplayLog::append(ReplayRecord::Kind kind, Write&& write) {
  if (is_full_) return false;
  const std::size_t before = bytes_.size();
  ByteWriter writer{bytes_};
  writer.u8(static_cast<std::uint8_t>(kind));
  write(writer);
  is_full_ = bytes_.size() > max_bytes_;
  if (is_full_) bytes_.resize(before);
  return !is_full_;
}

bool ReplayLog::join(const Subscriber& who) {
  assert(who.handle != 0 && !who.id.empty() && who.id.size() <= max_id_size);
  return append(ReplayRecord::Kind::join, [&](ByteWriter& writer) {
    postcard::write_u64(writer, who.handle);
    postcard::write_string(writer, who.id);
    postcard::write_string(writer, who.user);
    postcard::write_bool(writer, who.is_admin);
  });
}

bool ReplayLog::leave(std::uint64_t handle) {
  assert(handle != 0);
  return append(ReplayRecord::Kind::leave,
                [&](ByteWriter& writer) { postcard::write_u64(writer, handle); });
}

bool ReplayLog::input(std::uint64_t handle, std::optional<std::uint64_t> client_seq, Format format,
                      byte_view encoded) {
  assert(handle != 0);
  return append(ReplayRecord::Kind::input, [&](ByteWriter& writer) {
    postcard::write_u64(writer, handle);
    writer.u8(static_cast<std::uint8_t>(format));
    postcard::write_option(writer, client_seq.has_value());
    if (client_seq) postcard::write_u64(writer, *client_seq);
    postcard::write_bytes(writer, encoded);
  });
}

bool ReplayLog::step(std::uint64_t tick, duration dt) {
  assert(tick >= next_tick_ && tick <= last_tick && dt >= duration::zero());
  const bool was_kept = append(ReplayRecord::Kind::step, [&](ByteWriter& writer) {
    postcard::write_u64(writer, tick - next_tick_);
    postcard::write_u64(writer, static_cast<std::uint64_t>(dt.count()));
  });
  if (was_kept) next_tick_ = tick + 1;
  return was_kept;
}

ReplayReader::ReplayReader(byte_view log) noexcept : reader_(log) {
  if (as_text(reader_.bytes(magic.size())) != magic) {
    reader_ = ByteReader{{}};  // too short or another: it is no log
    reader_.fail(errc::bad_syntax);
  }
  if (reader_.u8() != ReplayLog::version) reader_.fail(errc::bad_value);
  next_tick_ = read_at_most(reader_, last_tick);
}

std::optional<ReplayRecord> ReplayReader::next() noexcept {
  if (reader_.is_at_end()) return std::nullopt;
  ReplayRecord record;
  record.kind = static_cast<ReplayRecord::Kind>(reader_.u8());
  record.tick = next_tick_;
  switch (record.kind) {
    case ReplayRecord::Kind::join:
      record.handle = read_handle(reader_);
      record.id = postcard::read_string(reader_);
      if (record.id.empty() || record.id.size() > max_id_size) reader_.fail(errc::bad_value);
      record.user = postcard::read_string(reader_);
      record.is_admin = postcard::read_bool(reader_);
      break;
    case ReplayRecord::Kind::leave:
      record.handle = read_handle(reader_);
      break;
    case ReplayRecord::Kind::input:
      record.handle = read_handle(reader_);
      record.format = static_cast<Format>(reader_.u8());
      if (record.format > Format::binary) reader_.fail(errc::bad_value);
      if (postcard::read_option(reader_)) record.client_seq = postcard::read_u64(reader_);
      record.bytes = postcard::read_bytes(reader_);
      break;
    case ReplayRecord::Kind::step: {
      if (next_tick_ > last_tick) reader_.fail(errc::bad_value);  // the last one is over
      record.tick += read_at_most(reader_, last_tick - next_tick_);
      constexpr duration::rep longest = duration::max().count();
      record.dt = duration{
          static_cast<duration::rep>(read_at_most(reader_, static_cast<std::uint64_t>(longest)))};
      if (reader_.ok()) next_tick_ = record.tick + 1;
      break;
    }
    default:
      reader_.fail(errc::bad_value);
  }
  if (!reader_.ok()) return std::nullopt;
  return record;
}

}  // namespace muster::shard
