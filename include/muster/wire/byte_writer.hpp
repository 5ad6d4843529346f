// SPDX-License-Identifier: MIT
// A cursor that appends fields to a growing vector, or fills a fixed buffer and never leaves it.
#pragma once

#include <muster/bytes.hpp>
#include <muster/error.hpp>

#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace muster::wire {

/// Writes fields one after the other into a buffer that somebody else owns.
///
/// A write that does not fit into a fixed buffer writes nothing, and fails this and every later
/// one: a decoder at the other end never sees a message with a hole. A vector always has room.
/// @threads       distinct objects: safe; shared objects: unsafe
class ByteWriter {
 public:
  /// Appends to `out`, which keeps what it has. Nothing else may change `out` meanwhile.
  explicit ByteWriter(std::vector<std::byte>& out) noexcept : growing_(&out), start_(out.size()) {}

  /// Fills `out` from its front; never writes beyond it.
  explicit ByteWriter(mutable_byte_view out) noexcept : fixed_(out) {}

  /// Fixed-width integers, most (`_be`) or least significant byte first (`_le`).
  /// @error         errc::too_large   does not fit into the fixed buffer
  void u8(std::uint8_t value) { big_endian(value); }
  void u16_be(std::uint16_t value) { big_endian(value); }
  void u32_be(std::uint32_t value) { big_endian(value); }
  void u64_be(std::uint64_t value) { big_endian(value); }
  void u16_le(std::uint16_t value) { little_endian(value); }
  void u32_le(std::uint32_t value) { little_endian(value); }
  void u64_le(std::uint64_t value) { little_endian(value); }

  /// Bytes as they are, without a length. They must not lie in the buffer that is written.
  /// @error         errc::too_large   do not fit into the fixed buffer
  void bytes(byte_view source) {
    const mutable_byte_view target = take(source.size());
    // memcpy must not be given a null pointer, which is what an empty view may hold.
    if (!target.empty()) std::memcpy(target.data(), source.data(), target.size());
  }

  /// The bytes of a text, without a length and without a terminating zero.
  void text(std::string_view source) { bytes(as_bytes(source)); }

  /// What this writer has written; valid until the next write.
  [[nodiscard]] byte_view written() const noexcept {
    if (growing_ == nullptr) return fixed_.first(used_);
    return byte_view{*growing_}.subspan(start_);
  }
  [[nodiscard]] std::size_t size() const noexcept { return written().size(); }

  /// Whether every write so far succeeded.
  [[nodiscard]] bool ok() const noexcept { return !failed_; }

  /// Always errc::too_large. May be called only when `ok()` is false.
  [[nodiscard]] errc error() const noexcept {
    assert(failed_);
    return errc::too_large;
  }

 private:
  // Room for `count` more bytes, or nothing at all.
  mutable_byte_view take(std::size_t count) {
    if (growing_ != nullptr) {
      const std::size_t at = growing_->size();
      growing_->resize(at + count);
      return mutable_byte_view{*growing_}.subspan(at);
    }
    if (failed_ || count > fixed_.size() - used_) {
      failed_ = true;
      return {};
    }
    const mutable_byte_view target = fixed_.subspan(used_, count);
    used_ += count;
    return target;
  }

  template <std::unsigned_integral Integer>
  void big_endian(Integer value) {
    std::uint64_t rest = value;
    const mutable_byte_view target = take(sizeof value);
    for (std::size_t i = target.size(); i > 0; --i) {
      target[i - 1] = static_cast<std::byte>(rest & 0xFFU);
      rest >>= 8U;
    }
  }

  template <std::unsigned_integral Integer>
  void little_endian(Integer value) {
    std::uint64_t rest = value;
    for (std::byte& octet : take(sizeof value)) {
      octet = static_cast<std::byte>(rest & 0xFFU);
      rest >>= 8U;
    }
  }

  std::vector<std::byte>* growing_ = nullptr;
  std::size_t start_ = 0;
  mutable_byte_view fixed_;
  std::size_t used_ = 0;
  bool failed_ = false;
};

}  // namespace muster::wire
