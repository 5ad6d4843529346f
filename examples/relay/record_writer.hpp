// SPDX-License-Identifier: MIT
// Writes records on a thread of its own, so that no room ever waits for a disk.
#pragma once

#include "records.hpp"

#include <muster/backoff.hpp>
#include <muster/time.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace relay_program {

/// Feeds a record store from any number of loops.
///
/// What waits is bounded; what does not fit is dropped and counted. What waits is written in order,
/// many jobs to a transaction. A transaction that fails is tried again, after longer and longer
/// waits; a job that alone is at fault is rejected, and the others are written without it.
///
/// Answers are called on the writer's thread, and must not block: whoever asks wraps a post to its
/// own loop into them. Each is called once, unless `stop` returns first.
/// @threads `offer`, `find`, `list` and `stats`: any; all else: the one that made it
class RecordWriter {
 public:
  struct Config {
    std::size_t max_jobs = 65'536;       ///< that wait, 1 to 10 million
    std::size_t max_bytes = 64U << 20U;  ///< that the waiting ones may hold, 4 KiB to 4 GiB
    std::size_t max_queries = 256;       ///< that wait, 1 to 65,536
    std::size_t max_batch = 1'000;       ///< jobs in a transaction, 1 to 100,000
    muster::Backoff::Config backoff{.first = std::chrono::milliseconds{200},
                                    .longest = std::chrono::seconds{10}};

    /// How long a transaction is tried before its jobs are counted as lost, 0 to 1 h.
    muster::duration give_up_after = std::chrono::minutes{1};
  };

  using Counts = std::array<std::uint64_t, job_kinds>;  ///< by kind of job, in `Job`'s order

  struct Stats {
    Counts accepted{};  ///< the sum of the following five, and of what waits or is being written
    Counts written{};
    Counts unchanged{};          ///< it was so already
    Counts no_record{};          ///< about a room or a player that was never written
    Counts rejected{};           ///< the database takes everything but this one
    Counts lost{};               ///< accepted, but the database could not be reached for too long
    Counts dropped{};            ///< not accepted: too much waited
    std::uint64_t batches = 0;   ///< transactions that were committed
    std::uint64_t failures = 0;  ///< attempts that failed
    std::uint64_t stale_closed = 0;  ///< records that an earlier run had left open
    std::uint64_t queries = 0;
    std::uint64_t queries_failed = 0;
    std::uint64_t queries_refused = 0;  ///< too many waited
    std::size_t waiting_jobs = 0;
    std::size_t waiting_bytes = 0;
    bool is_available = false;  ///< the last thing that was tried succeeded
    std::string last_error{};   ///< of the last attempt that failed
  };

  using Done = std::function<void(const Effect&)>;

  /// An answer, or an error that a person can read.
  template <class T>
  struct Answer {
    std::optional<T> value{};
    std::string error{};
  };
  using Found = Answer<std::optional<Record>>;
  using Listed = Answer<std::vector<Record>>;

  [[nodiscard]] static bool is_valid(const Config& config) noexcept;

  /// Starts the thread. It first opens the store, if it is not open, and closes what earlier runs
  /// of this relay left open.
  /// @param store    used by the writer's thread only
  /// @param config   valid
  RecordWriter(std::unique_ptr<RecordStore> store, RelayRun self, const Config& config);

  /// As `stop` with a deadline that has passed.
  ~RecordWriter();
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;

  /// Queues a job. Never waits for the store.
  /// @param done   told what became of it; may be empty
  /// @return       false if it was dropped, then `done` is not called
  bool offer(Job job, Done done = {});

  /// Asks for a record with its participants. Does not wait for jobs that were offered before.
  /// @return   false if too many queries wait, then `found` is not called
  bool find(std::int64_t id, std::function<void(Found)> found);

  /// Asks for a page of records; likewise.
  bool list(RecordPage page, std::function<void(Listed)> listed);

  [[nodiscard]] Stats stats() const;

  /// Accepts nothing more, writes what waits, and ends the thread. Does nothing the second time.
  ///
  /// At the deadline what is not written is counted as lost. A store that blocks beyond it is left
  /// to its thread: then end the program with `std::quick_exit`, which destroys nothing under it.
  /// @return   whether everything was dealt with and the thread has ended
  bool stop(muster::time_point deadline);

 private:
  class Thread;

  std::shared_ptr<Thread> thread_;  // shared with the thread itself, which may outlive us
};

}  // namespace relay_program
