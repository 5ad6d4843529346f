// SPDX-License-Identifier: MIT
// The queue between the loops and the store, and the thread that empties it.
#include "record_writer.hpp"

#include <muster/entropy.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <iterator>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <variant>

namespace relay_program {

namespace {

using muster::duration;
using muster::time_point;

time_point steady_now() { return std::chrono::steady_clock::now(); }

UnixSeconds unix_now() {
  using std::chrono::duration_cast;
  using std::chrono::seconds;
  return duration_cast<seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Spreads the attempts of relays that lost one database; it need not be unpredictable.
std::uint64_t jitter_seed() {
  return static_cast<std::uint64_t>(steady_now().time_since_epoch().count());
}

struct FindQuery {
  std::int64_t id;
  std::function<void(RecordWriter::Found)> answer;
};

struct ListQuery {
  RecordPage page;
  std::function<void(RecordWriter::Listed)> answer;
};

using Query = std::variant<FindQuery, ListQuery>;

}  // namespace

/// What the writer and its thread share. All but what is said to be the thread's own is guarded by
/// `mutex_`, which nobody holds during a call of the store or of an answer.
class RecordWriter::Thread {
 public:
  Thread(std::unique_ptr<RecordStore> store, RelayRun self, const Config& config)
      : store_(std::move(store)), self_(std::move(self)), config_(config) {}

  /// Starts the thread, which keeps `shared` alive.
  static void start(const std::shared_ptr<Thread>& shared) {
    shared->thread_ = std::thread{[shared] { shared->run(); }};
  }

  bool offer(Job&& job, Done&& done) {
    const std::size_t kind = job.index();
    const std::size_t bytes = memory_of(job);
    const std::lock_guard lock{mutex_};
    if (stop_at_ || stats_.waiting_jobs >= config_.max_jobs ||
        stats_.waiting_bytes + bytes > config_.max_bytes) {
      ++stats_.dropped[kind];
      return false;
    }
    ++stats_.accepted[kind];
    ++stats_.waiting_jobs;
    stats_.waiting_bytes += bytes;
    jobs_.push_back({std::move(job), std::move(done)});
    wake_.notify_one();
    return true;
  }

  bool ask(Query&& query) {
    const std::lock_guard lock{mutex_};
    if (stop_at_ || queries_.size() >= config_.max_queries) {
      ++stats_.queries_refused;
      return false;
    }
    ++stats_.queries;
    queries_.push_back(std::move(query));
    wake_.notify_one();
    return true;
  }

  Stats stats() {
    const std::lock_guard lock{mutex_};
    return stats_;
  }

  bool stop(time_point deadline) {
    const time_point now = steady_now();
    deadline = std::min(deadline, now + std::chrono::hours{24});  // with room for a sum
    std::unique_lock lock{mutex_};
    if (!stop_at_) {
      stop_at_ = deadline;
      retry_at_ = time_point::min();
      wake_.notify_one();
      ended_.wait_until(lock, deadline, [this] { return is_ended_; });
      // A call that is about to return may do so.
      constexpr duration grace = std::chrono::seconds{1};
      ended_.wait_until(lock, std::max(deadline, now) + grace, [this] { return is_ended_; });
      // What the thread does between calls of the store takes no time worth a mention.
      ended_.wait(lock, [this] { return is_ended_ || is_in_store_; });
      if (!is_ended_) abandon();
    }
    if (is_abandoned_) return false;
    lock.unlock();
    if (thread_.joinable()) thread_.join();
    return true;
  }

 private:
  struct Waiting {
    Job job;
    Done done;
  };

  void run() {
    std::unique_lock lock{mutex_};
    while (!is_abandoned_) {
      const time_point now = steady_now();
      const bool is_idle = batch_at_ == batch_.size() && jobs_.empty();
      if (stop_at_ && (now >= *stop_at_ || (is_idle && queries_.empty()))) break;
      const bool has_work = !is_idle || !is_started_;
      const bool is_due = has_work && now >= retry_at_;
      const bool is_asked = !queries_.empty();
      // In turns, so that neither holds the other up.
      if (is_asked) answer_next(lock);
      if (is_due && !is_abandoned_) {
        if (batch_at_ == batch_.size()) take_batch();
        attempt(lock);
      }
      if (is_asked || is_due) continue;
      if (!has_work && !stop_at_) {
        wake_.wait(lock);
      } else {
        const time_point until = has_work ? retry_at_ : muster::no_deadline;
        wake_.wait_until(lock, stop_at_ ? std::min(until, *stop_at_) : until);
      }
    }
    while (!is_abandoned_ && (batch_at_ != batch_.size() || !jobs_.empty())) {
      if (batch_at_ == batch_.size()) take_batch();
      settle(lock, batch_.size() - batch_at_, Effect::Kind::lost);
    }
    while (!is_abandoned_ && !queries_.empty()) answer_next(lock);
    is_in_store_ = true;  // closing may block as well
    lock.unlock();
    store_.reset();
    lock.lock();
    is_in_store_ = false;
    is_ended_ = true;
    ended_.notify_all();
  }

