// SPDX-License-Identifier: MIT
// Two engines that talk without a socket, cut wherever a test likes.
#include "../lib/asio/tls_engine.hpp"

#include <muster/error.hpp>

#include "support/catch.hpp"
#include "support/certificates.hpp"

#include <fstream>
#include <string>
#include <utility>
#include <vector>

using namespace muster;
using muster::asio::TlsClientContext;
using muster::asio::TlsEngine;
using muster::asio::TlsServerContext;
using test::Authority;
using test::CertificateFiles;
using State = TlsEngine::State;

namespace {

struct TlsWorld {
  TlsWorld() { load(files); }

  void load(const CertificateFiles& from) {
    std::string problem;
    const auto error = server.load(from.certificate, from.key, problem);
    INFO(problem);
    REQUIRE(!error);
    REQUIRE(!client.load({.ca_file = authority.ca_file()}, problem));
  }

  test::TemporaryDirectory directory;
  Authority authority{directory, "root"};
  CertificateFiles files = authority.issue("game", "DNS:game.example,IP:127.0.0.1,IP:::1");
  TlsServerContext server;
  TlsClientContext client;
};

// An engine, and what came out of it.
struct End {
  explicit End(std::unique_ptr<TlsEngine> made) : engine(std::move(made)) {
    REQUIRE(engine != nullptr);
  }

  State feed(std::string_view bytes) {
    std::vector<std::byte> out(1000);  // smaller than a record
    const std::string copy{bytes};     // of exactly that size, for the sanitizer
    byte_view input = as_bytes(copy);
    for (;;) {
      const auto [got, size] = engine->read(input, out);
      plain += as_text(byte_view{out}.first(size));
      if (got != State::has_more) {
        REQUIRE(input.empty());
        return state = got;
      }
    }
  }

  std::string take() {
    std::string bytes{as_text(engine->output())};
    engine->sent(bytes.size());
    return bytes;
  }

  std::unique_ptr<TlsEngine> engine;
  std::string plain;
  State state = State::wants_input;
};

// A client's and a server's engine. Bytes go in pieces of `longest`, but for one cut.
struct EnginePair {
  explicit EnginePair(const TlsWorld& world, const std::string& host = "game.example")
      : server(world.server.impl().make_engine()), client(world.client.impl().make_engine(host)) {
    client.feed({});
  }

  // Moves everything that there is to move, in both directions; cuts the stream at that many bytes.
  void run(std::size_t cut = 0, std::size_t longest = std::string::npos) {
    for (bool moved = true; moved;) {
      moved = move(client, server, cut, longest);
      moved = move(server, client, cut, longest) || moved;
    }
  }

  bool move(End& from, End& to, std::size_t cut, std::size_t longest) {
    const std::string bytes = from.take();
    for (std::size_t at = 0; at < bytes.size();) {
      std::size_t size = std::min(longest, bytes.size() - at);
      if (passed < cut) size = std::min(size, cut - passed);
      to.feed(std::string_view{bytes}.substr(at, size));
      at += size;
      passed += size;
    }
    return !bytes.empty();
  }

  [[nodiscard]] bool is_established() const {
    return server.engine->may_write() && client.engine->may_write();
  }

  End server;
  End client;
  std::size_t passed = 0;
};

void require_talk(EnginePair& pair) {
  REQUIRE(pair.is_established());
  REQUIRE(pair.client.engine->write(as_bytes("ping")));
  REQUIRE(pair.server.engine->write(as_bytes("pong")));
  pair.run();
  REQUIRE(pair.server.plain == "ping");
  REQUIRE(pair.client.plain == "pong");
}

}  // namespace

TEST_CASE("tls engine: the handshake may be cut at every byte", "[tls]") {
  const TlsWorld world;
  EnginePair whole{world};
  whole.run();
  require_talk(whole);
  REQUIRE(whole.passed > 1000);
  for (std::size_t cut = 1; cut < whole.passed; ++cut) {
    INFO("cut at " << cut);
    EnginePair pair{world};
    pair.run(cut);
    require_talk(pair);
  }
  EnginePair trickle{world};
  trickle.run(0, 1);
  require_talk(trickle);
}

