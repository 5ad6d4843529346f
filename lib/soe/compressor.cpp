// SPDX-License-Identifier: MIT
#include "compressor.hpp"

#include <cstring>

namespace muster::soe {

std::size_t Compressor::compress(mutable_byte_view body, Experience& experience) {
  // What does not get smaller costs as much as what does: after a few of those, only now and then.
  if (experience.failures >= give_up_after && ++experience.skipped < try_again_after) return 0;
  experience.skipped = 0;
  if (scratch_size_ < body.size()) {
    scratch_ = std::make_unique_for_overwrite<std::byte[]>(body.size());
    scratch_size_ = body.size();
  }
  const std::size_t size = deflater_.deflate(body, {scratch_.get(), body.size() - 1});
  if (size == 0) {
    if (experience.failures < give_up_after) ++experience.failures;
    return 0;
  }
  experience.failures = 0;
  std::memcpy(body.data(), scratch_.get(), size);
  return size;
}

}  // namespace muster::soe
