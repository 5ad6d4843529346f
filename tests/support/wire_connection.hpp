// SPDX-License-Identifier: MIT
// A transport that records what it is asked to write, and a reader that decodes it independently.
#pragma once

#include <muster/connection.hpp>
#include <muster/group.hpp>
#include <muster/outbox.hpp>
#include <muster/service.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::test {

inline constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

/// One WebSocket frame as it was found on the wire.
struct WireFrame {
  unsigned opcode = 0;
  bool masked = false;
  std::string payload;
  friend bool operator==(const WireFrame&, const WireFrame&) = default;
};

/// Decodes unfragmented frames (RFC 6455 section 5.2); shares no code with the library.
/// @return nothing if a rule is broken; what is incomplete at the end goes to `rest`
inline std::optional<std::vector<WireFrame>> decode_frames(std::string_view bytes,
                                                           std::size_t* rest = nullptr) {
  std::vector<WireFrame> frames;
  const auto at = [&bytes](std::size_t i) -> unsigned {
    return static_cast<unsigned char>(bytes[i]);
  };
  if (rest != nullptr) *rest = 0;
  while (!bytes.empty()) {
    const auto incomplete = [&]() -> std::optional<std::vector<WireFrame>> {
      if (rest == nullptr) return std::nullopt;
      *rest = bytes.size();
      return frames;
    };
    if ((at(0) & 0x70U) != 0 || (at(0) & 0x80U) == 0) return std::nullopt;
    const unsigned opcode = at(0) & 0x0fU;
    if (opcode != 1 && opcode != 2 && (opcode < 8 || opcode > 10)) return std::nullopt;
    if (bytes.size() < 2) return incomplete();
    const bool masked = (at(1) & 0x80U) != 0;
    std::uint64_t length = at(1) & 0x7fU;
    std::size_t header = 2;
    if (length >= 126) {
      const std::size_t digits = length == 126 ? 2 : 8;
      if (bytes.size() < 2 + digits) return incomplete();
      length = 0;
      for (std::size_t i = 0; i < digits; ++i) length = length * 256 + at(2 + i);
      if (length < (digits == 2 ? 126U : 65536U)) return std::nullopt;  // not the shortest form
      header += digits;
    }
    std::array<unsigned, 4> mask{};
    if (masked) {
      if (bytes.size() < header + 4) return incomplete();
      for (std::size_t i = 0; i < 4; ++i) mask[i] = at(header + i);
      header += 4;
    }
    if (bytes.size() - header < length) return incomplete();
    std::string payload{bytes.substr(header, length)};
    if (masked) {
      for (std::size_t i = 0; i < payload.size(); ++i) {
        payload[i] = static_cast<char>(static_cast<unsigned char>(payload[i]) ^ mask[i % 4]);
      }
    }
    frames.push_back({opcode, masked, std::move(payload)});
    bytes.remove_prefix(header + length);
  }
  return frames;
}

/// What a test sees and steers of a connection; it outlives the connection.
struct Wire {
  Framing framing = Framing::server;

  // What it takes.
  std::size_t room = unlimited;  ///< bytes in all before it is full (messages: see write_message)
  std::size_t per_write = unlimited;    ///< bytes per call; a shorter write means full
  std::size_t fails_after = unlimited;  ///< writes that succeed before one breaks the connection
  bool ends_when_finished = true;
  bool holds_next = false;  ///< a byte more than it says is on its way

  // What it was given.
  std::string bytes;                  ///< all but message framing
  std::vector<std::string> messages;  ///< without
  std::size_t writes = 0;
  std::vector<const std::byte*> last_pieces;  ///< where the pieces of the last write lay
  int finished = 0;
  CloseReason finish_reason = CloseReason::none;
  std::uint16_t finish_code = 0;
  std::string finish_text;
  int released = 0;