  void take_batch() {
    const auto count = static_cast<std::ptrdiff_t>(std::min(jobs_.size(), config_.max_batch));
    batch_.clear();
    done_.clear();
    for (auto it = jobs_.begin(); it != jobs_.begin() + count; ++it) {
      batch_.push_back(std::move(it->job));
      done_.push_back(std::move(it->done));
    }
    jobs_.erase(jobs_.begin(), jobs_.begin() + count);
    batch_at_ = 0;
    step_ = config_.max_batch;
  }

  /// Calls the store without the lock. `call` may throw.
  template <class Call>
  void in_store(std::unique_lock<std::mutex>& lock, Call call) {
    struct Relock {
      Thread* self;
      std::unique_lock<std::mutex>* lock;
      ~Relock() {
        lock->lock();
        self->is_in_store_ = false;
      }
    };
    is_in_store_ = true;
    ended_.notify_all();  // somebody may be waiting to learn that it blocks
    lock.unlock();
    const Relock relock{this, &lock};
    call();
  }

  /// One transaction.
  void attempt(std::unique_lock<std::mutex>& lock) {
    try {
      std::size_t stale = 0;
      bool has_closed_stale = is_started_;
      in_store(lock, [&] {
        store_->open(self_);
        if (!has_closed_stale) stale = store_->close_stale(unix_now());
      });
      if (is_abandoned_) return;
      stats_.stale_closed += stale;
      is_started_ = true;
    } catch (const std::exception& error) {
      return failed(lock, error.what());
    }

    const std::size_t count = std::min(step_, batch_.size() - batch_at_);
    if (count == 0) return succeeded();
    const std::span<const Job> jobs{batch_.data() + batch_at_, count};
    std::vector<Effect> effects;
    try {
      in_store(lock, [&] { effects = store_->apply(jobs); });
    } catch (const StoreError& error) {
      if (error.kind() != StoreError::Kind::rejected) return failed(lock, error.what());
      if (is_abandoned_) return;
      ++stats_.failures;
      stats_.last_error = error.what();
      // One of them is at fault. Which one shows when they are written one by one.
      if (count == 1) return settle(lock, 1, Effect::Kind::rejected);
      step_ = 1;
      return;
    } catch (const std::exception& error) {
      return failed(lock, error.what());
    }
    if (is_abandoned_) return;
    ++stats_.batches;
    succeeded();
    settle(lock, effects);
  }

  void succeeded() {
    stats_.is_available = true;
    first_failure_.reset();
    backoff_.reset();
  }

  void failed(std::unique_lock<std::mutex>& lock, const char* what) {
    if (is_abandoned_) return;
    const time_point now = steady_now();
    note_failure(what, now);
    const std::size_t count = batch_.size() - batch_at_;
    if (count == 0) return;
    if (!first_failure_) first_failure_ = now;
    if (now - *first_failure_ < config_.give_up_after) return;
    first_failure_.reset();
    settle(lock, count, Effect::Kind::lost);
  }

  void note_failure(const char* what, time_point now) {
    ++stats_.failures;
    stats_.last_error = what;
    stats_.is_available = false;
    retry_at_ = now + backoff_.next();
  }

  void settle(std::unique_lock<std::mutex>& lock, std::size_t count, Effect::Kind kind) {
    settle(lock, std::vector<Effect>(count, Effect{kind}));
  }

  /// Counts the next jobs of the batch as done, and tells who wanted to know.
  void settle(std::unique_lock<std::mutex>& lock, const std::vector<Effect>& effects) {
    std::vector<std::pair<Done, Effect>> answers;
    for (const Effect& effect : effects) {
      Job& job = batch_[batch_at_];
      ++counts_of(effect.kind)[job.index()];
      --stats_.waiting_jobs;
      stats_.waiting_bytes -= memory_of(job);
      if (done_[batch_at_]) answers.emplace_back(std::move(done_[batch_at_]), effect);
      ++batch_at_;
    }
    if (answers.empty()) return;
    lock.unlock();
    for (const auto& [done, effect] : answers) done(effect);
    lock.lock();
  }

  Counts& counts_of(Effect::Kind kind) {
    switch (kind) {
      case Effect::Kind::written:
        return stats_.written;
      case Effect::Kind::unchanged:
        return stats_.unchanged;
      case Effect::Kind::no_record:
        return stats_.no_record;
      case Effect::Kind::rejected:
        return stats_.rejected;
      case Effect::Kind::lost:
        break;
    }
    return stats_.lost;
  }

