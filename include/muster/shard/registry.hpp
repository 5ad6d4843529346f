// SPDX-License-Identifier: MIT
// The shards of one loop, by their ids.
#pragma once

#include <muster/export.hpp>
#include <muster/result.hpp>
#include <muster/shard/any_shard.hpp>
#include <muster/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace muster::shard {

/// The shards that live on one loop, of whatever games.
///
/// A shard that has ended stays for `linger`, so that those who ask for it are told why, and then
/// goes by itself.
/// @threads one loop per registry
class MUSTER_API Registry final : private AnyShard::Owner {
 public:
  struct Config {
    std::size_t max_shards = 10'000;             ///< 1 to 10 million; those that linger count
    duration linger = std::chrono::seconds{30};  ///< 0 to 1 h
  };

  /// @error errc::invalid_config   with the field's name in `problem`
  [[nodiscard]] static std::error_code validate(const Config& config, std::string& problem);

  /// Keeps an id free while its shard is being made, however long that takes. One that is destroyed
  /// unused gives it back, and those who waited are told that there is no shard.
  class Reservation {
   public:
    Reservation(Reservation&& other) noexcept
        : registry_(std::exchange(other.registry_, nullptr)), id_(std::move(other.id_)) {}
    Reservation& operator=(Reservation&&) = delete;
    ~Reservation();

    /// The shard is there.
    AnyShard& fulfil(std::unique_ptr<AnyShard> shard, time_point now);

   private:
    friend class Registry;
    Reservation(Registry& registry, std::string id) noexcept
        : registry_(&registry), id_(std::move(id)) {}
    Registry* registry_;
    std::string id_;
  };

  Registry() : Registry(Config{}) {}
  explicit Registry(const Config& config) : config_(config) {}
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;
  ~Registry();

  /// @param id   1 to 128 bytes of printable UTF-8
  /// @error errc::bad_value        no such id
  /// @error errc::already_exists   there is one, lingering perhaps, or it is being made
  /// @error errc::limit_reached    `max_shards`
  /// @error errc::cancelled        draining
  result<AnyShard*> insert(std::string id, std::unique_ptr<AnyShard> shard, time_point now);

  /// Ends the shard that is there, and puts this one in its place.
  /// @error as `insert`, without `already_exists`
  result<AnyShard*> replace(std::string id, std::unique_ptr<AnyShard> shard, time_point now);

  /// Keeps an id for a shard that takes time to make. Only the first who asks gets it, the others
  /// `await`.
  /// @error as `insert`
  result<Reservation> reserve(std::string id);

  /// Calls `done` with the shard: at once if it is there, or when its reservation is fulfilled;
  /// with null if there is none, or will be none. Called on the loop's thread, and not at all if
  /// the registry is destroyed first.
  void await(std::string_view id, std::function<void(AnyShard*)> done);

  /// The shard, which may have ended, or null.
  [[nodiscard]] AnyShard* find(std::string_view id) noexcept;

  /// Its id, valid while it is in the registry.
  [[nodiscard]] std::string_view id_of(const AnyShard& shard) const noexcept;

  /// Ends a shard and takes it out at once. False: there is none.
  bool remove(std::string_view id, time_point now);

  /// Ends all, and takes no more in.
  void drain(time_point now);

  /// Calls `visit` for each, in the order of their ids, until it says false.
  void list(const std::function<bool(std::string_view id, const AnyShard&)>& visit) const;

  /// Measures what ticks spend their time on, from now on; null: nothing more. Must outlive the
  /// registry.
  void set_stopwatch(Stopwatch* stopwatch) noexcept { times_.set_stopwatch(stopwatch); }

  /// Of all shards since the start, those that have gone too. Without a stopwatch: the lag alone.
  [[nodiscard]] const TickTimes::Stats& tick_times() const noexcept { return times_.stats(); }

  void advance(time_point now);
  [[nodiscard]] time_point next_deadline() const noexcept {
    return due_.empty() ? no_deadline : due_.begin()->first;
  }

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] bool is_draining() const noexcept { return is_draining_; }

 private:
  struct Entry {
    std::unique_ptr<AnyShard> shard;  // null: it is being made
    time_point goes = no_deadline;    // when it has ended, and lingered
    std::vector<std::function<void(AnyShard*)>> waiting;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  [[nodiscard]] errc check(std::string_view id) const noexcept;
  AnyShard& put(Entries::iterator at, std::unique_ptr<AnyShard> shard, time_point now);
  void abandon(std::string_view id);
  void changed(AnyShard& shard) override;
  void schedule(AnyShard& shard, time_point when);
  void take_out(Entries::iterator at);

  Config config_;
  TickTimes times_;
  Entries entries_;
  std::map<const AnyShard*, Entries::iterator> by_shard_;
  std::set<std::pair<time_point, AnyShard*>> due_;  // all that have a deadline
  std::vector<AnyShard*> now_due_;
  AnyShard* running_ = nullptr;  // within its `advance`
  bool is_draining_ = false;
};

}  // namespace muster::shard
