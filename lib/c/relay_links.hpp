// SPDX-License-Identifier: MIT
// The connections of the relay in C, and who of them has something to tell.
#pragma once

#include <muster/c/relay.h>
#include <muster/address.hpp>
#include <muster/time.hpp>
#include <muster/websocket/endpoint.hpp>

#include "handle.hpp"
#include "relay_link.hpp"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <unordered_map>

namespace muster::c {

class Links {
 public:
  /// @param clock           knows what time it is
  /// @param close_timeout   how long last words may wait for their socket
  Links(const Handle& clock, duration close_timeout) noexcept
      : clock_(&clock), close_timeout_(close_timeout) {}

  /// @param start   called with the connection, before anybody can find it
  template <class Start>
  [[nodiscard]] std::uint64_t add(websocket::Endpoint& endpoint, const Address& remote,
                                  Start start) {
    Link& link = links_.emplace_back(*this, endpoint, remote);
    link.self = std::prev(links_.end());
    start(link);
    by_number_.emplace(link.number, &link);
    return link.number;
  }

  /// Null: there is none, or its end was told.
  [[nodiscard]] Link* find(std::uint64_t number) const noexcept;
  [[nodiscard]] std::size_t count() const noexcept { return by_number_.size(); }

  /// Takes the next thing that one has to tell.
  /// @return whether there was one
  bool poll(muster_relay_event& event) noexcept;

  /// Gives up last words whose time is over.
  void advance() noexcept;
  [[nodiscard]] time_point next_deadline() const noexcept {
    return lingering_.empty() ? no_deadline : lingering_.front().linger_until;
  }

  // By a connection itself: it has something to tell; it is over, but for last words; these are
  // taken.
  void list(Link& link) noexcept;
  void linger(Link& link) noexcept;
  void settle(Link& link) noexcept;

 private:
  void unlist_first() noexcept;

  const Handle* clock_;
  duration close_timeout_;
  std::list<Link> links_;      // also those whose end is still to be told
  std::list<Link> lingering_;  // the one that gives up first in front
  std::unordered_map<std::uint64_t, Link*> by_number_;
  Link* first_ = nullptr;
  Link* last_ = nullptr;
};

}  // namespace muster::c
