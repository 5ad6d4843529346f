// SPDX-License-Identifier: MIT
// Batches and groups of datagrams over loopback, and what happens when the system says no.
#include "../lib/asio/datagram_socket.hpp"

#include "support/catch.hpp"
#include "support/failing_datagrams.hpp"

#include <muster/entropy.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include <poll.h>

using namespace muster;
using muster::asio::DatagramCalls;
using muster::asio::DatagramOptions;
using muster::asio::DatagramSocket;
using Failing = test::FailingDatagrams;

namespace {

constexpr std::size_t longest = 65507;
const Address any_v4 = Address::v4(0x7f000001, 0);

Address any_v6() { return *Address::parse_ip("::1"); }

using Datagrams = std::vector<std::vector<std::byte>>;

/// A datagram that tells itself from the others.
std::vector<std::byte> make_datagram(std::size_t number, std::size_t size) {
  std::vector<std::byte> bytes(size);
  SeededEntropy{number}.fill(bytes);
  return bytes;
}

/// A group: all of one size, the last perhaps shorter.
Datagrams make_group(std::size_t count, std::size_t size, std::size_t last, std::size_t seed = 0) {
  Datagrams group;
  for (std::size_t i = 0; i < count; ++i) {
    group.push_back(make_datagram(seed * 1000 + i, i + 1 == count ? last : size));
  }
  return group;
}

void put(DatagramSocket& socket, const Address& to, const Datagrams& group) {
  std::vector<byte_view> views(group.begin(), group.end());
  if (!socket.has_room()) REQUIRE(socket.flush());
  socket.put(to, views);
}

/// Reads until so many are there, or nothing comes any more.
Datagrams read(DatagramSocket& socket, std::size_t count, Address* from = nullptr) {
  Datagrams all;
  while (all.size() < count) {
    const auto batch = socket.receive(256 * 1024);
    if (batch.empty()) {
      pollfd wait{socket.fd(), POLLIN, 0};
      if (::poll(&wait, 1, 1000) <= 0) break;
    }
    for (const DatagramSocket::Datagram& piece : batch) {
      if (from != nullptr) *from = piece.from;
      byte_view rest = piece.bytes;
      do {
        const std::size_t size =
            piece.segment == 0 ? rest.size() : std::min(piece.segment, rest.size());
        all.emplace_back(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(size));
        rest = rest.subspan(size);
      } while (!rest.empty());
    }
  }
  return all;
}

void append(Datagrams& all, const Datagrams& more) {
  all.insert(all.end(), more.begin(), more.end());
}

bool is_group(const msghdr& message) { return message.msg_controllen != 0; }

struct Pair {
  explicit Pair(const DatagramOptions& to = {}, const DatagramCalls& calls = Failing::calls)
      : a(to, longest, calls), b({}, longest) {
    REQUIRE(!a.bind(any_v4));
    REQUIRE(!b.bind(any_v4));
  }
  Failing failing;
  DatagramSocket a;
  DatagramSocket b;
};

}  // namespace

TEST_CASE("datagram socket: what is sent arrives, with and without GSO and GRO, on both families",
          "[datagram]") {
  const bool gso = GENERATE(true, false);
  const bool gro = GENERATE(true, false);
  const bool v6 = GENERATE(true, false);
  const bool connected = GENERATE(true, false);
  INFO("gso " << gso << " gro " << gro << " v6 " << v6 << " connected " << connected);
  DatagramSocket a{{.gso = gso, .gro = gro}, longest};
  DatagramSocket b{{.gso = gso, .gro = gro}, longest};
  REQUIRE(!b.bind(v6 ? any_v6() : any_v4));
  REQUIRE(!(connected ? a.connect(b.local()) : a.bind(v6 ? any_v6() : any_v4)));
  CHECK(b.local().port != 0);
  CHECK(b.local().is_v4() == !v6);
  CHECK(a.is_connected() == connected);
  CHECK(a.receive(1000).empty());
  // Alone, many, of mixed sizes: the last of a group may be shorter.
  Datagrams expected;
  std::size_t seed = 0;
  for (const auto& [count, size, last] : {std::array<std::size_t, 3>{1, 1, 1},
                                          {1, 512, 512},
                                          {64, 512, 512},
                                          {64, 1000, 1},
                                          {2, 1400, 1399},
                                          {3, 7, 7},
                                          {1, 1400, 1400},
                                          {46, 1400, 600},
                                          {17, 300, 300},
                                          {1, 60000, 60000},
                                          {1, 0, 0}}) {
    const Datagrams group = make_group(count, size, last, ++seed);
    put(a, b.local(), group);
    append(expected, group);
    CHECK(a.flush());
  }
  CHECK(a.is_empty());
  Address from;
  const Datagrams got = read(b, expected.size(), &from);
  CHECK((got == expected));
  CHECK(from == a.local());
  CHECK(b.receive(1000).empty());
  CHECK(a.stats().datagrams_sent == expected.size());
  CHECK(b.stats().datagrams_received == expected.size());
  CHECK(a.stats().bytes_sent == b.stats().bytes_received);
  CHECK(a.stats().send_errors == 0);
  if (!a.stats().gso) {
    CHECK(a.stats().groups_sent == 0);
  } else {
    CHECK(a.stats().groups_sent == 6);
    CHECK(a.stats().datagrams_in_groups == 64 + 64 + 2 + 3 + 46 + 17);
    CHECK(a.stats().datagrams_in_large_groups == 64 + 64 + 46 + 17);
  }
  if (b.stats().gro && a.stats().gso) CHECK(b.stats().groups_received > 0);
  if (!b.stats().gro) CHECK(b.stats().groups_received == 0);
  // And back.
  const Datagrams answer = make_group(5, 100, 50, 99);
  put(b, from, answer);
  CHECK(b.flush());
  CHECK((read(a, 5) == answer));
}

