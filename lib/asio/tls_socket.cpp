// SPDX-License-Identifier: MIT
// The way of bytes between a socket, its TLS engine and its session.
#include "tls_socket.hpp"

#include "handover_state.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

namespace muster::asio {

namespace {

// The most plain bytes in one record (RFC 8446 section 5.1).
constexpr std::size_t record_size = 16 * 1024;

// Plain bytes that are encrypted before the socket is asked to take them.
constexpr std::size_t batch_size = 64 * 1024;

// A batch in records of one byte each is more than this, but nobody sends that. What the engine
// says by itself is little, unless the peer makes it answer and never reads.
constexpr std::size_t max_output = 4 * batch_size;

}  // namespace

bool TlsSocket::start_transport() {
  arrived({});
  return false;
}

// The session goes on elsewhere: what it has not been given goes along, encrypted as it came.
void TlsSocket::pack(Parcel& parcel) noexcept { parcel.tls() = std::move(tls_); }

void TlsSocket::unpack(Parcel& parcel) noexcept {
  TlsState& state = parcel.tls();
  if (state.engine == nullptr) state.engine = std::move(tls_.engine);  // made with it already
  tls_ = std::move(state);
}

void TlsSocket::resume() {
  if (std::exchange(tls_.keeps_back, false)) arrived({});
}

// Calls the session, and whatever it calls.
void TlsSocket::arrived(mutable_byte_view bytes) {
  Loop::Impl& loop = *owner().loop;
  if (awaits_proxy_header()) {
    bytes = take_proxy_header(bytes, loop.now);
    if (bytes.empty()) return;
  }
  std::vector<std::byte> kept;
  byte_view input = bytes;
  if (!tls_.unread.empty()) {
    kept = std::exchange(tls_.unread, {});
    kept.insert(kept.end(), bytes.begin(), bytes.end());
    input = kept;
  }
  TlsEngine::Read read{.state = TlsEngine::State::has_more};
  while (read.state == TlsEngine::State::has_more && !has_ended() && !is_moving()) {
    read = tls_.engine->read(input, loop.plain);
    if (!tls_.is_secured && tls_.engine->may_write()) {
      tls_.is_secured = true;
      if (Connector* const connector = owner().connector) connector->secured(*this, loop.now);
    }
    if (read.size != 0) receive(mutable_byte_view{loop.plain}.first(read.size), loop.now);
  }
  if (!send_output() || has_ended()) return;
  if (is_moving()) {  // how it ended is found out again there
    tls_.unread.assign(input.begin(), input.end());
    tls_.keeps_back = true;
    return;
  }
  if (tls_.engine->output().empty() && tls_.engine->may_write()) writable();
  if (read.state == TlsEngine::State::failed) {
    broke(tls_.engine->problem());
  } else if (read.state == TlsEngine::State::ended) {
    receive_end(loop.now);
  } else if (tls_.engine->output().size() > max_output) {
    broke("TLS: the peer reads no answers");
  }
}

void TlsSocket::peer_ended() {
  // With or without a close_notify: messages say where they end. Who ends it before TLS looked
  // whether we are there.
  if (tls_.is_secured || awaits_proxy_header()) {
    receive_end(owner().loop->now);
  } else {
    broke("the peer ended the connection during the TLS handshake");
  }
}

// False: the socket broke.
bool TlsSocket::send_output() noexcept {
  while (!tls_.engine->output().empty()) {
    const byte_view output = tls_.engine->output();
    const std::ptrdiff_t sent = Socket::write({&output, 1});
    if (sent < 0) return false;
    tls_.engine->sent(static_cast<std::size_t>(sent));
    tls_.sent += static_cast<std::uint64_t>(sent);
    if (static_cast<std::size_t>(sent) < output.size()) break;  // it tells when there is room
  }
  return true;
}

// The last byte of a batch counts as taken only when the socket has taken the whole batch. Until
// then its message has begun (`holds_next`) but is not written, so that the session neither ends
// nor lets a FIN overtake it; and of what it has queued, at most one batch is not in its backlog.
std::ptrdiff_t TlsSocket::write(std::span<const byte_view> pieces) noexcept {
  std::size_t taken = 0;
  for (;;) {
    if (!send_output()) return -1;
    if (!tls_.engine->output().empty() || !tls_.engine->may_write()) break;
    if (std::exchange(tls_.holds_back, false)) ++taken;
    const std::size_t count = encrypt(pieces, taken);
    if (has_ended()) return -1;
    if (count == 0) break;
    taken += count - 1;
    tls_.holds_back = true;
  }
  return static_cast<std::ptrdiff_t>(taken);
}

// Encrypts up to a batch of what follows the first `skip` bytes. Small pieces share a record.
std::size_t TlsSocket::encrypt(std::span<const byte_view> pieces, std::size_t skip) noexcept {
  std::array<std::byte, record_size> record;
  std::size_t used = 0;
  std::size_t total = 0;
  bool good = true;
  for (byte_view piece : pieces) {
    const std::size_t skipped = std::min(skip, piece.size());
    skip -= skipped;
    piece = piece.subspan(skipped);
    piece = piece.first(std::min(piece.size(), batch_size - total));
    total += piece.size();
    while (good && !piece.empty()) {
      if (used == 0 && (piece.size() >= record_size || pieces.size() == 1)) {
        const std::size_t whole =
            pieces.size() == 1 ? piece.size() : piece.size() / record_size * record_size;
        good = tls_.engine->write(piece.first(whole));
        piece = piece.subspan(whole);
        continue;
      }
      const std::size_t count = std::min(piece.size(), record_size - used);
      std::memcpy(record.data() + used, piece.data(), count);
      used += count;
      piece = piece.subspan(count);
      if (used == record_size) good = tls_.engine->write({record.data(), std::exchange(used, 0)});
    }
  }
  if (used != 0) good = good && tls_.engine->write({record.data(), used});
  if (!good) broke(tls_.engine->problem());
  return total;
}

// The socket takes bytes again.
void TlsSocket::has_room() noexcept {
  if (!send_output() || !tls_.engine->output().empty()) return;
  if (tls_.is_ending) {
    Socket::half_close();
  } else {
    writable();
  }
}

void TlsSocket::half_close() noexcept {
  tls_.engine->finish();
  if (!send_output()) return;
  if (tls_.engine->output().empty()) {
    Socket::half_close();
  } else {
    tls_.is_ending = true;
  }
}

void TlsSocket::destroy() noexcept {
  if (fd() >= 0) {
    tls_.engine->finish();
    send_output();  // what does not fit into the socket now is lost
  }
  Socket::destroy();
}

}  // namespace muster::asio
