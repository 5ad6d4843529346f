// SPDX-License-Identifier: MIT
// Messages whose content says which message, which part of it and which session they are.
#pragma once

#include "peer.hpp"

#include <muster/bytes.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace muster_bench {

/// Makes the messages of a stream, and checks at the other end that they are all there, in order,
/// whole and unchanged.
///
/// A word is stamped every 256 bytes, so that no fragment of a message can be missing, in the wrong
/// place or of another message. Of one message in 64 each byte is checked as well; of all of them,
/// that would be a good part of what is measured.
class Stamp {
 public:
  Stamp(std::size_t size, std::uint64_t seed) : message_(size), seed_(seed) {
    for (std::size_t i = 0; i < size; ++i) message_[i] = static_cast<std::byte>(i * 151 + seed);
  }

  /// The next message; valid until the next call.
  muster::byte_view make() {
    const std::uint64_t number = made_++;
    for (std::size_t at = 0; at + word_size <= message_.size(); at += stride) {
      const std::uint64_t word = word_at(number, at);
      std::memcpy(message_.data() + at, &word, word_size);
    }
    return message_;
  }

  /// Takes the last one back: it was not sent.
  void unmake() { --made_; }

  void check(muster::byte_view message) {
    const std::uint64_t number = checked_++;
    if (message.size() != message_.size()) fail(number, "has another size");
    for (std::size_t at = 0; at + word_size <= message.size(); at += stride) {
      std::uint64_t word = 0;
      std::memcpy(&word, message.data() + at, word_size);
      if (word != word_at(number, at)) fail(number, "differs at byte " + std::to_string(at));
    }
    if (checks_all_ || number % 64 == 0) check_rest(number, message);
  }

  /// Checks each byte of all messages: for runs whose CPU time is not measured.
  void check_all() { checks_all_ = true; }

  [[nodiscard]] std::uint64_t made() const { return made_; }
  [[nodiscard]] std::uint64_t checked() const { return checked_; }
  [[nodiscard]] std::uint64_t missing() const { return made_ - checked_; }
  [[nodiscard]] std::size_t size() const { return message_.size(); }

 private:
  static constexpr std::size_t stride = 256;
  static constexpr std::size_t word_size = sizeof(std::uint64_t);

  [[nodiscard]] std::uint64_t word_at(std::uint64_t number, std::size_t at) const {
    return number * 0x9e3779b97f4a7c15U + at + seed_;
  }

  void check_rest(std::uint64_t number, muster::byte_view message) const {
    for (std::size_t at = 0; at < message.size(); at += stride) {
      const bool is_stamped = at + word_size <= message.size();
      const std::size_t begin = is_stamped ? at + word_size : at;
      const std::size_t end = std::min(at + stride, message.size());
      if (std::memcmp(message.data() + begin, message_.data() + begin, end - begin) != 0) {
        fail(number,
             "differs between bytes " + std::to_string(begin) + " and " + std::to_string(end));
      }
    }
  }

  [[noreturn]] static void fail(std::uint64_t number, const std::string& what) {
    throw Failure("message " + std::to_string(number) + " " + what);
  }

  std::vector<std::byte> message_;
  std::uint64_t seed_;
  std::uint64_t made_ = 0;
  std::uint64_t checked_ = 0;
  bool checks_all_ = false;
};

/// Checks what arrives on an end's only session.
class Checker final : public Receiver {
 public:
  explicit Checker(Stamp& stamp) : stamp_(stamp) {}
  void on_message(std::uint32_t, muster::byte_view message) override { stamp_.check(message); }

 private:
  Stamp& stamp_;
};

}  // namespace muster_bench
