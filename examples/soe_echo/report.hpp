// SPDX-License-Identifier: MIT
// What a run counts, and how it is shown: a line per second, and a summary.
#pragma once

#include "options.hpp"

#include <muster/soe/stats.hpp>
#include <muster/time.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace soe_echo {

/// What all sessions of a client count together.
struct Tally {
  std::uint64_t sent = 0;
  std::uint64_t back = 0;
  std::uint64_t bytes = 0;                        ///< of what came back
  std::uint64_t wrong = 0;                        ///< came back changed, twice or unasked
  std::uint64_t missing = 0;                      ///< reliable, and did not come back
  std::uint64_t lost = 0;                         ///< not reliable, and did not come back
  std::vector<std::uint32_t> round_trips;         ///< microseconds, of each message
  std::map<std::string, std::uint64_t> failures;  ///< sessions that ended otherwise, by how
  muster::time_point first_sent = muster::no_deadline;
  muster::time_point last_back = muster::time_point::min();

  /// From the first message to the last that came back.
  [[nodiscard]] double seconds() const;

  [[nodiscard]] bool is_good() const noexcept {
    return failures.empty() && wrong == 0 && missing == 0 && back != 0;
  }
};

/// Of the sessions that there are.
struct Transport {
  double round_trip_milliseconds = 0;  ///< the mean; 0: none is known
  double loss = 0;                     ///< the mean
  std::uint64_t packets = 0;           ///< sent, repeated ones included
  std::uint64_t resent = 0;
};

[[nodiscard]] Transport summarize(const std::vector<muster::soe::SessionStats>& sessions);

/// Prints lines for a client.
class Report {
 public:
  explicit Report(const Options& options) : options_(options) {}

  /// One line for what happened since the last.
  void live(const Tally& tally, const Transport& transport, double seconds);
  void summary(Tally& tally, const Transport& transport) const;

 private:
  const Options& options_;
  double last_ = 0;
  std::uint64_t last_back_ = 0;
  std::uint64_t last_bytes_ = 0;
  std::uint64_t last_resent_ = 0;
};

}  // namespace soe_echo
