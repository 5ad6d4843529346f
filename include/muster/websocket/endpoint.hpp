// SPDX-License-Identifier: MIT
// What the WebSocket sessions of one listener or one client have in common.
#pragma once

#include <muster/address.hpp>
#include <muster/deadline_wheel.hpp>
#include <muster/duration_histogram.hpp>
#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/outbox.hpp>
#include <muster/rate_limit.hpp>
#include <muster/service.hpp>
#include <muster/subnet.hpp>
#include <muster/websocket/frame_codec.hpp>
#include <muster/websocket/handshake.hpp>
#include <muster/websocket/proxy_header.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace muster {
class AddressLimits;
}

namespace muster::websocket {

class Session;
struct Opening;
struct Transit;

/// Limits and deadlines of sessions, the same for both roles unless it says otherwise.
struct Config {
  std::size_t max_message = 1024 * 1024;  ///< bytes received as one message, 125 to 1 GiB
  std::size_t max_head = 8 * 1024;        ///< bytes of an HTTP head, 512 to 64 KiB
  std::size_t max_header_fields = default_max_header_fields;  ///< of an HTTP head, 16 to 128
  std::size_t max_body = 64 * 1024;  ///< bytes of a POST's body, 0 to 1 MiB (server)

  std::size_t max_connections = 100'000;             ///< 1 to 2^30 (server)
  std::size_t max_connections_per_address = 20'000;  ///< IPv6 counts by /64; 1 to 2^30 (server)
  /// Limits the new connections of each address in a second; usually shared by all listeners of a
  /// process. Outlives the endpoint. Null: no limit (server).
  AddressLimits* limits = nullptr;
  /// The body of the 429 that tells somebody so, and its type: at most 4096 bytes, for a protocol
  /// whose clients expect a certain one (server).
  std::string refusal_body = "too many connections from this address\n";
  std::string refusal_type = "text/plain; charset=utf-8";

  /// From the connection's start to the end of the opening handshake, a late decision included.
  duration upgrade_timeout = std::chrono::seconds{10};
  /// From the upgrade to the first message; 0: none is expected (server).
  duration first_message_timeout{0};
  /// Silence after which a ping is sent; 0: never.
  duration ping_interval = std::chrono::seconds{20};
  /// For `Stats::round_trips`: pings say when they were sent, and go about as often to those who
  /// are not silent.
  bool measures_round_trips = false;
  /// Silence after which the peer is taken for dead; 0: never. The peer of a stream has nothing to
  /// say.
  duration idle_timeout = std::chrono::seconds{45};
  /// A peer that takes nothing of what waits for it for so long, and up to half as long again, is
  /// closed as too slow, with 1013; 0: never.
  duration write_timeout = std::chrono::seconds{10};
  /// The longest silence of a stream of ours: a comment line is then sent, or up to half as long
  /// before; 0: never (server).
  duration heartbeat_interval = std::chrono::seconds{30};
  /// From a close, or from an HTTP answer, to the end of the transport: time for the last words to
  /// arrive.
  duration close_timeout = std::chrono::seconds{2};

  /// Pages that may connect, compared whole with the Origin header ("https://game.example"). Empty:
  /// all. A request without that header comes from no page, and is let in (server).
  std::vector<std::string> origins{};

  /// How many proxies stand in front, 0 to 16. The peer's address is then the one that the first of
  /// them saw: the entry of X-Forwarded-For that is so many from its end. Without a valid one there
  /// it is the socket's. Only if nobody reaches the server past the proxies: entries further to the
  /// left, and all of them without a proxy, are whatever a client wrote (server).
  ///
  /// The limits of an address count these addresses, once the request was read. The socket's own
  /// address, the proxy's, has none then.
  unsigned trusted_proxy_hops = 0;

