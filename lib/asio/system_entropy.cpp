// SPDX-License-Identifier: MIT
// Random bytes from the kernel.
#include <muster/asio/system_entropy.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <unistd.h>
#if defined(__APPLE__)
#include <sys/random.h>
#endif

namespace muster::asio {

void SystemEntropy::fill(mutable_byte_view out) noexcept {
  while (!out.empty()) {
    if (left_ == 0) {
      if (::getentropy(pool_.data(), pool_.size()) != 0) std::abort();
      left_ = pool_.size();
    }
    const std::size_t count = std::min(left_, out.size());
    std::byte* const from = pool_.data() + pool_.size() - left_;
    std::memcpy(out.data(), from, count);
    std::memset(from, 0, count);  // what was handed out as a token is not kept here
    left_ -= count;
    out = out.subspan(count);
  }
}

}  // namespace muster::asio