TEST_CASE("datagram socket: an IPv6 socket on any address serves IPv4 peers as such",
          "[datagram]") {
  DatagramSocket server{{}, longest};
  REQUIRE(!server.bind(*Address::parse_ip("::")));
  DatagramSocket four{{}, longest};
  DatagramSocket six{{}, longest};
  REQUIRE(!four.bind(any_v4));
  REQUIRE(!six.bind(any_v6()));
  for (DatagramSocket* const client : {&four, &six}) {
    Address server_seen = client->local();
    server_seen.port = server.local().port;
    const Datagrams question = make_group(20, 200, 100);
    put(*client, server_seen, question);
    CHECK(client->flush());
    Address from;
    CHECK((read(server, 20, &from) == question));
    CHECK(from == client->local());
    CHECK(from.is_v4() == (client == &four));
    put(server, from, question);
    CHECK(server.flush());
    Address back;
    CHECK((read(*client, 20, &back) == question));
    CHECK(back == server_seen);
  }
}

TEST_CASE("datagram socket: many groups leave in few calls, to whom they are for", "[datagram]") {
  DatagramSocket a{{}, longest};
  REQUIRE(!a.bind(any_v4));
  std::vector<std::unique_ptr<DatagramSocket>> others;
  for (int i = 0; i < 50; ++i) {
    others.push_back(std::make_unique<DatagramSocket>(DatagramOptions{}, longest));
    REQUIRE(!others.back()->bind(any_v4));
  }
  std::vector<Datagrams> groups;
  for (std::size_t i = 0; i < others.size(); ++i) {
    groups.push_back(make_group(1 + i % 3, 64, 32, i));
    put(a, others[i]->local(), groups.back());
  }
  CHECK(a.flush());
  for (std::size_t i = 0; i < others.size(); ++i) {
    CHECK((read(*others[i], 1 + i % 3) == groups[i]));
  }
  if (a.stats().gso) CHECK(a.stats().send_calls <= 2);
}

TEST_CASE("datagram socket: a full buffer loses nothing, and nothing is asked for twice",
          "[datagram]") {
  const bool gso = GENERATE(true, false);
  Pair pair{{.gso = gso}};
  Datagrams expected;
  {
    // Gone before the socket is writable again.
    const Datagrams first = make_group(10, 300, 20, 1);
    const Datagrams second = make_group(1, 700, 700, 2);
    const Datagrams third = make_group(30, 900, 900, 3);
    for (const Datagrams* const group : {&first, &second, &third}) {
      put(pair.a, pair.b.local(), *group);
      append(expected, *group);
    }
    // One message goes, then none for three looks.
    Failing::most_at_once = 1;
    Failing::errors = {0, EAGAIN, EAGAIN, EAGAIN};
    CHECK_FALSE(pair.a.flush());
  }
  Failing::most_at_once = 2;
  CHECK(pair.a.is_blocked());
  CHECK_FALSE(pair.a.has_room());
  CHECK_FALSE(pair.a.flush());
  CHECK_FALSE(pair.a.flush());
  CHECK(pair.a.flush());
  CHECK_FALSE(pair.a.is_blocked());
  CHECK((read(pair.b, expected.size()) == expected));
  CHECK(pair.b.receive(1000).empty());
  CHECK(pair.a.stats().times_blocked == 3);
  CHECK(pair.a.stats().datagrams_sent == expected.size());
}

