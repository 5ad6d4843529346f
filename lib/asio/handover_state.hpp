// SPDX-License-Identifier: MIT
// What crosses between the loops' servers, and where it lands.
#pragma once

#include "mailbox_state.hpp"
#include "tls_engine.hpp"

#include <muster/asio/handover.hpp>
#include <muster/connection.hpp>
#include <muster/websocket/transit.hpp>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace muster::asio {

/// A connection between two loops. Closes its socket if it gets nowhere.
class Parcel {
 public:
  Parcel(int fd, std::unique_ptr<websocket::Transit> transit) noexcept
      : fd_(fd), transit_(std::move(transit)) {}
  Parcel(Parcel&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        transit_(std::move(other.transit_)),
        tls_(std::move(other.tls_)) {}
  Parcel& operator=(Parcel&&) = delete;
  ~Parcel();

  [[nodiscard]] int release_fd() noexcept { return std::exchange(fd_, -1); }
  [[nodiscard]] std::unique_ptr<websocket::Transit>& transit() noexcept { return transit_; }

  /// Without an engine: the connection has no TLS.
  [[nodiscard]] TlsState& tls() noexcept { return tls_; }

 private:
  int fd_;
  std::unique_ptr<websocket::Transit> transit_;
  TlsState tls_;
};

/// A server that takes connections over.
class Adopter {
 public:
  virtual void adopt(Parcel parcel) = 0;

 protected:
  ~Adopter() = default;
};

/// One loop's end of a handover: where connections for its server land.
class Berth : public std::enable_shared_from_this<Berth> {
 public:
  explicit Berth(std::shared_ptr<Mailbox::State> mailbox) noexcept : mailbox_(std::move(mailbox)) {}

  // From any thread.

  /// Keeps a place in the mailbox.
  [[nodiscard]] MoveStatus reserve() noexcept;
  void give_up() noexcept;

  /// Uses the place up. False: the server is gone, and the parcel is as it was.
  [[nodiscard]] bool land(Parcel& parcel);

  // The loop's thread only.

  void open(Adopter& server) noexcept;

  /// Nobody new may come; `is_quiet` once those have come who had a place.
  void close() noexcept;
  [[nodiscard]] bool is_quiet() const noexcept;

  /// The server goes: gives it at once those who are still in the mailbox.
  void abandon();

  [[nodiscard]] bool is_of(const Mailbox::State& mailbox) const noexcept {
    return mailbox_.get() == &mailbox;
  }

 private:
  class Landing;

  std::shared_ptr<Mailbox::State> mailbox_;
  Adopter* server_ = nullptr;  // the loop's thread only

  // Under the mailbox's lock.
  std::size_t expected_ = 0;  // places kept, and parcels in the mailbox
  bool is_open_ = false;
  bool has_server_ = false;
};

struct MUSTER_LOCAL Handover::State {
  std::vector<std::shared_ptr<Berth>> berths;  // by the number of the loop
};

}  // namespace muster::asio