  /// The payloads of data messages, in order. A broken stream has one payload that says so.
  [[nodiscard]] std::vector<std::string> payloads() const {
    if (framing == Framing::messages) return messages;
    if (framing == Framing::none) return lines();
    std::vector<std::string> out;
    std::size_t rest = 0;
    const auto frames = decode_frames(bytes, &rest);
    if (!frames) return {"<broken framing>"};
    for (const WireFrame& frame : *frames) {
      if (frame.masked != (framing == Framing::client)) return {"<wrong mask>"};
      if (frame.opcode < 8) out.push_back(frame.payload);
    }
    return out;
  }

  /// No framing: the whole lines that are no comments.
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> out;
    std::size_t at = 0;
    for (std::size_t end = 0; (end = bytes.find('\n', at)) != std::string::npos; at = end + 1) {
      if (bytes[at] != ':') out.push_back(bytes.substr(at, end + 1 - at));
    }
    return out;
  }

  /// The payloads of control frames, in order.
  [[nodiscard]] std::vector<std::string> controls() const {
    std::vector<std::string> out;
    std::size_t rest = 0;
    for (const WireFrame& frame : decode_frames(bytes, &rest).value_or(std::vector<WireFrame>{})) {
      if (frame.opcode >= 8) out.push_back(frame.payload);
    }
    return out;
  }

  /// True if the last frame is complete.
  [[nodiscard]] bool is_whole() const {
    if (framing == Framing::none) return bytes.empty() || bytes.back() == '\n';
    return decode_frames(bytes).has_value();
  }
};

/// A service that notes what it hears, and whether it hears it when it must not.
class RecordingService : public Service {
 public:
  struct Closed {
    ConnectionId id;
    CloseReason reason;
    bool by_peer;
    std::uint16_t code;
    std::string text;
  };

  void on_open(Connection& connection, time_point) override {
    enter();
    ++opened;
    if (when_open) when_open(connection);
  }
  void on_message(Connection& connection, const Message& message, time_point) override {
    enter();
    messages.emplace_back(as_text(message.bytes));
    if (when_message) when_message(connection, message);
  }
  void on_writable(Connection& connection, time_point) override {
    enter();
    ++writable;
    if (when_writable) when_writable(connection);
  }
  void on_backlog(Connection&, time_point) override {
    enter();
    ++backlogs;
  }
  void on_overrun(Connection& connection, std::uint32_t lost, time_point now) override {
    enter();
    overruns.push_back(lost);
    if (when_overrun) {
      when_overrun(connection);
    } else {
      Service::on_overrun(connection, lost, now);
    }
  }
  void on_close(Connection& connection, const CloseInfo& info, time_point) override {
    enter();
    closed.push_back(
        {connection.id(), info.reason, info.by_peer, info.code, std::string{info.text}});
    if (when_close) when_close(connection);
  }

  /// How often a connection was closed.
  [[nodiscard]] std::ptrdiff_t closes(ConnectionId id) const {
    return std::count_if(closed.begin(), closed.end(),
                         [id](const Closed& entry) { return entry.id == id; });
  }

  int opened = 0;
  int writable = 0;
  int backlogs = 0;
  std::vector<std::uint32_t> overruns;
  std::vector<std::string> messages;
  std::vector<Closed> closed;
  bool must_be_silent = false;
  int upward_calls = 0;  ///< callbacks while it had to be silent

  std::function<void(Connection&)> when_open;
  std::function<void(Connection&, const Message&)> when_message;
  std::function<void(Connection&)> when_writable;
  std::function<void(Connection&)> when_overrun;
  std::function<void(Connection&)> when_close;

 private:
  void enter() noexcept { upward_calls += must_be_silent ? 1 : 0; }
};

class Loop;

/// The transport. It is destroyed within `release`, the earliest moment that is allowed.
class WireConnection final : public Connection {
 public:
  WireConnection(Loop& loop, Outbox& outbox, Framing framing)
      : Connection(outbox, framing), loop_(loop) {
    wire->framing = framing;
  }

  using Connection::ended;
  using Connection::is_blocked;
  using Connection::opened;
  using Connection::send_control;

  void lose() { ended(CloseReason::connection_lost, true); }

