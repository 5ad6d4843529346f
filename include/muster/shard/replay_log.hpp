// SPDX-License-Identifier: MIT
// What a shard did, in the order in which it did it.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>
#include <muster/result.hpp>
#include <muster/shard/format.hpp>
#include <muster/shard/subscriber.hpp>
#include <muster/time.hpp>
#include <muster/wire/byte_reader.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace muster::shard {

/// One thing that a shard did. Views point into the log.
struct ReplayRecord {
  enum class Kind : std::uint8_t {
    join = 1,   ///< `handle`, `id`, `user`, `is_admin`
    leave = 2,  ///< `handle`
    input = 3,  ///< `handle`, `format`, `client_seq`, `bytes`
    step = 4,   ///< `dt`: the end of the tick
  };
  Kind kind = Kind::step;
  std::uint64_t tick = 0;    ///< the one in which it was done
  std::uint64_t handle = 0;  ///< of the subscriber
  std::string_view id{};     ///< 1 to 128 bytes of UTF-8
  std::string_view user{};   ///< empty: anonymous
  bool is_admin = false;
  Format format = Format::json;
  std::optional<std::uint64_t> client_seq{};
  byte_view bytes{};  ///< the input, encoded
  duration dt{0};     ///< never negative
};

/// Records joins, leaves, inputs and steps, to be read by `ReplayReader` and run by `replay`.
///
/// Call it where the shard calls its simulation, in that order, and for what is applied only: an
/// input that was refused before the simulation saw it is not part of what happened. Addresses are
/// not recorded: a simulation that is to be replayed does not look at them.
///
/// A log is "MSRL", a version byte (1), the number of the first tick, and then records: a kind byte
/// and its fields. Integers are varints, texts and inputs have their length in front:
///
/// | kind | fields |
/// |---|---|
/// | 1 join  | handle, id, user, is_admin (0 or 1) |
/// | 2 leave | handle |
/// | 3 input | handle, format, 0 or 1 and client_seq, bytes |
/// | 4 step  | how many ticks were left out before it (mostly 0), dt in ns |
///
/// A log may end after any record. What lies between two steps belongs to the tick of the later;
/// what follows the last, to the tick after it.
/// @threads distinct objects: safe; shared objects: unsafe
class MUSTER_API ReplayLog {
 public:
  static constexpr std::uint8_t version = 1;
  static constexpr std::size_t default_max_bytes = std::size_t{64} << 20U;

  /// @param first_tick   of the shard, when the recording begins
  /// @param max_bytes    at least 16. From the first record on that does not fit, nothing is
  ///                     recorded: a log has no hole, and what it has can be replayed
  explicit ReplayLog(std::uint64_t first_tick = 1, std::size_t max_bytes = default_max_bytes);

  /// @param who   its id and its user are UTF-8
  /// @return      whether it was recorded
  bool join(const Subscriber& who);
  bool leave(std::uint64_t handle);
  bool input(std::uint64_t handle, std::optional<std::uint64_t> client_seq, Format format,
             byte_view encoded);
  /// @param tick   above that of the step before, not below the first, below 2^64 - 1
  /// @param dt     at least 0
  bool step(std::uint64_t tick, duration dt);

  /// Whether a record did not fit.
  [[nodiscard]] bool is_full() const noexcept { return is_full_; }

  /// The log as it is now; valid until the next record.
  [[nodiscard]] byte_view bytes() const noexcept { return bytes_; }

 private:
  template <class Write>
  bool append(ReplayRecord::Kind kind, Write&& write);

  std::vector<std::byte> bytes_;
  std::size_t max_bytes_;
  std::uint64_t next_tick_;
  bool is_full_ = false;
};

/// Reads a log, which may be anything: whoever wrote it is not trusted.
///
///     ReplayReader reader{log};
///     while (const auto record = reader.next()) use(*record);
///     if (!reader.ok()) report(reader.error());
/// @threads distinct objects: safe; shared objects: unsafe
class MUSTER_API ReplayReader {
 public:
  /// @param log   not copied; must outlive the reader and the records
  /// @error         errc::bad_syntax   it does not begin like a log
  /// @error         errc::bad_value    it has another version
  explicit ReplayReader(byte_view log) noexcept;

  /// The next record; nothing at the end, and after an error.
  /// @error         errc::unexpected_end   the log ends inside a record
  /// @error         errc::bad_value        an unknown kind, or a field out of its range
  /// @error         errc::bad_varint, errc::bad_bool, errc::bad_option, errc::bad_utf8
  ///                as their names say
  [[nodiscard]] std::optional<ReplayRecord> next() noexcept;

  [[nodiscard]] bool ok() const noexcept { return reader_.ok(); }
  /// May be called only when `ok()` is false.
  [[nodiscard]] errc error() const noexcept { return reader_.error(); }

  /// The tick that the next step would be, if none is left out.
  [[nodiscard]] std::uint64_t next_tick() const noexcept { return next_tick_; }

 private:
  wire::ByteReader reader_;
  std::uint64_t next_tick_ = 0;
};

}  // namespace muster::shard