  void answer_next(std::unique_lock<std::mutex>& lock) {
    const Query query = std::move(queries_.front());
    queries_.pop_front();
    const time_point now = steady_now();
    const bool is_late = stop_at_ && now >= *stop_at_;
    const bool is_waiting = now < retry_at_;
    const std::string last_error = stats_.last_error;
    Found found;
    Listed listed;
    std::string error;
    try {
      in_store(lock, [&] {
        if (is_late) throw StoreError{StoreError::Kind::unavailable, "the relay is about to end"};
        // A database that was just found to be away is not asked again by every query.
        if (is_waiting && !store_->is_open()) {
          throw StoreError{StoreError::Kind::unavailable, last_error};
        }
        store_->open(self_);
        if (const auto* const find = std::get_if<FindQuery>(&query)) {
          found.value = store_->find(find->id);
        } else {
          listed.value = store_->list(std::get<ListQuery>(query).page);
        }
      });
    } catch (const std::exception& failure) {
      error = failure.what();
    }
    if (is_abandoned_) return;
    if (!error.empty()) {
      ++stats_.queries_failed;
      if (!is_late && !is_waiting) note_failure(error.c_str(), now);
    }
    lock.unlock();
    if (const auto* const find = std::get_if<FindQuery>(&query)) {
      found.error = std::move(error);
      find->answer(std::move(found));
    } else {
      listed.error = std::move(error);
      std::get<ListQuery>(query).answer(std::move(listed));
    }
    lock.lock();
  }

  /// The thread is in a call of the store, which blocks: from now on it is on its own, and says and
  /// counts nothing more.
  void abandon() {
    is_abandoned_ = true;
    for (std::size_t kind = 0; kind < job_kinds; ++kind) {
      stats_.lost[kind] = stats_.accepted[kind] - stats_.written[kind] - stats_.unchanged[kind] -
                          stats_.no_record[kind] - stats_.rejected[kind];
    }
    stats_.waiting_jobs = 0;
    stats_.waiting_bytes = 0;
    stats_.is_available = false;
    thread_.detach();
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable ended_;
  std::deque<Waiting> jobs_;
  std::deque<Query> queries_;
  Stats stats_;
  std::optional<time_point> stop_at_;
  time_point retry_at_ = time_point::min();
  bool is_in_store_ = false;
  bool is_ended_ = false;
  bool is_abandoned_ = false;

  std::thread thread_;

  // The thread's own.
  std::unique_ptr<RecordStore> store_;
  const RelayRun self_;
  const Config config_;
  muster::SeededEntropy jitter_{jitter_seed()};
  muster::Backoff backoff_{config_.backoff, jitter_};
  bool is_started_ = false;  ///< stale records are closed
  std::vector<Job> batch_;
  std::vector<Done> done_;
  std::size_t batch_at_ = 0;  ///< the first that is not settled
  std::size_t step_ = 1;      ///< jobs in the next transaction
  std::optional<time_point> first_failure_;
};

bool RecordWriter::is_valid(const Config& config) noexcept {
  const auto in = [](std::size_t value, std::uint64_t least, std::uint64_t most) {
    return value >= least && value <= most;
  };
  return in(config.max_jobs, 1, 10'000'000) &&
         in(config.max_bytes, 4'096, std::uint64_t{4} << 30U) &&
         in(config.max_queries, 1, 65'536) && in(config.max_batch, 1, 100'000) &&
         muster::Backoff::is_valid(config.backoff) && config.give_up_after >= duration{0} &&
         config.give_up_after <= std::chrono::hours{1};
}

RecordWriter::RecordWriter(std::unique_ptr<RecordStore> store, RelayRun self, const Config& config)
    : thread_(std::make_shared<Thread>(std::move(store), std::move(self), config)) {
  Thread::start(thread_);
}

RecordWriter::~RecordWriter() { stop(steady_now()); }

bool RecordWriter::offer(Job job, Done done) {
  return thread_->offer(std::move(job), std::move(done));
}

bool RecordWriter::find(std::int64_t id, std::function<void(Found)> found) {
  return thread_->ask(FindQuery{id, std::move(found)});
}

bool RecordWriter::list(RecordPage page, std::function<void(Listed)> listed) {
  return thread_->ask(ListQuery{std::move(page), std::move(listed)});
}

RecordWriter::Stats RecordWriter::stats() const { return thread_->stats(); }

bool RecordWriter::stop(time_point deadline) { return thread_->stop(deadline); }

}  // namespace relay_program