TEST_CASE(
    "datagram socket: a group that is refused leaves one by one, and a full buffer in between "
    "loses nothing",
    "[datagram]") {
  const int error = GENERATE(EIO, EINVAL, EMSGSIZE);
  Pair pair;
  if (!pair.a.stats().gso) return;
  Datagrams expected;
  {
    const Datagrams first = make_group(10, 300, 20, 1);
    const Datagrams second = make_group(8, 500, 500, 2);
    put(pair.a, pair.b.local(), first);
    put(pair.a, pair.b.local(), second);
    append(expected, first);
    append(expected, second);
    Failing::errors = {EINTR, error, 0, 0, 0, EAGAIN, 0, EAGAIN};
    CHECK_FALSE(pair.a.flush());
  }
  CHECK_FALSE(pair.a.flush());
  CHECK(pair.a.flush());
  CHECK((read(pair.b, expected.size()) == expected));
  CHECK(pair.a.stats().groups_refused == 1);
  CHECK(pair.a.stats().groups_sent == 1);
  CHECK(pair.a.stats().datagrams_sent == expected.size());
  CHECK(pair.a.stats().send_errors == 0);
  CHECK(pair.a.stats().gso);
}

TEST_CASE("datagram socket: groups that are refused time and again are not tried any more",
          "[datagram]") {
  Pair pair;
  if (!pair.a.stats().gso) return;
  bool refuses = true;
  Failing::when_sending = [&](const msghdr& message) {
    return refuses && is_group(message) ? EIO : 0;
  };
  Datagrams expected;
  const auto send = [&](std::size_t seed) {
    const Datagrams group = make_group(3, 100, 50, seed);
    put(pair.a, pair.b.local(), group);
    CHECK(pair.a.flush());
    append(expected, group);
  };
  // Fifteen, and one that succeeds: it may have been a matter of the route.
  for (std::size_t i = 0; i < 15; ++i) send(i);
  refuses = false;
  send(15);
  refuses = true;
  for (std::size_t i = 16; i < 31; ++i) send(i);
  CHECK(pair.a.stats().gso);
  send(31);
  CHECK_FALSE(pair.a.stats().gso);
  for (std::size_t i = 32; i < 50; ++i) send(i);
  CHECK(pair.a.stats().groups_refused == 15 + 16);
  CHECK((read(pair.b, expected.size()) == expected));
}

#if defined(__linux__)
TEST_CASE("datagram socket: the system's own refusal of groups is survived", "[datagram]") {
  Pair pair;
  if (!pair.a.stats().gso) return;
  // Without checksums there is no cutting of groups.
  const int on = 1;
  REQUIRE(::setsockopt(pair.a.fd(), SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)) == 0);
  Datagrams expected;
  for (std::size_t i = 0; i < 20; ++i) {
    const Datagrams group = make_group(3, 100, 50, i);
    put(pair.a, pair.b.local(), group);
    CHECK(pair.a.flush());
    append(expected, group);
  }
  CHECK((read(pair.b, expected.size()) == expected));
  CHECK(pair.a.stats().groups_refused == 16);
  CHECK_FALSE(pair.a.stats().gso);
}
#endif

TEST_CASE("datagram socket: errors of sending cost what they concern, and no more", "[datagram]") {
  const int error = GENERATE(ENETUNREACH, EPERM, ENOBUFS, ECONNREFUSED, EMSGSIZE, EHOSTUNREACH);
  const bool gso = GENERATE(true, false);
  Pair pair{{.gso = gso}};
  const std::uint16_t bad_port = 9;
  Failing::when_sending = [&](const msghdr& message) {
    sockaddr_in name{};
    std::memcpy(&name, message.msg_name, sizeof(name));
    return ntohs(name.sin_port) == bad_port ? error : 0;
  };
  const Datagrams group = make_group(5, 100, 50);
  const Datagrams one = make_group(1, 10, 10);
  put(pair.a, Address::v4(0x7f000001, bad_port), group);
  put(pair.a, pair.b.local(), group);
  put(pair.a, Address::v4(0x7f000001, bad_port), one);
  put(pair.a, pair.b.local(), group);
  CHECK(pair.a.flush());
  Datagrams expected = group;
  append(expected, group);
  CHECK((read(pair.b, 10) == expected));
  CHECK(pair.a.stats().send_errors == 6);
  CHECK(pair.a.stats().datagrams_sent == 10);
}

