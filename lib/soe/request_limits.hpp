// SPDX-License-Identifier: MIT
// How often session requests are answered: of each host, and of all.
#pragma once

#include <muster/time.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace muster::soe {

/// Buckets of tokens in a table of fixed size, by a keyed hash of the host: hosts that share a
/// place share its tokens, and nobody can choose with whom.
class RequestLimits {
 public:
  /// @param per_second, per_second_of_host   0: no limit
  RequestLimits(std::uint32_t per_second, std::uint32_t per_second_of_host, time_point now)
      : all_{per_second, now}, per_second_(per_second), per_second_of_host_(per_second_of_host) {
    if (per_second_of_host != 0) {
      hosts_ = std::make_unique<std::array<Bucket, places>>();
      hosts_->fill({per_second_of_host, now});
    }
  }

  /// Takes a token, if there is one.
  [[nodiscard]] bool admit(std::uint64_t host_hash, time_point now) noexcept {
    if (hosts_ && !(*hosts_)[host_hash % places].take(per_second_of_host_, now)) return false;
    return per_second_ == 0 || all_.take(per_second_, now);
  }

 private:
  static constexpr std::size_t places = 4096;

  // Holds what one second gives.
  struct Bucket {
    std::uint32_t tokens = 0;
    time_point filled{};

    bool take(std::uint32_t per_second, time_point now) noexcept {
      const duration since = std::min<duration>(now - filled, std::chrono::seconds{1});
      const auto more = static_cast<std::uint32_t>(since * per_second / std::chrono::seconds{1});
      if (more != 0) {
        tokens = std::min(per_second, tokens + more);
        filled = now;
      }
      if (tokens == 0) return false;
      --tokens;
      return true;
    }
  };

  Bucket all_;
  std::uint32_t per_second_;
  std::uint32_t per_second_of_host_;
  std::unique_ptr<std::array<Bucket, places>> hosts_;
};

}  // namespace muster::soe
