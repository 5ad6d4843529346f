// SPDX-License-Identifier: MIT
// What a bot has answered of late, so that it never answers a question twice in two ways.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace muster::lobby {

/// The last answers of one match.
class AnswerTable {
 public:
  struct Answer {
    std::string request_id;  // JSON
    std::string frame;       // the whole message
    std::vector<std::string> legal;
    std::uint64_t connection = 0;  // on which it was sent; 0: it was not
    std::int64_t seq = 0;          // of the request
    std::int64_t seat = -1;        // whose turn it was; -1: not known
    std::uint32_t rejections = 0;
    bool is_over = false;  // the turn is
  };

  /// Its place is that of the oldest.
  Answer& add(Answer answer) {
    if (answers_.size() == capacity) answers_.pop_front();
    return answers_.emplace_back(std::move(answer));
  }

  [[nodiscard]] Answer* find(std::string_view request_id) noexcept {
    for (Answer& answer : answers_) {
      if (answer.request_id == request_id) return &answer;
    }
    return nullptr;
  }

  /// All turns are over, or those of one seat.
  void close_all() noexcept {
    for (Answer& answer : answers_) answer.is_over = true;
  }
  void close_seat(std::int64_t seat) noexcept {
    for (Answer& answer : answers_) answer.is_over |= answer.seat == seat;
  }

 private:
  static constexpr std::size_t capacity = 8;
  std::deque<Answer> answers_;
};

}  // namespace muster::lobby