  /// Takes nothing more.
  void block() { wire->room = 0; }

  /// Takes everything again.
  void unblock(std::size_t room = unlimited) {
    wire->room = room;
    writable();
  }

  const std::shared_ptr<Wire> wire = std::make_shared<Wire>();

 private:
  std::ptrdiff_t write(std::span<const byte_view> pieces) noexcept override {
    if (breaks()) return -1;
    wire->last_pieces.clear();
    std::size_t left = std::min(wire->room, wire->per_write);
    std::size_t taken = 0;
    for (const byte_view piece : pieces) {
      wire->last_pieces.push_back(piece.data());
      const std::size_t size = std::min(left, piece.size());
      wire->bytes += as_text(piece.first(size));
      left -= size;
      taken += size;
    }
    if (wire->room != unlimited) wire->room -= taken;
    return static_cast<std::ptrdiff_t>(taken);
  }

  [[nodiscard]] bool holds_next() const noexcept override { return wire->holds_next; }

  bool write_message(Message message, Delivery::Class) noexcept override {
    if (breaks() || wire->room == 0) return false;
    if (wire->room != unlimited) {
      wire->room -= std::min(wire->room, std::max<std::size_t>(message.bytes.size(), 1));
    }
    wire->last_pieces.assign(1, message.bytes.data());
    wire->messages.emplace_back(as_text(message.bytes));
    return true;
  }

  bool breaks() noexcept {
    if (wire->writes++ < wire->fails_after) return false;
    ended(CloseReason::connection_lost, true);
    return true;
  }

  std::size_t encode_close(std::byte* out, std::uint16_t code,
                           std::string_view text) noexcept override {
    if (wire->framing == Framing::messages || wire->framing == Framing::none) return 0;
    std::string frame{"\x88"};
    const bool client = wire->framing == Framing::client;
    frame += static_cast<char>((client ? 0x80U : 0U) | (code == 0 ? 0U : 2U + text.size()));
    if (client) frame += std::string(4, '\0');
    if (code != 0) {
      frame += static_cast<char>(code >> 8U);
      frame += static_cast<char>(code & 0xffU);
      frame += text;
    }
    std::memcpy(out, frame.data(), frame.size());
    return frame.size();
  }

  std::uint32_t masking_key() noexcept override { return mask_ = mask_ * 1664525U + 1013904223U; }

  void finish(const CloseInfo& info) noexcept override {
    ++wire->finished;
    wire->finish_reason = info.reason;
    wire->finish_code = info.code;
    wire->finish_text = info.text;
    if (wire->ends_when_finished) ended(info.reason, false, info.code, info.text);
  }

  void release() noexcept override;

  Loop& loop_;
  std::uint32_t mask_ = 1;
};

/// An outbox, a service and connections, driven by hand.
class Loop {
 public:
  Loop() = default;
  explicit Loop(const Outbox::Config& config) : outbox(config) {}

  WireConnection& connect(Framing framing = Framing::server) {
    WireConnection& connection = connect_unopened(framing);
    connection.opened(service);
    return connection;
  }

  WireConnection& connect_unopened(Framing framing = Framing::server) {
    return *connections_.emplace_back(std::make_unique<WireConnection>(*this, outbox, framing));
  }

  /// The end of a pass.
  void pass(duration later = duration{0}) {
    now += later;
    outbox.run(now);
  }

  void destroy(WireConnection* connection) {
    std::erase_if(connections_, [=](const auto& owned) { return owned.get() == connection; });
  }

  RecordingService service;
  Outbox outbox;
  time_point now = time_point{} + std::chrono::hours{1};

 private:
  std::vector<std::unique_ptr<WireConnection>> connections_;
};

inline void WireConnection::release() noexcept {
  ++wire->released;
  loop_.destroy(this);
}

/// A text message.
inline Message text(std::string_view content) noexcept {
  return {as_bytes(content), MessageKind::text};
}

using Payloads = std::vector<std::string>;

}  // namespace muster::test