TEST_CASE("datagram socket: a closed port of a connected peer costs nothing that is sent later",
          "[datagram]") {
  DatagramSocket client{{}, longest};
  Address server;
  {
    DatagramSocket gone{{}, longest};
    REQUIRE(!gone.bind(any_v4));
    server = gone.local();
  }
  REQUIRE(!client.connect(server));
  const Datagrams one = make_group(1, 10, 10);
  put(client, server, one);
  CHECK(client.flush());
  pollfd wait{client.fd(), POLLIN, 0};
  ::poll(&wait, 1, 1000);  // the system's answer that nobody is there
  DatagramSocket back{{}, longest};
  REQUIRE(!back.bind(server));
  // The next call to send is told of it; or of reading.
  const bool reads = GENERATE(true, false);
  if (reads) CHECK(client.receive(1000).empty());
  put(client, server, one);
  CHECK(client.flush());
  CHECK((read(back, 1) == one));
  CHECK(client.stats().send_errors == 0);
  CHECK(client.stats().receive_errors == (reads ? 1U : 0U));
}

TEST_CASE("datagram socket: errors of receiving lose nothing", "[datagram]") {
  Pair pair;
  const Datagrams group = make_group(5, 100, 50);
  put(pair.b, pair.a.local(), group);
  CHECK(pair.b.flush());
  Failing::receive_errors = {EINTR, ECONNREFUSED, ENETDOWN, EHOSTUNREACH, EINTR, ENOMEM};
  CHECK((read(pair.a, 5) == group));
  CHECK(pair.a.stats().receive_errors == 4);
  // One that lasts is no reason to spin.
  Failing::receive_errors.assign(1000, ENOMEM);
  CHECK(pair.a.receive(1000).empty());
  CHECK(Failing::receive_errors.size() > 900);
}

TEST_CASE("datagram socket: a longer datagram than expected still shows that it is too long",
          "[datagram]") {
  DatagramSocket small{{.gro = false}, 512};
  REQUIRE(!small.bind(any_v4));
  Pair pair;
  const Datagrams sent{make_datagram(0, 512), make_datagram(1, 513), make_datagram(2, 5000),
                       make_datagram(3, 100)};
  for (const auto& datagram : sent) {
    const byte_view view = datagram;
    pair.b.put(small.local(), {&view, 1});
  }
  CHECK(pair.b.flush());
  std::vector<std::size_t> sizes;
  for (const auto& datagram : read(small, 4)) sizes.push_back(datagram.size());
  CHECK(sizes == std::vector<std::size_t>{512, 513, 513, 100});
}

TEST_CASE("datagram socket: a batch stays near what was wished for", "[datagram]") {
  Pair pair;
  if (!pair.a.stats().gso || !pair.b.stats().gro) return;
  for (std::size_t i = 0; i < 40; ++i) {
    const Datagrams group = make_group(50, 1000, 1000, i);
    put(pair.a, pair.b.local(), group);
    CHECK(pair.a.flush());
  }
  // The first piece shows how large they are.
  std::size_t total = 0;
  for (const auto& piece : pair.b.receive(1000)) total += piece.bytes.size();
  CHECK(total <= 64 * 1024);
  while (true) {
    std::size_t size = 0;
    for (const auto& piece : pair.b.receive(128 * 1024)) size += piece.bytes.size();
    if (size == 0) break;
    CHECK(size <= 128 * 1024);
    total += size;
  }
  CHECK(total <= 40 * 50 * 1000);  // the rest found no place in the buffer
  CHECK(total >= 128 * 1024);
}

TEST_CASE("datagram socket: ports are shared when both want it", "[datagram]") {
  DatagramSocket first{{.reuse_port = true}, longest};
  DatagramSocket second{{.reuse_port = true}, longest};
  DatagramSocket third{{}, longest};
  REQUIRE(!first.bind(any_v4));
  CHECK(!second.bind(first.local()));
  CHECK(third.bind(first.local()) == std::errc::address_in_use);
  CHECK_FALSE(third.is_open());
  CHECK(third.local() == Address{});
  CHECK(!third.bind(any_v4));
}
