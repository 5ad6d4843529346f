// SPDX-License-Identifier: MIT
// The frame decoder against WebSocket++'s hybi13 processor: the same bytes must mean the same to
// both.
//
// Where hybi13 is known to be laxer or stricter, with version 0.8.2:
//   - A fragmented text that ends inside a character is handed out: `finalize_message` looks at the
//     opcode of the last frame, which is a continuation. The driver below completes the check.
//   - A control frame's content is not looked at: the driver asks `close::extract_code` and
//     `extract_reason`, as WebSocket++'s own connection does.
//   - It knows no limit for one frame; the test sets ours to the same as the message's.
//   - Where one header breaks two rules, it names another one first. Only error or not is compared.
//   - It judges a header only when all of its bytes are there, and we at the first wrong one. So a
//     stream that ends in a wrong header is completed for it with zeros.
//   - It goes on after a Close; its connection class would not. The driver stops there.
//   - It checks a text when all of a piece has been unmasked, which is no difference for a caller.
#include <muster/utf8.hpp>

#include "support/catch.hpp"
#include "support/frames.hpp"
#include "support/seeds.hpp"

#include <websocketpp/close.hpp>
#include <websocketpp/extensions/permessage_deflate/disabled.hpp>
#include <websocketpp/http/request.hpp>
#include <websocketpp/http/response.hpp>
#include <websocketpp/message_buffer/alloc.hpp>
#include <websocketpp/message_buffer/message.hpp>
#include <websocketpp/processors/hybi13.hpp>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

using muster::websocket::Limits;
using muster::websocket::Role;
using test::decode;
using test::Decoded;
using test::WireFrame;

namespace {

namespace wspp = websocketpp;

struct OracleConfig {
  using request_type = wspp::http::parser::request;
  using response_type = wspp::http::parser::response;
  using message_type = wspp::message_buffer::message<wspp::message_buffer::alloc::con_msg_manager>;
  using con_msg_manager_type = wspp::message_buffer::alloc::con_msg_manager<message_type>;
  struct rng_type {
    std::uint32_t operator()() { return 0; }
  };
  struct permessage_deflate_config {
    using request_type = OracleConfig::request_type;
  };
  using permessage_deflate_type =
      wspp::extensions::permessage_deflate::disabled<permessage_deflate_config>;
  static const bool enable_extensions = false;
  static const std::size_t max_message_size = 32'000'000;
};

class Oracle {
 public:
  Oracle(Role role, const Limits& limits)
      : processor_(false, role == Role::server,
                   std::make_shared<OracleConfig::con_msg_manager_type>(), random_) {
    processor_.set_max_message_size(limits.max_message_bytes);
  }

  void feed(std::string_view piece, std::vector<Decoded>& out) {
    std::vector<std::uint8_t> bytes(piece.begin(), piece.end());
    std::size_t at = 0;
    // A frame without payload can be finished by a call that takes nothing.
    while (!ended_ && at < bytes.size()) {
      wspp::lib::error_code error;
      at += processor_.consume(bytes.data() + at, bytes.size() - at, error);
      if (error) return end({Decoded::Type::error}, out);
      if (processor_.ready()) take(out);
    }
  }

 private:
  void end(Decoded event, std::vector<Decoded>& out) {
    ended_ = true;
    out.push_back(std::move(event));
  }

  void take(std::vector<Decoded>& out) {
    namespace opcode = wspp::frame::opcode;
    const auto message = processor_.get_message();
    const std::string& payload = message->get_payload();
    switch (message->get_opcode()) {
      case opcode::text:
        if (!muster::is_valid_utf8(muster::as_bytes(payload))) {
          return end({Decoded::Type::error}, out);
        }
        return out.push_back(test::text(payload));
      case opcode::binary:
        return out.push_back(test::binary(payload));
      case opcode::ping:
        return out.push_back(test::ping(payload));
      case opcode::pong:
        return out.push_back(test::pong(payload));
      default:
        break;
    }
    wspp::lib::error_code bad_code;
    wspp::lib::error_code bad_reason;
    const auto code = wspp::close::extract_code(payload, bad_code);
    const auto reason = wspp::close::extract_reason(payload, bad_reason);
    if (bad_code || bad_reason) return end({Decoded::Type::error}, out);
    end(test::closed(payload.empty() ? std::uint16_t{0} : code, reason), out);
  }

