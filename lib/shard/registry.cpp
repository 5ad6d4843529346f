// SPDX-License-Identifier: MIT
#include <muster/shard/registry.hpp>

#include <muster/shard/id.hpp>

#include <algorithm>

namespace muster::shard {

namespace {

using namespace std::chrono_literals;

}  // namespace

std::error_code Registry::validate(const Config& config, std::string& problem) {
  problem.clear();
  if (config.max_shards < 1 || config.max_shards > 10'000'000) {
    problem = "max_shards must be between 1 and 10000000";
  } else if (config.linger < 0s || config.linger > 1h) {
    problem = "linger must be between 0 and 1 h";
  }
  return problem.empty() ? std::error_code{} : make_error_code(errc::invalid_config);
}

Registry::Reservation::~Reservation() {
  if (registry_ != nullptr) registry_->abandon(id_);
}

AnyShard& Registry::Reservation::fulfil(std::unique_ptr<AnyShard> shard, time_point now) {
  Registry& registry = *std::exchange(registry_, nullptr);
  return registry.put(registry.entries_.find(id_), std::move(shard), now);
}

Registry::~Registry() {
  for (auto& [id, entry] : entries_) {
    if (entry.shard) entry.shard->set_owner(nullptr);
  }
}

// Putting in.

errc Registry::check(std::string_view id) const noexcept {
  if (!is_valid_id(id)) return errc::bad_value;
  if (is_draining_) return errc::cancelled;
  if (!entries_.contains(id) && entries_.size() >= config_.max_shards) return errc::limit_reached;
  return errc{};
}

AnyShard& Registry::put(Entries::iterator at, std::unique_ptr<AnyShard> shard, time_point now) {
  at->second.shard = std::move(shard);
  AnyShard& made = *at->second.shard;
  by_shard_.emplace(&made, at);
  made.set_owner(this);
  made.set_times(&times_);
  if (is_draining_) made.end(Ending::draining, now);
  changed(made);
  for (const auto& done : std::exchange(at->second.waiting, {})) done(&made);
  return made;
}

result<AnyShard*> Registry::insert(std::string id, std::unique_ptr<AnyShard> shard,
                                   time_point now) {
  result<Reservation> reservation = reserve(std::move(id));
  if (!reservation) return reservation.error();
  return &reservation->fulfil(std::move(shard), now);
}

result<AnyShard*> Registry::replace(std::string id, std::unique_ptr<AnyShard> shard,
                                    time_point now) {
  if (const errc error = check(id); error != errc{}) return error;
  if (const auto found = entries_.find(id); found != entries_.end() && !found->second.shard) {
    return errc::already_exists;
  }
  remove(id, now);
  return insert(std::move(id), std::move(shard), now);
}

result<Registry::Reservation> Registry::reserve(std::string id) {
  if (const errc error = check(id); error != errc{}) return error;
  if (!entries_.try_emplace(id).second) return errc::already_exists;
  return Reservation{*this, std::move(id)};
}

void Registry::await(std::string_view id, std::function<void(AnyShard*)> done) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.shard) {
    done(found == entries_.end() ? nullptr : found->second.shard.get());
  } else {
    found->second.waiting.push_back(std::move(done));
  }
}

void Registry::abandon(std::string_view id) {
  const auto found = entries_.find(id);
  const auto waiting = std::exchange(found->second.waiting, {});
  entries_.erase(found);
  for (const auto& done : waiting) done(nullptr);
}

// Looking up.

AnyShard* Registry::find(std::string_view id) noexcept {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : found->second.shard.get();
}

std::string_view Registry::id_of(const AnyShard& shard) const noexcept {
  const auto found = by_shard_.find(&shard);
  return found == by_shard_.end() ? std::string_view{} : std::string_view{found->second->first};
}

void Registry::list(const std::function<bool(std::string_view, const AnyShard&)>& visit) const {
  for (const auto& [id, entry] : entries_) {
    if (entry.shard && !visit(id, *entry.shard)) return;
  }
}

// Taking out.

bool Registry::remove(std::string_view id, time_point now) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || !found->second.shard) return false;
  AnyShard& shard = *found->second.shard;
  shard.end(Ending::stopped, now);
  if (&shard == running_) {
    // It is on the stack: it goes when its `advance` has returned.
    found->second.goes = time_point::min();
  } else {
    take_out(found);
  }
  return true;
}

void Registry::take_out(Entries::iterator at) {
  AnyShard& shard = *at->second.shard;
  schedule(shard, no_deadline);
  by_shard_.erase(&shard);
  std::replace(now_due_.begin(), now_due_.end(), &shard, static_cast<AnyShard*>(nullptr));
  entries_.erase(at);
}

void Registry::drain(time_point now) {
  is_draining_ = true;
  for (auto& [id, entry] : entries_) {
    if (entry.shard) entry.shard->end(Ending::draining, now);
  }
}

// Time.

void Registry::schedule(AnyShard& shard, time_point when) {
  if (shard.scheduled == when) return;
  if (shard.scheduled != no_deadline) due_.erase({shard.scheduled, &shard});
  shard.scheduled = when;
  if (when != no_deadline) due_.emplace(when, &shard);
}

void Registry::changed(AnyShard& shard) {
  if (&shard == running_) return;  // asked when it has run
  // One that has ended is due at once, for its lingering to begin.
  const Entry& entry = by_shard_.find(&shard)->second->second;
  if (shard.is_running()) return schedule(shard, shard.next_deadline());
  schedule(shard, entry.goes == no_deadline ? time_point::min() : entry.goes);
}

void Registry::advance(time_point now) {
  // What a call makes due now is left for the next pass.
  now_due_.clear();
  for (const auto& [when, shard] : due_) {
    if (when > now) break;
    now_due_.push_back(shard);
  }
  for (std::size_t i = 0; i < now_due_.size(); ++i) {
    AnyShard* const shard = now_due_[i];
    if (shard == nullptr) continue;  // taken out by one before it
    running_ = shard;
    shard->advance(now);
    running_ = nullptr;
    const auto at = by_shard_.find(shard)->second;
    if (!shard->is_running() && at->second.goes == no_deadline) {
      at->second.goes = now + config_.linger;
    }
    if (!shard->is_running() && at->second.goes <= now) {
      take_out(at);
    } else {
      changed(*shard);
    }
  }
}

}  // namespace muster::shard
