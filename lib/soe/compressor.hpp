// SPDX-License-Identifier: MIT
// Decides whether compressing is worth it, and does it.
#pragma once

#include <muster/bytes.hpp>

#include <cstddef>
#include <memory>

#include "deflate.hpp"

namespace muster::soe {

/// One for all sessions of a multiplexer: its state is large, a session's part in it is one number.
class Compressor {
 public:
  /// What a session remembers of its data.
  struct Experience {
    std::uint8_t failures = 0;  ///< bodies in a row that did not get smaller
    std::uint8_t skipped = 0;   ///< since the last attempt
  };

  /// Makes a body smaller, in place.
  /// @return its new size, or 0: it stays as it is
  std::size_t compress(mutable_byte_view body, Experience& experience);

 private:
  static constexpr unsigned give_up_after = 4;
  static constexpr unsigned try_again_after = 16;

  Deflater deflater_;
  std::unique_ptr<std::byte[]> scratch_;
  std::size_t scratch_size_ = 0;
};

}  // namespace muster::soe
