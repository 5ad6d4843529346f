// SPDX-License-Identifier: MIT
// From a peer's address to its session: a flat table that strangers cannot crowd.
#pragma once

#include <muster/address.hpp>
#include <muster/bytes.hpp>
#include <muster/sip_hash.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace muster::soe {

/// What a multiplexer needs to know of its addresses. Specialize it for your own.
template <class Remote>
struct AddressTraits;

template <>
struct AddressTraits<Address> {
  [[nodiscard]] static std::uint64_t hash(const SipKey& key, const Address& address) noexcept {
    std::array<std::byte, 18> bytes{};
    std::memcpy(bytes.data(), address.ip.data(), 16);
    std::memcpy(bytes.data() + 16, &address.port, 2);
    return sip_hash(key, bytes);
  }

  /// Of what limits count as one peer: without the port, and of an IPv6 address the /64.
  [[nodiscard]] static std::uint64_t host_hash(const SipKey& key, const Address& address) noexcept {
    return hash(key, address.network());
  }

  /// Whether two addresses differ in the port alone, if at all.
  [[nodiscard]] static bool is_same_host(const Address& a, const Address& b) noexcept {
    return a.ip == b.ip;
  }
};

/// An open-addressing hash table from addresses to numbers, with linear probing and deletion
/// without gravestones. The addresses themselves are kept by its user, by number.
/// @threads distinct objects: safe; shared objects: unsafe
template <class Remote>
class AddressTable {
 public:
  static constexpr std::uint32_t none = 0xffffffff;

  explicit AddressTable(const SipKey& key) : key_(key), entries_(16) {}

  /// @param addresses   by number
  [[nodiscard]] std::uint32_t find(const Remote& remote,
                                   std::span<const Remote> addresses) const noexcept {
    const std::size_t at = locate(remote, addresses);
    return at == npos ? none : entries_[at].number;
  }

  /// Adds an address that is not there.
  void insert(const Remote& remote, std::uint32_t number) {
    if ((size_ + 1) * 4 > entries_.size() * 3) grow();
    place({AddressTraits<Remote>::hash(key_, remote), number});
    ++size_;
  }

  /// Lets an address that is there lead elsewhere.
  void replace(const Remote& remote, std::uint32_t number,
               std::span<const Remote> addresses) noexcept {
    const std::size_t at = locate(remote, addresses);
    if (at != npos) entries_[at].number = number;
  }

  void erase(const Remote& remote, std::span<const Remote> addresses) noexcept {
    std::size_t hole = locate(remote, addresses);
    if (hole == npos) return;
    const std::size_t mask = entries_.size() - 1;
    // Whatever follows and would not be found any more moves up.
    for (std::size_t at = (hole + 1) & mask; entries_[at].number != none; at = (at + 1) & mask) {
      const std::size_t home = entries_[at].hash & mask;
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        entries_[hole] = entries_[at];
        hole = at;
      }
    }
    entries_[hole].number = none;
    --size_;
  }

  [[nodiscard]] const SipKey& key() const noexcept { return key_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  struct Entry {
    std::uint64_t hash = 0;
    std::uint32_t number = none;
  };
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);

  [[nodiscard]] std::size_t locate(const Remote& remote,
                                   std::span<const Remote> addresses) const noexcept {
    const std::uint64_t hash = AddressTraits<Remote>::hash(key_, remote);
    const std::size_t mask = entries_.size() - 1;
    for (std::size_t at = hash & mask; entries_[at].number != none; at = (at + 1) & mask) {
      if (entries_[at].hash == hash && addresses[entries_[at].number] == remote) return at;
    }
    return npos;
  }

  void place(const Entry& entry) noexcept {
    const std::size_t mask = entries_.size() - 1;
    std::size_t at = entry.hash & mask;
    while (entries_[at].number != none) at = (at + 1) & mask;
    entries_[at] = entry;
  }

  void grow() {
    std::vector<Entry> old(entries_.size() * 2);
    old.swap(entries_);
    for (const Entry& entry : old) {
      if (entry.number != none) place(entry);
    }
  }

  SipKey key_;
  std::vector<Entry> entries_;  // a power of two
  std::size_t size_ = 0;
};

}  // namespace muster::soe
