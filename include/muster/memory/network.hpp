// SPDX-License-Identifier: MIT
// Connections without sockets, in virtual time: for tests of everything above the transport.
#pragma once

#include <muster/export.hpp>
#include <muster/outbox.hpp>
#include <muster/request.hpp>
#include <muster/service.hpp>
#include <muster/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace muster::memory {

/// How one direction of a link behaves.
struct Link {
  duration latency{0};                 ///< one way, 0 or more
  duration jitter{0};                  ///< up to this much more, at random; order is kept
  std::uint64_t bytes_per_second = 0;  ///< 0: unlimited
  std::size_t window = 1024 * 1024;  ///< bytes under way before the sender is told to wait, from 1
  double loss = 0;                   ///< share of volatile messages that get lost, 0 to 1
};

/// A loop whose connections are in memory and whose clock is moved by hand.
///
/// Both ends of a connection live on its one outbox. Everything is deterministic: the same calls
/// and the same seed give the same order of events.
///
///     memory::Network network{seed};
///     Connection& player = network.connect(client_service, room_service);
///     network.run_for(5s);
///
/// @threads one thread per network
class MUSTER_API Network {
 public:
  explicit Network(std::uint64_t seed = 1);
  Network(std::uint64_t seed, const Outbox::Config& config);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  /// Ends every connection without telling the services.
  ~Network();

  [[nodiscard]] Outbox& outbox() noexcept;
  [[nodiscard]] time_point now() const noexcept;

  /// Lets a service's `advance` run when it is due. The service must outlive the network, or be
  /// removed.
  void add(Service& service);
  void remove(Service& service) noexcept;

  /// Opens a connection from `client` to `server`. The server's `on_upgrade` decides, a latency
  /// later. If it refuses, the client's `on_close` has the status as its code and the body as its
  /// text.
  /// @return the client's end; not open before the server accepted
  Connection& connect(Service& client, Service& server, const Request& request = {},
                      const Link& link = {});

  /// Asks for a stream: the server's `on_request` decides. If it accepts one, the client gets its
  /// messages one by one, and what the client sends is ignored. If it does not, that is told as
  /// `connect` does.
  /// @return the client's end; not open before the server accepted
  Connection& open_stream(Service& client, Service& server, const Request& request = {},
                          const Link& link = {});

  /// A plain request, answered at once or after some steps.
  struct Answer {
    unsigned status = 0;  ///< 0: not answered yet
    std::string body;     ///< of a stream: all that was sent so far
    std::string content_type;
  };
  std::shared_ptr<const Answer> request(Service& server, const Request& request);

  /// The other end of a connection, or null if it is gone.
  [[nodiscard]] Connection* peer_of(const Connection& end) noexcept;

  /// Ends a connection as a cut cable does: both ends are lost, what is under way never arrives.
  void cut(Connection& end) noexcept;

  /// Stops or resumes the arrival of messages at one end, as a peer that does not read.
  void stall(Connection& end, bool stalled) noexcept;

  /// The n-th write from now on fails, and its connection with it. 0: none.
  void fail_write(std::uint64_t n) noexcept;
  [[nodiscard]] std::uint64_t writes() const noexcept;

  /// Moves time to the next event and handles all that is due then. False: nothing is left to
  /// happen.
  bool step();

  /// Steps until time has moved by `span`; time then stands exactly there.
  void run_for(duration span);

  /// Steps until nothing is under way and nothing is queued, without moving time beyond that.
  /// Deadlines of services are not waited for.
  /// @return false after `max_steps` (a livelock, in a test)
  bool run_until_quiet(std::size_t max_steps = 100'000);

 private:
  class End;
  struct World;
  End& join(Service& client, Service& server, const Request& request, const Link& link);

  std::unique_ptr<World> world_;
};

}  // namespace muster::memory