  OracleConfig::rng_type random_;
  wspp::processor::hybi13<OracleConfig> processor_;
  bool ended_ = false;
};

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t bound) { return random() % bound; }

std::string random_payload(Random& random, bool is_text, std::size_t size) {
  static const std::string characters[] = {"a",
                                           "z",
                                           "\xC3\xA9",
                                           "\xE2\x82\xAC",
                                           "\xEF\xBF\xBD",
                                           "\xED\x9F\xBF",
                                           "\xF0\x9F\x98\x80",
                                           "\xF4\x8F\xBF\xBF"};
  std::string payload;
  while (payload.size() < size) {
    if (is_text) {
      payload += characters[below(random, std::size(characters))];
    } else {
      payload += static_cast<char>(random());
    }
  }
  return payload;
}

std::size_t random_size(Random& random) {
  switch (below(random, 8)) {
    case 0:
      return 0;
    case 1:
      return 120 + below(random, 12);
    case 2:
      return 60000 + below(random, 7000);
    case 3:
      return below(random, 2000);
    default:
      return below(random, 40);
  }
}

void add_control(Random& random, std::vector<WireFrame>& frames) {
  frames.push_back({0x89U + static_cast<unsigned>(below(random, 2)),
                    random_payload(random, false, below(random, 126))});
}

// A stream that follows the rules, mostly.
std::string random_stream(Random& random, Role role) {
  std::vector<WireFrame> frames;
  const std::size_t messages = 1 + below(random, 6);
  for (std::size_t i = 0; i < messages; ++i) {
    const bool is_text = below(random, 2) == 0;
    std::string rest = random_payload(random, is_text, random_size(random));
    unsigned opcode = is_text ? 1U : 2U;
    while (below(random, 3) == 0) {  // fragments are cut anywhere, also inside a character
      const std::size_t size = below(random, rest.size() + 1);
      frames.push_back({opcode, rest.substr(0, size)});
      rest.erase(0, size);
      opcode = 0;
      if (below(random, 3) == 0) add_control(random, frames);
    }
    // Now and then a text ends inside a character.
    if (is_text && below(random, 12) == 0 && !rest.empty()) rest.pop_back();
    frames.push_back({0x80U | opcode, rest});
    if (below(random, 3) == 0) add_control(random, frames);
  }
  if (below(random, 3) == 0) {
    const unsigned code =
        below(random, 2) == 0 ? 1000U : static_cast<unsigned>(below(random, 5200));
    frames.push_back({0x88U, std::string{static_cast<char>(code >> 8U), static_cast<char>(code)} +
                                 random_payload(random, below(random, 8) != 0, below(random, 30))});
  }
  if (below(random, 8) == 0) {
    frames.at(below(random, frames.size())).form =
        below(random, 2) == 0 ? test::LengthForm::two_bytes : test::LengthForm::eight_bytes;
  }
  return encode(frames, role);
}

void mutate(Random& random, std::string& stream) {
  const std::size_t changes = 1 + below(random, 3);
  for (std::size_t i = 0; i < changes && !stream.empty(); ++i) {
    // The front, where headers are, more often than the rest.
    const std::size_t at = below(
        random, below(random, 2) == 0 ? std::min<std::size_t>(stream.size(), 20) : stream.size());
    switch (below(random, 4)) {
      case 0:
        stream[at] =
            static_cast<char>(static_cast<unsigned char>(stream[at]) ^ (1U << below(random, 8)));
        break;
      case 1:
        stream[at] = static_cast<char>(random());
        break;
      case 2:
        stream.erase(at, 1 + below(random, 4));
        break;
      default:
        stream.insert(at, 1, static_cast<char>(random()));
        break;
    }
  }
}

