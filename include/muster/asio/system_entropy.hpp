// SPDX-License-Identifier: MIT
// The operating system's random bytes.
#pragma once

#include <muster/entropy.hpp>
#include <muster/export.hpp>

#include <array>

namespace muster::asio {

/// Unpredictable bytes from the kernel, fetched a few hundred at a time.
/// @threads distinct objects: safe; shared objects: unsafe
class MUSTER_API SystemEntropy final : public Entropy {
 public:
  /// Ends the program if the system has no random bytes to give: nothing safe can be done without.
  void fill(mutable_byte_view out) noexcept override;

 private:
  std::array<std::byte, 256> pool_{};
  std::size_t left_ = 0;
};

}  // namespace muster::asio
