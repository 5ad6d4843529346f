// SPDX-License-Identifier: MIT
// Compressed packet bodies: zlib streams (RFC 1950) that lie in memory as a whole.
#pragma once

#include <muster/bytes.hpp>

#include <cstddef>
#include <memory>
#include <optional>

struct libdeflate_compressor;
struct libdeflate_decompressor;

namespace muster::soe {

/// Expands zlib streams. Holds about 11 KB, allocated once: one object serves all sessions of a
/// thread.
/// @threads       distinct objects: safe; shared objects: unsafe
class Inflater {
 public:
  /// Whether this build has compression; otherwise every call fails.
  [[nodiscard]] static bool is_available() noexcept;

  Inflater() noexcept;

  /// Expands the stream at the front of `zlib`; what follows it is ignored.
  /// @param out     never written beyond; its size is the bound of what a peer may expand to
  /// @return        the expanded size. Nothing: the stream is damaged or ends early, its checksum
  /// is
  ///                wrong, it needs a preset dictionary, or it is larger than `out`, which then has
  ///                parts of it
  [[nodiscard]] std::optional<std::size_t> inflate(byte_view zlib, mutable_byte_view out) noexcept;

 private:
  struct Free {
    void operator()(libdeflate_decompressor* state) const noexcept;
  };
  std::unique_ptr<libdeflate_decompressor, Free> state_;
};

/// Makes zlib streams. Holds 200 KB at level 1, more than three times as much above it and 9 MB
/// from level 10 on, allocated once: one object serves all sessions of a thread.
/// @threads       distinct objects: safe; shared objects: unsafe
class Deflater {
 public:
  /// Whether this build has compression; otherwise every call fails.
  [[nodiscard]] static bool is_available() noexcept { return Inflater::is_available(); }

  /// @param level   1 (fast) to 12 (small); packets gain next to nothing from more than 1
  explicit Deflater(int level = 1) noexcept;

  /// @param out     as large as the stream may be to be of use
  /// @return        the stream's size; 0: it is larger than `out`, which then has parts of it
  [[nodiscard]] std::size_t deflate(byte_view in, mutable_byte_view out) noexcept;

 private:
  struct Free {
    void operator()(libdeflate_compressor* state) const noexcept;
  };
  std::unique_ptr<libdeflate_compressor, Free> state_;
};

}  // namespace muster::soe
