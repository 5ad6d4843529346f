// SPDX-License-Identifier: MIT
// Messages that a seed determines: whoever receives them can make them again, and so compare.
#pragma once

#include <muster/bytes.hpp>
#include <muster/entropy.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

namespace test {

/// Random numbers for tests.
class SoeRandom {
 public:
  explicit SoeRandom(std::uint64_t seed) noexcept : entropy_(seed) {}

  /// 0 to `count` - 1
  [[nodiscard]] std::uint64_t below(std::uint64_t count) noexcept {
    return entropy_.next_u64() % count;
  }
  [[nodiscard]] std::size_t between(std::size_t least, std::size_t most) noexcept {
    return least + below(most - least + 1);
  }
  /// True in so many of a hundred cases.
  [[nodiscard]] bool percent(unsigned share) noexcept { return below(100) < share; }
  void fill(muster::mutable_byte_view out) noexcept { entropy_.fill(out); }

 private:
  muster::SeededEntropy entropy_;
};

/// Of one channel, in one direction. Sizes vary; some messages are compressible, and some begin
/// with what the protocol treats in a special way.
class SoeStream {
 public:
  enum class Sizes {
    small,  ///< 1 to 40 bytes
    mixed,  ///< mostly up to 100 bytes, some to 2000, a few to 64 KB
    large,  ///< 1 byte to 64 KB
    huge,   ///< about 1 MB
  };

  SoeStream(std::uint64_t seed, Sizes sizes) noexcept : seed_(seed), sizes_(sizes) {}

  [[nodiscard]] std::string message(std::uint64_t number) const {
    SoeRandom random{seed_ * 0x9E3779B97F4A7C15U + number};
    std::string text(size(random), '\0');
    const auto style = random.below(8);
    if (style < 5) {
      random.fill(std::as_writable_bytes(std::span{text}));
    } else if (style < 7) {
      // Text of a few words, the number in between so that no two are alike.
      const std::string word = "entity " + std::to_string(number) + " moved ";
      for (std::size_t i = 0; i < text.size(); ++i) text[i] = word[i % word.size()];
    }  // else zeros
    switch (random.below(8)) {
      case 0:
        text[0] = '\0';
        break;
      case 1:  // as a bundle begins
        std::memcpy(text.data(), "\x00\x19\x05", std::min<std::size_t>(text.size(), 3));
        break;
      case 2:  // as an op code
        std::memcpy(text.data(), "\x00\x09", std::min<std::size_t>(text.size(), 2));
        break;
      default:
        break;
    }
    return text;
  }

  // A sender's and a receiver's place.

  [[nodiscard]] std::string next_to_send() const { return message(sent_); }
  void was_sent() noexcept { ++sent_; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }

  /// @return whether it is the message that follows
  [[nodiscard]] bool arrived(const std::string& data) {
    const bool is_right = received_ < sent_ && data == message(received_);
    ++received_;
    return is_right;
  }
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }

 private:
  [[nodiscard]] std::size_t size(SoeRandom& random) const {
    constexpr std::size_t kib = 1024;
    switch (sizes_) {
      case Sizes::small:
        return random.between(1, 40);
      case Sizes::mixed: {
        const auto kind = random.below(100);
        return kind < 75   ? random.between(1, 100)
               : kind < 98 ? random.between(1, 2000)
                           : random.between(2000, 64 * kib);
      }
      case Sizes::large:
        return random.between(1, 64 * kib);
      case Sizes::huge:
        break;
    }
    return random.between(1000 * kib, 1100 * kib);
  }

  std::uint64_t seed_;
  Sizes sizes_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

}  // namespace test