  /// A header in front of each connection, before TLS, in which a proxy says whose it is. Who that
  /// is has the limits of an address then, or, with `trusted_proxy_hops`, is the last of these. A
  /// connection without a valid header within `upgrade_timeout` ends (server).
  ProxyProtocol proxy_protocol = ProxyProtocol::none;
  /// With it, and only with it: the proxies. Nobody else may connect (server).
  std::vector<Subnet> trusted_proxies{};
};

/// What becomes of a new connection.
enum class Admission : std::uint8_t {
  admitted,  ///< it is counted, and starts
  refused,   ///< too many come from there: `Session::start_refused` tells it so
  dropped,   ///< nor is it told: to be closed at once
};

/// The most connections at once that are refused with an answer: above it, and above 100 a second,
/// they are dropped, so that a flood costs no more than its accepts.
inline constexpr std::size_t max_refusals = 64;

/// @param problem   on failure, a sentence that names the field and what is allowed
/// @error errc::invalid_config
[[nodiscard]] MUSTER_API std::error_code validate(const Config& config, std::string& problem);

/// Counters since the start.
struct Stats {
  std::uint64_t connections = 0;          ///< begun
  std::uint64_t refused_connections = 0;  ///< by caps, rates and `trusted_proxies`, told or not
  std::uint64_t upgrades = 0;             ///< handshakes completed
  std::uint64_t requests = 0;             ///< plain HTTP requests answered
  std::uint64_t streams = 0;              ///< those of them that were answered with a stream
  std::uint64_t bad_requests = 0;  ///< heads that were malformed, too large, or no valid upgrade
  std::uint64_t origins_refused = 0;
  std::uint64_t arrivals = 0;         ///< taken over from another loop
  std::uint64_t departures = 0;       ///< given to another loop
  std::uint64_t messages = 0;         ///< received, whole
  std::uint64_t bytes = 0;            ///< received
  std::uint64_t pings = 0;            ///< sent
  DurationHistogram round_trips{};    ///< from a ping to its pong, if they are measured
  std::uint64_t heartbeats = 0;       ///< comment lines sent on streams
  std::uint64_t protocol_errors = 0;  ///< connections failed for what RFC 6455 forbids
  std::uint64_t oversized = 0;        ///< connections failed for a message above the limit
  /// Connections failed for what their bytes came wrapped in (TLS, its handshake included; a PROXY
  /// header).
  std::uint64_t transport_errors = 0;
  std::uint64_t upgrade_timeouts = 0;
  std::uint64_t first_message_timeouts = 0;
  std::uint64_t idle_timeouts = 0;
  std::uint64_t write_timeouts = 0;  ///< peers that took nothing
  std::uint64_t close_timeouts = 0;  ///< peers that did not answer a close
};

/// The shared half of a WebSocket server or client, without I/O.
///
/// A driver makes a `Session` per socket, feeds it what the socket yields, and calls `advance` when
/// `next_deadline` has come.
/// @threads one loop per endpoint
class MUSTER_API Endpoint {
 public:
  /// @param config   valid
  /// @param service  answers requests (server); a client's sessions name their own
  Endpoint(const Config& config, Outbox& outbox, Entropy& entropy, Service* service,
           time_point now);
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  /// Every session must be gone.
  ~Endpoint();

  /// Counts one more connection from there, if it is within the caps and the rate. Too many in all,
  /// and who is no proxy where one is expected, are dropped, too many of one address refused.
  [[nodiscard]] Admission admit(const Address& remote, time_point now);

  /// Counts one that arrives from another loop. False: it is above the caps, and to be closed.
  [[nodiscard]] bool admit_arrival(const Address& remote);

  /// Carries out the deadlines that have come.
  void advance(time_point now);
  [[nodiscard]] time_point next_deadline() const noexcept;

  /// Closes every session that is still open, with 1001. Requests that have no answer yet get a
  /// 503, and clients that are not connected yet give up.
  void close_all();

  /// Ends every session at once: the driver goes away. The services hear of it with the next
  /// dispatch.
  void abandon_all();

  [[nodiscard]] std::size_t session_count() const noexcept { return session_count_; }

  /// Sessions that hold memory for an unfinished handshake.
  [[nodiscard]] std::size_t opening_count() const noexcept { return openings_.size(); }

  /// Addresses that have a connection.
  [[nodiscard]] std::size_t address_count() const noexcept { return per_address_.size(); }

  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }

