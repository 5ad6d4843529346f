// SPDX-License-Identifier: MIT
// zlib streams by libdeflate, or, in a build without it, not at all.
#include "deflate.hpp"

#if MUSTER_WITH_DEFLATE
#include <libdeflate.h>
#endif

#include <cassert>

namespace muster::soe {

#if MUSTER_WITH_DEFLATE

bool Inflater::is_available() noexcept { return true; }

Inflater::Inflater() noexcept : state_(libdeflate_alloc_decompressor()) {}

std::optional<std::size_t> Inflater::inflate(byte_view zlib, mutable_byte_view out) noexcept {
  if (state_ == nullptr) return std::nullopt;
  std::size_t size = 0;
  const libdeflate_result outcome = libdeflate_zlib_decompress(
      state_.get(), zlib.data(), zlib.size(), out.data(), out.size(), &size);
  if (outcome != LIBDEFLATE_SUCCESS) return std::nullopt;
  return size;
}

void Inflater::Free::operator()(libdeflate_decompressor* state) const noexcept {
  libdeflate_free_decompressor(state);
}

Deflater::Deflater(int level) noexcept : state_(libdeflate_alloc_compressor(level)) {
  assert(level >= 1 && level <= 12);
}

std::size_t Deflater::deflate(byte_view in, mutable_byte_view out) noexcept {
  if (state_ == nullptr) return 0;
  return libdeflate_zlib_compress(state_.get(), in.data(), in.size(), out.data(), out.size());
}

void Deflater::Free::operator()(libdeflate_compressor* state) const noexcept {
  libdeflate_free_compressor(state);
}

#else

bool Inflater::is_available() noexcept { return false; }

Inflater::Inflater() noexcept = default;

std::optional<std::size_t> Inflater::inflate(byte_view, mutable_byte_view) noexcept {
  return std::nullopt;
}

void Inflater::Free::operator()(libdeflate_decompressor*) const noexcept {}

Deflater::Deflater(int) noexcept {}

std::size_t Deflater::deflate(byte_view, mutable_byte_view) noexcept { return 0; }

void Deflater::Free::operator()(libdeflate_compressor*) const noexcept {}

#endif

}  // namespace muster::soe
