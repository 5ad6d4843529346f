// SPDX-License-Identifier: MIT
// What a room told its members while some of them were away.
#pragma once

#include "uuid.hpp"
#include "vocabulary.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster::signal {

/// The latest events of a room, numbered for its whole life.
class ReplayRing {
 public:
  /// @param capacity   events; 0: none are kept
  explicit ReplayRing(std::size_t capacity) noexcept : capacity_(capacity) {}

  /// An event as each version has it.
  struct Texts {
    std::string v2;
    std::string v3;
  };

  /// @param about   whose event it is: it is not replayed to that one
  /// @return how many old ones were lost for it
  std::size_t add(Texts texts, const std::optional<Uuid>& about) {
    ++next_;
    if (capacity_ == 0) return 1;
    events_.push_back({std::move(texts), about});
    if (events_.size() <= capacity_) return 0;
    events_.pop_front();
    return 1;
  }

  /// The number that the next event gets.
  [[nodiscard]] std::uint64_t next() const noexcept { return next_; }

  /// Whether all events from that one on are there.
  [[nodiscard]] bool reaches(std::uint64_t from) const noexcept {
    return from >= next_ - events_.size();
  }
  [[nodiscard]] bool is_on() const noexcept { return capacity_ != 0; }

  /// The events from that one on, as far as they are there, oldest first.
  [[nodiscard]] std::vector<std::string> since(std::uint64_t from, const Uuid& reader,
                                               Version version) const {
    std::vector<std::string> texts;
    std::uint64_t number = next_ - events_.size();
    for (const Event& event : events_) {
      if (number++ < from || event.about == reader) continue;
      texts.push_back(version == Version::v3 ? event.texts.v3 : event.texts.v2);
    }
    return texts;
  }

  void clear() noexcept { events_.clear(); }

 private:
  struct Event {
    Texts texts;
    std::optional<Uuid> about;
  };

  std::size_t capacity_;
  std::uint64_t next_ = 0;
  std::deque<Event> events_;
};

}  // namespace muster::signal