  /// Opening handshakes since the start that got another answer than 101, by its status; by
  /// services too. What is no valid request counts, for nobody knows what it was to be.
  [[nodiscard]] const std::map<unsigned, std::uint64_t>& handshakes_refused() const noexcept {
    return handshakes_refused_;
  }
  [[nodiscard]] const Config& config() const noexcept { return config_; }
  [[nodiscard]] Outbox& outbox() const noexcept { return *outbox_; }

  /// A word for the driver that moves the bytes.
  template <class T>
  [[nodiscard]] T* context() const noexcept {
    return static_cast<T*>(context_);
  }
  void set_context(void* context) noexcept { context_ = context; }

 private:
  friend class Session;

  struct NodeAt {
    const Outbox* outbox;
    DeadlineNode& operator()(std::uint32_t index) const noexcept;
  };

  // Sessions learn the time from the calls that bring it. What happens outside of one, such as a
  // close by a timer of the application, takes its time from the next `advance`.
  class Call {
   public:
    Call(Endpoint& endpoint, time_point now) noexcept
        : endpoint_(endpoint), outer_(std::exchange(endpoint.now_, now)) {}
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call() { endpoint_.now_ = outer_; }

   private:
    Endpoint& endpoint_;
    time_point outer_;  // a service may dial within a call
  };

  // What a session keeps while it is a stream.
  struct Stream {
    std::uint64_t written = ~std::uint64_t{0};  // at the last look: something, by the first
    std::uint64_t ignored = 0;                  // bytes that the peer sent after its request
    time_point progress;  // the last look that found more written than the one before
  };

  // What a session keeps after its transport was full. It stays for half a write timeout at least,
  // so that a peer who is slow again and again costs no memory for each message.
  struct Stall {
    std::uint64_t delivered = 0;          // at the last look
    time_point progress;                  // the last look that found more than the one before
    bool was_clear = true;                // at the last look nothing waited
    time_point look = time_point::min();  // when the next is due
  };

  [[nodiscard]] const Limits& limits_for(std::size_t bytes) const noexcept;
  [[nodiscard]] bool is_full() const noexcept;
  [[nodiscard]] bool is_trusted(const Address& remote) const noexcept;
  [[nodiscard]] bool is_proxy(const Address& remote) const noexcept;
  [[nodiscard]] bool may_tell_refused(time_point now) noexcept;
  [[nodiscard]] bool take_place(const Address& remote, time_point now);
  [[nodiscard]] bool take_place_instead(const Address& proxy, const Address& other, bool is_limited,
                                        time_point now);
  [[nodiscard]] bool refuse(std::uint32_t index, const Address& remote, time_point now);
  void leave(const Address& remote) noexcept;

  Config config_;
  Outbox* outbox_;
  Entropy* entropy_;
  Service* service_;
  void* context_ = nullptr;
  Stats stats_;
  std::map<unsigned, std::uint64_t> handshakes_refused_;
  DeadlineWheel<NodeAt> wheel_;
  time_point now_ = no_deadline;  // during a call that knows the time; else no_deadline
  std::size_t session_count_ = 0;
  std::unordered_map<std::string, std::uint32_t> per_address_;  // only those with a connection
  std::unordered_map<std::uint32_t, std::unique_ptr<Opening>> openings_;  // by connection index
  std::unordered_map<std::uint32_t, std::unique_ptr<Transit>> transits_;  // those about to leave
  std::unordered_map<std::uint32_t, Stream> streams_;                     // by connection index
  std::unordered_map<std::uint32_t, Stall> stalls_;                       // by connection index
  std::unordered_set<std::uint32_t> refused_;  // those that get an answer, and count nowhere else
  RateMeter refusals_;
  time_point started_;                   // the times in pings count from here
  ConnectionId deciding_;                // whose upgrade request the service is looking at
  AcceptValue deciding_accept_;          // what answers that request's key
  const Session* announcing_ = nullptr;  // a client's session whose service hears `on_open`
  std::string chosen_;                   // the subprotocol that its server chose
  std::array<Limits, 31> limits_;        // by the power of two that a message may have
};

}  // namespace muster::websocket
