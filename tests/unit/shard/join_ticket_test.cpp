// SPDX-License-Identifier: MIT
#include <muster/shard/join_ticket.hpp>

#include <muster/asio/hmac_sha256.hpp>
#include <muster/entropy.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;
using std::chrono::sys_seconds;

namespace {

constexpr sys_seconds now{1'700'000'000s};
constexpr std::string_view base64url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

TicketSigner::Key key_of(std::uint64_t seed) {
  TicketSigner::Key key;
  SeededEntropy{seed}.fill(key);
  return key;
}

struct Signed {
  asio::HmacSha256 mac;
  TicketSigner signer{mac, key_of(1)};
  JoinTicket ticket{.shard = "match_6553f100_1",
                    .sid = "alice",
                    .expires = now + 15s,
                    .nonce = 0x0123456789abcdef};
  std::string text = signer.sign(ticket).value();
};

}  // namespace

TEST_CASE("join ticket: what is signed is accepted until the second it expires", "[shard]") {
  Signed t;
  for (const auto at : {now - 1h, now, now + 14s}) {
    const CheckedTicket checked = t.signer.check(t.text, t.ticket.shard, at);
    CHECK(checked.verdict == TicketVerdict::valid);
    CHECK(checked);
    CHECK(checked.ticket == t.ticket);
  }
  for (const auto at : {now + 15s, now + 24h}) {
    const CheckedTicket checked = t.signer.check(t.text, t.ticket.shard, at);
    CHECK(checked.verdict == TicketVerdict::expired);
    CHECK_FALSE(checked);
  }
}

TEST_CASE("join ticket: one for another shard is known as such, also when it has expired",
          "[shard]") {
  Signed t;
  CHECK(t.signer.check(t.text, "match_6553f100_2", now).verdict == TicketVerdict::elsewhere);
  CHECK(t.signer.check(t.text, "match_6553f100_10", now).verdict == TicketVerdict::elsewhere);
  CHECK(t.signer.check(t.text, "", now + 1h).verdict == TicketVerdict::elsewhere);
}

TEST_CASE("join ticket: the tag is HMAC-SHA-256 of what the ticket says, and of its purpose",
          "[shard]") {
  // Put together and signed by code that is not ours: Python's hmac and base64.
  //   body = struct.pack(">qQB4sB5s", 1700000015, 7, 4, b"ab_1", 5, b"alice")
  //   base64.urlsafe_b64encode(body + hmac.digest(bytes(range(32)), b"muster join ticket 1" + body,
  //                                               "sha256")).rstrip(b"=")
  TicketSigner::Key key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(i);
  asio::HmacSha256 mac;
  const TicketSigner signer{mac, key};
  const JoinTicket ticket{.shard = "ab_1", .sid = "alice", .expires = now + 15s, .nonce = 7};
  const std::string expected =
      "AAAAAGVT8Q8AAAAAAAAABwRhYl8xBWFsaWNl5225NFnXk_DPSjo9c1MGs5N7FHWSB7CbeztAaOS0Tf4";
  CHECK(signer.sign(ticket).value() == expected);
  CHECK(signer.check(expected, "ab_1", now).ticket == ticket);
}

TEST_CASE("join ticket: the text needs no encoding in a subprotocol or a header", "[shard]") {
  Signed t;
  SeededEntropy entropy{7};
  for (std::size_t size = 1; size <= 128; ++size) {
    t.ticket.sid.assign(size, 'x');
    t.ticket.shard.assign(129 - size, 'y');
    t.ticket.nonce = entropy.next_u64();
    const std::string text = t.signer.sign(t.ticket).value();
    CHECK(text.find_first_not_of(base64url) == std::string::npos);
    CHECK(t.signer.check(text, t.ticket.shard, now).ticket == t.ticket);
  }
  t.ticket.sid.assign(128, 'x');
  t.ticket.shard.assign(128, 'y');
  CHECK(t.signer.sign(t.ticket)->size() == TicketSigner::max_text_size);
}

TEST_CASE("join ticket: a text of which one character is another is bad", "[shard]") {
  Signed t;
  for (std::size_t i = 0; i < t.text.size(); ++i) {
    for (const char c : base64url) {
      if (c == t.text[i]) continue;
      std::string damaged = t.text;
      damaged[i] = c;
      const CheckedTicket checked = t.signer.check(damaged, t.ticket.shard, now);
      REQUIRE(checked.verdict == TicketVerdict::bad);
      REQUIRE(checked.ticket == JoinTicket{});
    }
  }
}

TEST_CASE("join ticket: a text that is cut, longer or no base64url is bad", "[shard]") {
  Signed t;
  for (std::size_t size = 0; size < t.text.size(); ++size) {
    CHECK(t.signer.check(t.text.substr(0, size), t.ticket.shard, now).verdict ==
          TicketVerdict::bad);
  }
  for (int c = 0; c < 256; ++c) {
    CHECK_FALSE(t.signer.check(t.text + static_cast<char>(c), t.ticket.shard, now));
    CHECK_FALSE(t.signer.check(static_cast<char>(c) + t.text, t.ticket.shard, now));
    std::string damaged = t.text;
    damaged[20] = static_cast<char>(c);
    CHECK(t.signer.check(damaged, t.ticket.shard, now).operator bool() == (damaged == t.text));
  }
  CHECK_FALSE(t.signer.check("Bearer " + t.text, t.ticket.shard, now));
  CHECK_FALSE(t.signer.check(t.text + "=", t.ticket.shard, now));
  CHECK_FALSE(t.signer.check(std::string(1 << 20, 'A'), t.ticket.shard, now));
  CHECK_FALSE(t.signer.check(std::string(TicketSigner::max_text_size, '_'), t.ticket.shard, now));
}

TEST_CASE("join ticket: bits that the last character leaves over must be zero", "[shard]") {
  Signed t;
  std::size_t texts_with_rest = 0;
  for (std::size_t size = 1; size <= 3; ++size) {
    t.ticket.sid.assign(size, 's');
    const std::string text = t.signer.sign(t.ticket).value();
    if (text.size() % 4 == 0) continue;
    ++texts_with_rest;
    std::string other = text;
    other.back() = base64url[base64url.find(other.back()) | 1U];  // decodes to the same bytes
    REQUIRE(other != text);
    CHECK(t.signer.check(text, t.ticket.shard, now));
    CHECK_FALSE(t.signer.check(other, t.ticket.shard, now));
  }
  CHECK(texts_with_rest == 2);
}

TEST_CASE("join ticket: another key makes another ticket", "[shard]") {
  Signed t;
  const TicketSigner other{t.mac, key_of(2)};
  CHECK(other.check(t.text, t.ticket.shard, now).verdict == TicketVerdict::bad);
  CHECK(other.sign(t.ticket).value() != t.text);
}

TEST_CASE("join ticket: the nonce tells two tickets for one seat apart", "[shard]") {
  Signed t;
  JoinTicket second = t.ticket;
  ++second.nonce;
  const std::string text = t.signer.sign(second).value();
  CHECK(text != t.text);
  CHECK(t.signer.check(text, t.ticket.shard, now).ticket.nonce == second.nonce);
}

TEST_CASE("join ticket: where one id ends and the next begins is signed too", "[shard]") {
  Signed t;
  t.ticket.shard = "ab";
  t.ticket.sid = "c";
  const std::string text = t.signer.sign(t.ticket).value();
  CHECK(t.signer.check(text, "ab", now).ticket.sid == "c");
  CHECK(t.signer.check(text, "a", now).verdict == TicketVerdict::elsewhere);
}

TEST_CASE("join ticket: ids that are none are not signed", "[shard]") {
  Signed t;
  for (const std::string& id : {std::string{}, std::string(129, 'x'), std::string(300, 'x'),
                                std::string{"a\nb"}, std::string{"\x80"}, std::string(1, '\0')}) {
    JoinTicket bad = t.ticket;
    bad.sid = id;
    CHECK(t.signer.sign(bad).error() == errc::bad_value);
    bad = t.ticket;
    bad.shard = id;
    CHECK(t.signer.sign(bad).error() == errc::bad_value);
  }
}

TEST_CASE("join ticket: expiries at the ends of time", "[shard]") {
  Signed t;
  for (const auto expires : {sys_seconds::min(), sys_seconds{-1s}, sys_seconds{0s}}) {
    t.ticket.expires = expires;
    const std::string text = t.signer.sign(t.ticket).value();
    CHECK(t.signer.check(text, t.ticket.shard, now).verdict == TicketVerdict::expired);
    CHECK(t.signer.check(text, t.ticket.shard, now).ticket == t.ticket);
  }
  t.ticket.expires = sys_seconds::max();
  const std::string text = t.signer.sign(t.ticket).value();
  CHECK(t.signer.check(text, t.ticket.shard, now));
  CHECK(t.signer.check(text, t.ticket.shard, sys_seconds::max()).verdict == TicketVerdict::expired);
}
