// SPDX-License-Identifier: MIT
// A connection of the relay in C.
#pragma once

#include <muster/address.hpp>
#include <muster/bytes.hpp>
#include <muster/time.hpp>
#include <muster/websocket/session.hpp>

#include "handle.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <vector>

namespace muster::c {

class Links;

/// A WebSocket session whose bytes the application moves. It says what it has to tell by being on
/// the list of `Links`, which takes no memory: a flush must not fail.
class Link final : public websocket::Session {
 public:
  Link(Links& links, websocket::Endpoint& endpoint, const Address& remote)
      : Session(endpoint, Framing::server, remote), links_(&links) {}

  [[nodiscard]] byte_view output() const noexcept { return byte_view{output_}.subspan(head_); }
  void take(std::size_t size) noexcept;
  void drop_output() noexcept { take(output().size()); }
  void lose() noexcept {
    if (!is_over_) broke();
    drop_output();
  }

  /// The next thing to tell: the number of an event, or 0.
  [[nodiscard]] int next_signal() noexcept;

  const std::uint64_t number = number_of(id());  // also when the session is over

  // Of `Links`.
  std::list<Link>::iterator self;
  time_point linger_until{};  // when it is over
  Link* next = nullptr;       // on the list of those with something to tell
  bool is_listed = false;

 private:
  std::ptrdiff_t write(std::span<const byte_view> pieces) noexcept override;
  [[nodiscard]] std::uint64_t delivered() const noexcept override { return taken_; }
  void half_close() noexcept override;
  void destroy() noexcept override;
  void tell(bool& what) noexcept;

  Links* links_;
  std::vector<std::byte> output_;
  std::size_t head_ = 0;     // bytes of it that were taken
  std::uint64_t taken_ = 0;  // bytes, since the start
  bool is_finishing_ = false;
  bool has_output_ = false;   // to be told
  bool is_finished_ = false;  // to be told
  bool is_over_ = false;      // to be told when the output is taken
};

}  // namespace muster::c
