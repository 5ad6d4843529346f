// SPDX-License-Identifier: MIT
// A table in which an address and its count are one word.
//
// Each word says whose it is and how much, so that every change is one compare-and-swap. A word
// that was given away and came back with the same value means the same again: there is no ABA
// problem, and nothing to reclaim. No other memory depends on a word, so relaxed order is enough.
//
//     rooms      48 bits of the address's hash, 16 bits of rooms
//     failures   28 bits of the address's hash, 36 bits of time: when all of them are forgiven
//
// An empty room word, and one whose time has come, are free. Two threads that see different words
// of a line free can both make one for the same address. That is rare, and harmless: what counts is
// the sum of an address's words, and each word goes away like any other. Only a thread that has
// summed and not yet counted makes a room too many.
#include <muster/address_limits.hpp>

#include <muster/bytes.hpp>
#include <muster/error.hpp>
#include <muster/sip_hash.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <ratio>
#include <span>
#include <string_view>

namespace muster {

namespace {

constexpr std::size_t words_in_line = 8;
constexpr auto relaxed = std::memory_order_relaxed;

constexpr unsigned room_bits = 16;
constexpr std::uint64_t room_mask = (std::uint64_t{1} << room_bits) - 1;

// Tenths of a millisecond of the caller's clock: one connection of a thousand in a second is ten of
// them. They wrap after 79 days; a word that nobody touched for so long seems to have failures
// again, for the minute before its time comes round.
using Ticks = std::chrono::duration<std::int64_t, std::ratio<1, 10'000>>;
constexpr unsigned time_bits = 36;
constexpr std::uint64_t time_mask = (std::uint64_t{1} << time_bits) - 1;
// No failure is remembered for longer than 61 s. Twice that, for threads whose `now` is not quite
// the same; what is further ahead is long over.
constexpr std::uint64_t horizon = Ticks{std::chrono::seconds{122}}.count();
constexpr duration minute = std::chrono::minutes{1};
constexpr duration second = std::chrono::seconds{1};

// In a line of failures the last word is for all that found no place.
constexpr std::size_t places = words_in_line - 1;

std::uint64_t ticks_of(time_point now) noexcept {
  const auto ticks = std::chrono::floor<Ticks>(now.time_since_epoch()).count();
  return static_cast<std::uint64_t>(ticks) & time_mask;
}

// How long until the failures of a word are forgiven, 0 if they are.
std::uint64_t debt_of(std::uint64_t word, std::uint64_t now) noexcept {
  const std::uint64_t debt = (word - now) & time_mask;
  return word == 0 || debt > horizon ? 0 : debt;
}

std::uint32_t connections_at_once(const AddressLimits::Config& config) noexcept {
  return static_cast<std::uint32_t>(config.connections_per_second *
                                    static_cast<std::uint64_t>(config.connection_burst.count()) /
                                    static_cast<std::uint64_t>(second.count()));
}

// Never 0, so that a word that is in use is not 0 either.
std::uint64_t owner_of(std::uint64_t hash) noexcept {
  return std::max<std::uint64_t>(hash >> time_bits, 1);
}

}  // namespace

std::error_code AddressLimits::validate(const Config& config, std::string& problem) {
  const auto check = [&problem](bool good, std::string_view sentence) {
    if (!good && problem.empty()) problem = sentence;
  };
  problem.clear();
  check(std::has_single_bit(config.slots) && config.slots >= 64 && config.slots <= 1U << 24U,
        "slots must be a power of two between 64 and 16777216");
  check(config.max_rooms <= room_mask, "max_rooms must be at most 65535");
  check(config.failed_tokens_per_minute <= 1000, "failed_tokens_per_minute must be at most 1000");
  check(config.empty_rooms_per_minute <= 1000, "empty_rooms_per_minute must be at most 1000");
  check(config.connections_per_second <= 1000, "connections_per_second must be at most 1000");
  check(config.connection_burst >= second && config.connection_burst <= 30 * second,
        "connection_burst must be between 1 s and 30 s");
  return problem.empty() ? std::error_code{} : make_error_code(errc::invalid_config);
}

AddressLimits::AddressLimits(const Config& config, Entropy& entropy)
    : config_(config),
      seed_{entropy.next_u64(), entropy.next_u64()},
      rooms_(config.max_rooms != 0 ? new Line[config.slots / words_in_line] : nullptr),
      tokens_(config.slots / words_in_line, config.failed_tokens_per_minute, minute,
              config.failed_tokens_per_minute),
      empty_rooms_(config.slots / words_in_line, config.empty_rooms_per_minute, minute,
                   config.empty_rooms_per_minute),
      connections_(config.slots / words_in_line, config.connections_per_second, second,
                   connections_at_once(config)) {}

// 0: an address that is not limited.
std::uint64_t AddressLimits::hash_of(const Address& address) const noexcept {
  if (address.ip == Address{}.ip) return 0;
  const Address network = address.network();
  const std::uint64_t hash = sip_hash(seed_, std::as_bytes(std::span{network.ip}));
  return hash != 0 ? hash : 1;
}

bool AddressLimits::take_room(const Address& address) noexcept {
  const std::uint64_t hash = hash_of(address);
  if (hash == 0 || rooms_ == nullptr) return true;
  Line& line = rooms_[hash & (config_.slots / words_in_line - 1)];
  const std::uint64_t owner = hash & ~room_mask;
  for (;;) {
    Word* mine = nullptr;
    Word* free = nullptr;
    std::uint64_t old = 0;
    std::uint64_t held = 0;
    for (Word& word : line.words) {
      const std::uint64_t value = word.load(relaxed);
      if (value == 0) {
        if (free == nullptr) free = &word;
      } else if ((value & ~room_mask) == owner) {
        held += value & room_mask;
        mine = &word;
        old = value;
      }
    }
    if (held >= config_.max_rooms) return false;
    Word* const chosen = mine != nullptr ? mine : free;
    if (chosen == nullptr) return true;  // the line is full: not counted
    if (chosen->compare_exchange_strong(old, (mine != nullptr ? old : owner) + 1, relaxed)) {
      return true;
    }
  }
}

void AddressLimits::give_room(const Address& address) noexcept {
  const std::uint64_t hash = hash_of(address);
  if (hash == 0 || rooms_ == nullptr) return;
  Line& line = rooms_[hash & (config_.slots / words_in_line - 1)];
  const std::uint64_t owner = hash & ~room_mask;
  // While the line is looked through, the address's rooms can move to a word that was passed: one
  // thread makes a second word, another empties the first. So what is not there is looked for
  // again. A room that was not counted is never found; if its address has others that are, it takes
  // one of those, so that a count can be too low for a while, but never stays too high.
  for (int attempt = 0; attempt < 4; ++attempt) {
    for (Word& word : line.words) {
      std::uint64_t value = word.load(relaxed);
      while (value != 0 && (value & ~room_mask) == owner) {
        const std::uint64_t less = (value & room_mask) == 1 ? 0 : value - 1;
        if (word.compare_exchange_weak(value, less, relaxed)) return;
      }
    }
  }
}

bool AddressLimits::may_present_token(const Address& address, time_point now) const noexcept {
  return tokens_.allows(hash_of(address), now);
}

void AddressLimits::count_failed_token(const Address& address, time_point now) noexcept {
  tokens_.count(hash_of(address), now);
}

bool AddressLimits::may_create(const Address& address, time_point now) const noexcept {
  return empty_rooms_.allows(hash_of(address), now);
}

void AddressLimits::count_empty_room(const Address& address, time_point now) noexcept {
  empty_rooms_.count(hash_of(address), now);
}

bool AddressLimits::take_connection(const Address& address, time_point now) noexcept {
  const std::uint64_t hash = hash_of(address);
  if (!connections_.allows(hash, now)) return false;
  connections_.count(hash, now);
  return true;
}

AddressLimits::Rate::Rate(std::size_t lines, std::uint32_t count, duration period,
                          std::uint32_t burst)
    : lines_(count != 0 ? new Line[lines] : nullptr), line_mask_(lines - 1), burst_(burst) {
  const auto ticks = static_cast<std::uint64_t>(std::chrono::duration_cast<Ticks>(period).count());
  step_ = count != 0 ? (ticks + count - 1) / count : 0;
}

bool AddressLimits::Rate::allows(std::uint64_t hash, time_point now) const noexcept {
  if (hash == 0 || lines_ == nullptr) return true;
  const Line& line = lines_[hash & line_mask_];
  const std::uint64_t at = ticks_of(now);
  const std::uint64_t owner = owner_of(hash);
  std::uint64_t debt = 0;
  bool is_full = true;
  for (std::size_t i = 0; i < places; ++i) {
    const std::uint64_t word = line.words[i].load(relaxed);
    const std::uint64_t word_debt = debt_of(word, at);
    if (word_debt == 0) is_full = false;
    if (word >> time_bits == owner) debt += word_debt;
  }
  if (debt != 0 || !is_full) return debt + step_ <= burst_ * step_;
  const std::uint64_t shared_step = (step_ + places - 1) / places;
  return debt_of(line.words[places].load(relaxed), at) + shared_step <=
         burst_ * places * shared_step;
}

void AddressLimits::Rate::count(std::uint64_t hash, time_point now) noexcept {
  if (hash == 0 || lines_ == nullptr) return;
  Line& line = lines_[hash & line_mask_];
  const std::uint64_t at = ticks_of(now);
  const std::uint64_t owner = owner_of(hash);
  for (;;) {
    Word* chosen = nullptr;
    std::uint64_t old = 0;
    for (std::size_t i = 0; i < places; ++i) {
      const std::uint64_t word = line.words[i].load(relaxed);
      const bool is_free = debt_of(word, at) == 0;
      const bool is_mine = !is_free && word >> time_bits == owner;
      if (is_mine || (is_free && chosen == nullptr)) {
        chosen = &line.words[i];
        old = word;
      }
      if (is_mine) break;
    }
    const bool is_shared = chosen == nullptr;
    std::uint64_t step = step_;
    std::uint64_t most = burst_ * step_;
    std::uint64_t prefix = owner << time_bits;
    if (is_shared) {
      chosen = &line.words[places];
      old = chosen->load(relaxed);
      step = (step_ + places - 1) / places;
      most = burst_ * places * step;
      prefix = 0;
    }
    // Failures beyond the limit do not lengthen the wait: it would let an attacker who shares an
    // address with others keep them out for longer than the limit says.
    const std::uint64_t debt = std::min(debt_of(old, at) + step, most);
    if (chosen->compare_exchange_strong(old, prefix | ((at + debt) & time_mask), relaxed)) return;
  }
}

}  // namespace muster
