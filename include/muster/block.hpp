// SPDX-License-Identifier: MIT
// A reference-counted piece of memory: what frames, batches and backlogs are made of.
#pragma once

#include <muster/export.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace muster {

/// A counted reference to a block of bytes.
///
/// The count is not atomic: a block belongs to one loop. What crosses loops is copied.
/// @threads distinct blocks: safe; references to one block from two threads: unsafe
class MUSTER_API Block {
 public:
  Block() noexcept = default;
  Block(const Block& other) noexcept : header_(other.header_) {
    if (header_ != nullptr) ++header_->references;
  }
  Block(Block&& other) noexcept : header_(std::exchange(other.header_, nullptr)) {}
  Block& operator=(Block other) noexcept {
    std::swap(header_, other.header_);
    return *this;
  }
  ~Block() {
    if (header_ != nullptr && --header_->references == 0) destroy(header_);
  }

  /// A new block of `capacity` bytes, their content undefined.
  [[nodiscard]] static Block allocate(std::size_t capacity);

  [[nodiscard]] explicit operator bool() const noexcept { return header_ != nullptr; }
  [[nodiscard]] std::byte* data() const noexcept {
    return reinterpret_cast<std::byte*>(header_ + 1);
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return header_->capacity; }

  /// True if no other reference exists, so that its bytes may be written again.
  [[nodiscard]] bool is_unique() const noexcept { return header_->references == 1; }
  [[nodiscard]] std::uint32_t reference_count() const noexcept { return header_->references; }

  /// A word that the block's user keeps with the bytes.
  [[nodiscard]] std::uint64_t& tag() const noexcept { return header_->tag; }

  friend bool operator==(const Block&, const Block&) noexcept = default;

 private:
  struct Header {
    std::uint32_t references;
    std::uint32_t capacity;
    std::uint64_t tag;
  };
  explicit Block(Header* header) noexcept : header_(header) {}
  static void destroy(Header* header) noexcept;

  Header* header_ = nullptr;
};

}  // namespace muster
