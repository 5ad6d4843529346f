// SPDX-License-Identifier: MIT
// What every kind of run is to the program.
#pragma once

#include "report.hpp"

#include <muster/asio/loop.hpp>
#include <muster/dialer.hpp>
#include <muster/entropy.hpp>
#include <muster/service.hpp>
#include <muster/time.hpp>

#include <cstdint>
#include <functional>
#include <string>

namespace bot_program {

/// What a run plays with.
struct Surroundings {
  muster::asio::Loop* loop;
  muster::Dialer* dialer;
  muster::Entropy* entropy;
  std::function<void()> done;  ///< called once, when everybody has left
};

/// A run against a server. It shows how it goes once a second.
/// @threads the loop's thread
class Bot : public muster::Service {
 public:
  virtual void start() = 0;

  /// Ends the run before its time; the summary follows.
  virtual void stop() noexcept = 0;

  /// Prints the summary. 0: everything was as it should be.
  [[nodiscard]] virtual int finish() = 0;

  void on_message(muster::Connection&, const muster::Message&, muster::time_point) override {}

 protected:
  Bot(Surroundings around, bool is_quiet);

  /// Shows the next line a second after `now`.
  void begin_lines(muster::time_point now) noexcept;
  void end_lines() noexcept { next_line_ = muster::no_deadline; }
  void show_due_line(muster::time_point now);
  [[nodiscard]] muster::time_point next_line() const noexcept { return next_line_; }

  /// @param seconds   since the line before
  virtual void show_line(muster::time_point now, double seconds) = 0;

  /// Everybody has left.
  void end() noexcept;
  [[nodiscard]] bool is_over() const noexcept { return is_over_; }

  /// Why the run ended before its time, for the summary; the first reason is the one.
  void note_problem(std::string sentence);
  [[nodiscard]] bool has_problem() const noexcept { return !problem_.empty(); }
  void print_problem() const;

  [[nodiscard]] muster::asio::Loop& loop() const noexcept { return *around_.loop; }
  [[nodiscard]] muster::Dialer& dialer() const noexcept { return *around_.dialer; }
  [[nodiscard]] muster::Entropy& entropy() const noexcept { return *around_.entropy; }
  [[nodiscard]] Screen& screen() noexcept { return screen_; }

 private:
  Surroundings around_;
  Screen screen_;
  bool is_over_ = false;
  std::string problem_;
  muster::time_point line_start_{};
  muster::time_point next_line_ = muster::no_deadline;
};

/// The steady clock, which payloads carry to the other end of the same process.
[[nodiscard]] std::uint64_t clock_ns() noexcept;

[[nodiscard]] double seconds(muster::duration span) noexcept;

}  // namespace bot_program