std::vector<std::size_t> random_cuts(Random& random, std::size_t size) {
  std::vector<std::size_t> cuts;
  const std::size_t longest = below(random, 2) == 0 ? 8 : 20000;
  for (std::size_t at = 1 + below(random, longest); at < size; at += 1 + below(random, longest)) {
    cuts.push_back(at);
    if (cuts.size() == 2000) break;
  }
  return cuts;
}

// Error or not, and for the rest everything.
std::vector<Decoded> comparable(std::vector<Decoded> events) {
  for (Decoded& event : events) {
    if (event.type == Decoded::Type::error) event = {Decoded::Type::error};
  }
  return events;
}

// `refused`: our decoder found an error in the stream.
std::vector<Decoded> ask_oracle(std::string_view stream, Role role, const Limits& limits,
                                const std::vector<std::size_t>& cuts, bool refused) {
  Oracle oracle{role, limits};
  std::vector<Decoded> out;
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    oracle.feed(stream.substr(from, cut - from), out);
    from = cut;
  }
  oracle.feed(stream.substr(from), out);
  if (refused && (out.empty() || out.back().type != Decoded::Type::error)) {
    oracle.feed(std::string(muster::websocket::max_frame_header - 1, '\0'), out);
  }
  return out;
}

struct Tally {
  std::uint64_t messages = 0;
  std::uint64_t errors = 0;
  std::uint64_t closes = 0;
};

// Compares one seed's stream; false on a difference, which has been reported.
bool agrees(std::uint64_t seed, bool with_damage, Tally& tally) {
  Random random{seed};
  const Role role = below(random, 2) == 0 ? Role::server : Role::client;
  const std::size_t limit = below(random, 4) == 0 ? 1000 : 65536;
  const Limits limits{.max_message_bytes = limit, .max_frame_bytes = limit};
  std::string stream = random_stream(random, role);
  if (with_damage) mutate(random, stream);
  const auto ours = decode(stream, role, limits, random_cuts(random, stream.size()));
  const auto whole = decode(stream, role, limits);
  const bool refused = !ours.empty() && ours.back().type == Decoded::Type::error;
  const auto expected =
      ask_oracle(stream, role, limits, random_cuts(random, stream.size()), refused);
  for (const Decoded& event : ours) {
    tally.messages += event.type == Decoded::Type::message ? 1 : 0;
    tally.errors += event.type == Decoded::Type::error ? 1 : 0;
    tally.closes += event.type == Decoded::Type::close ? 1 : 0;
  }
  if (comparable(ours) == expected && whole == ours) return true;
  CAPTURE(seed, with_damage, static_cast<int>(role), stream.size());
  CHECK(comparable(ours) == expected);
  CHECK(whole == ours);
  return false;
}

}  // namespace

TEST_CASE("rfc6455: streams that follow the rules mean the same to hybi13", "[rfc6455][oracle]") {
  Tally tally;
  for (std::uint64_t seed = 1; seed <= ::test::share_of(3000); ++seed) {
    if (!agrees(seed, false, tally)) break;
  }
  // The streams are of use only if they get far: all kinds of endings, and many messages.
  CHECK(tally.messages > ::test::share_of(5000));
  CHECK(tally.errors > ::test::share_of(100));
  CHECK(tally.closes > ::test::share_of(100));
}

TEST_CASE("rfc6455: damaged streams are refused where hybi13 refuses them", "[rfc6455][oracle]") {
  Tally tally;
  for (std::uint64_t seed = 1; seed <= ::test::share_of(6000); ++seed) {
    if (!agrees(seed, true, tally)) break;
  }
  CHECK(tally.messages > ::test::share_of(2000));
  CHECK(tally.errors > ::test::share_of(2000));
}
