// SPDX-License-Identifier: MIT
// The way of bytes between a socket, its TLS engine and its session.
#include "tls_socket.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

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

// Calls the session, and whatever it calls.
void TlsSocket::arrived(mutable_byte_view bytes) {
  Loop::Impl& loop = *owner().loop;
  byte_view input = bytes;
  TlsEngine::Read read;
  do {
    read = engine_->read(input, loop.plain);
    if (!is_secured_ && engine_->may_write()) {
      is_secured_ = true;
      if (Connector* const connector = owner().connector) connector->secured(*this, loop.now);
    }
    if (read.size != 0) receive(mutable_byte_view{loop.plain}.first(read.size), loop.now);
  } while (read.state == TlsEngine::State::has_more && !has_ended());
  if (!send_output() || has_ended()) return;
  if (engine_->output().empty() && engine_->may_write()) writable();
  if (read.state == TlsEngine::State::failed) {
    broke(engine_->problem());
  } else if (read.state == TlsEngine::State::ended) {
    receive_end(loop.now);
  } else if (engine_->output().size() > max_output) {
    broke("TLS: the peer reads no answers");
  }
}

void TlsSocket::peer_ended() {
  if (is_secured_) {
    receive_end(owner().loop->now);  // with or without a close_notify: messages say where they end
  } else {
    broke("the peer ended the connection during the TLS handshake");
  }
}

// False: the socket broke.
bool TlsSocket::send_output() noexcept {
  while (!engine_->output().empty()) {
    const byte_view output = engine_->output();
    const std::ptrdiff_t sent = Socket::write({&output, 1});
    if (sent < 0) return false;
    engine_->sent(static_cast<std::size_t>(sent));
    if (static_cast<std::size_t>(sent) < output.size()) break;  // it tells when there is room
  }
  return true;
}

// The last byte of a batch counts as taken only when the socket has taken the whole batch. Until
// then its message has begun but is not written, so that the session neither ends nor lets a FIN
// overtake it; and of what it has queued, at most one batch is not in its backlog.
std::ptrdiff_t TlsSocket::write(std::span<const byte_view> pieces) noexcept {
  std::size_t taken = 0;
  for (;;) {
    if (!send_output()) return -1;
    if (!engine_->output().empty() || !engine_->may_write()) break;
    if (std::exchange(holds_back_, false)) ++taken;
    const std::size_t count = encrypt(pieces, taken);
    if (has_ended()) return -1;
    if (count == 0) break;
    taken += count - 1;
    holds_back_ = true;
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
        good = engine_->write(piece.first(whole));
        piece = piece.subspan(whole);
        continue;
      }
      const std::size_t count = std::min(piece.size(), record_size - used);
      std::memcpy(record.data() + used, piece.data(), count);
      used += count;
      piece = piece.subspan(count);
      if (used == record_size) good = engine_->write({record.data(), std::exchange(used, 0)});
    }
  }
  if (used != 0) good = good && engine_->write({record.data(), used});
  if (!good) broke(engine_->problem());
  return total;
}

// The socket takes bytes again.
void TlsSocket::has_room() noexcept {
  if (!send_output() || !engine_->output().empty()) return;
  if (is_ending_) {
    Socket::half_close();
  } else {
    writable();
  }
}

void TlsSocket::half_close() noexcept {
  engine_->finish();
  if (!send_output()) return;
  if (engine_->output().empty()) {
    Socket::half_close();
  } else {
    is_ending_ = true;
  }
}

void TlsSocket::destroy() noexcept {
  if (fd() >= 0) {
    engine_->finish();
    send_output();  // what does not fit into the socket now is lost
  }
  Socket::destroy();
}

}  // namespace muster::asio