TEST_CASE("tls engine: bytes of every size arrive, in records of at most 16 KiB", "[tls]") {
  const TlsWorld world;
  EnginePair pair{world};
  pair.run();
  std::string expected;
  for (const std::size_t size : {0, 1, 999, 1000, 1001, 16383, 16384, 16385, 100'000}) {
    const std::string text(size, static_cast<char>('a' + size % 26));
    expected += text;
    REQUIRE(pair.client.engine->write(as_bytes(text)));
    REQUIRE(pair.server.engine->write(as_bytes(text)));
    const std::size_t records = (size + 16383) / 16384;
    CHECK(pair.client.engine->output().size() <= size + records * 40);
    pair.run(0, 700);
  }
  CHECK(pair.server.plain == expected);
  CHECK(pair.client.plain == expected);
  CHECK(pair.server.engine->output().empty());
}

TEST_CASE("tls engine: the end is told apart from a cut", "[tls]") {
  const TlsWorld world;
  EnginePair pair{world};
  pair.run();
  REQUIRE(pair.client.engine->write(as_bytes("last")));
  pair.client.engine->finish();
  pair.client.engine->finish();  // once
  pair.run();
  CHECK(pair.server.plain == "last");
  CHECK(pair.server.state == State::ended);
  CHECK(pair.server.feed("whatever follows") == State::ended);
  // The other direction is open until it ends too.
  REQUIRE(pair.server.engine->write(as_bytes("goodbye")));
  pair.server.engine->finish();
  pair.run();
  CHECK(pair.client.plain == "goodbye");
  CHECK(pair.client.state == State::ended);
  CHECK(pair.client.engine->output().empty());
}

TEST_CASE("tls engine: a changed byte is found", "[tls]") {
  const TlsWorld world;
  EnginePair pair{world};
  pair.run();
  REQUIRE(pair.client.engine->write(as_bytes("hello")));
  std::string bytes = pair.client.take();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  CHECK(pair.server.feed(bytes) == State::failed);
  CHECK_THAT(std::string{pair.server.engine->problem()}, StartsWith("TLS: "));
  CHECK(pair.server.plain.empty());
  CHECK_FALSE(pair.server.engine->output().empty());  // the alert
  CHECK_FALSE(pair.server.engine->write(as_bytes("more")));
  CHECK(pair.server.feed(bytes) == State::failed);  // and uses up what still comes
  CHECK(pair.client.feed(pair.server.take()) == State::failed);
}

TEST_CASE("tls engine: what is no TLS is said to be none", "[tls]") {
  const TlsWorld world;
  for (const std::string_view text :
       {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n"}) {
    End server{world.server.impl().make_engine()};
    CHECK(server.feed(text) == State::failed);
    CHECK(server.engine->problem() == "the peer does not speak TLS");
  }
  End client{world.client.impl().make_engine("game.example")};
  client.feed({});
  CHECK_FALSE(client.take().empty());
  CHECK(client.feed("HTTP/1.1 400 Bad Request\r\n\r\n") == State::failed);
  CHECK(client.engine->problem() == "the peer does not speak TLS");
}

TEST_CASE("tls engine: a client checks names, addresses, roots and dates", "[tls]") {
  TlsWorld world;
  const auto dial = [&](const std::string& host) {
    EnginePair pair{world, host};
    pair.run();
    const bool good = pair.client.state != State::failed;
    if (good) require_talk(pair);
    // The server hears of it too.
    REQUIRE((pair.server.state == State::failed) != good);
    return std::string{pair.client.engine->problem()};
  };
  const std::string refused = "the server's certificate is not accepted: ";
  CHECK(dial("game.example").empty());
  CHECK(dial("game.example.").empty());
  CHECK(dial("127.0.0.1").empty());
  CHECK(dial("::1").empty());
  CHECK(dial("other.example") == refused + "hostname mismatch");
  CHECK(dial("127.0.0.2") == refused + "IP address mismatch");
  world.load(world.authority.issue("wild", "DNS:*.game.example"));
  CHECK(dial("eu.game.example").empty());
  CHECK(dial("a.eu.game.example") == refused + "hostname mismatch");
  world.load(world.authority.issue("old", "DNS:game.example", -1));
  CHECK(dial("game.example") == refused + "certificate has expired");

  world.load(world.files);
  Authority stranger{world.directory, "stranger"};
  std::string problem;
  REQUIRE(!world.client.load({.ca_file = stranger.ca_file()}, problem));
  CHECK_THAT(dial("game.example"), StartsWith(refused));
  REQUIRE(!world.client.load({}, problem));  // the system's roots
  CHECK_THAT(dial("game.example"), StartsWith(refused));
  REQUIRE(!world.client.load({.is_insecure = true}, problem));
  CHECK(dial("other.example").empty());
}

TEST_CASE("tls engine: a reload that fails leaves everything as it was", "[tls]") {
  TlsWorld world;
  const CertificateFiles other = world.authority.issue("other", "DNS:other.example");
  const std::string empty = world.directory.file("empty");
  const std::string noise = world.directory.file("noise");
  std::ofstream{empty}.flush();
  std::ofstream{noise} << "no certificate\n";
  std::string problem;
  const auto load = [&](const std::string& certificate, const std::string& key) {
    const auto error = world.server.load(certificate, key, problem);
    CHECK_FALSE(problem.empty());
    return error;
  };
  CHECK(load(world.directory.file("missing"), other.key) == make_error_code(errc::not_found));
  CHECK_THAT(problem, ContainsSubstring("missing cannot be read"));
  CHECK(load(other.certificate, empty) == make_error_code(errc::not_found));
  CHECK(load(noise, other.key) == make_error_code(errc::bad_syntax));
  CHECK(load(other.certificate, noise) == make_error_code(errc::bad_syntax));
  CHECK(load(other.certificate, world.files.key) == make_error_code(errc::bad_value));
  CHECK_THAT(problem, ContainsSubstring("key"));
  EnginePair pair{world};
  pair.run();
  require_talk(pair);

  TlsClientContext client;
  CHECK(client.load({.ca_file = world.directory.file("missing")}, problem) ==
        make_error_code(errc::not_found));
  CHECK(client.load({.ca_file = noise}, problem) == make_error_code(errc::bad_syntax));
  CHECK_FALSE(client.is_loaded());
  CHECK(client.impl().make_engine("game.example") == nullptr);
  CHECK(TlsServerContext{}.impl().make_engine() == nullptr);
}

TEST_CASE("tls engine: a connection outlives its certificate and its context", "[tls]") {
  TlsWorld world;
  EnginePair old{world};
  old.run();
  world.load(world.authority.issue("other", "DNS:other.example"));
  require_talk(old);
  EnginePair wrong{world};
  wrong.run();
  CHECK(wrong.client.state == State::failed);
  EnginePair fresh{world, "other.example"};
  fresh.run();
  require_talk(fresh);
  {
    TlsServerContext gone;
    std::string problem;
    REQUIRE(!gone.load(world.files.certificate, world.files.key, problem));
    fresh.server = End{gone.impl().make_engine()};
    fresh.client = End{world.client.impl().make_engine("game.example")};
  }
  fresh.client.feed({});
  fresh.run();
  require_talk(fresh);
}
