// SPDX-License-Identifier: MIT
// JSON and MessagePack by msgpack-c's packer and its visitor; neither builds a tree of the value.
#include <muster/shard/json_msgpack.hpp>

#include <muster/utf8.hpp>
#include <muster/wire/byte_writer.hpp>
#include <muster/wire/json_scanner.hpp>
#include <muster/wire/json_string.hpp>

#include <msgpack.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

namespace muster::shard {
namespace {

constexpr std::uint64_t most_u32 = std::numeric_limits<std::uint32_t>::max();

// --- JSON to MessagePack ---------------------------------------------------------------------

// What the packer writes into.
struct Sink {
  std::vector<std::byte>& out;
  void write(const char* data, std::size_t size) { wire::ByteWriter{out}.text({data, size}); }
};

// A place for the header of one array or map.
struct HeaderSink {
  std::array<char, 5> bytes{};
  std::size_t size = 0;
  void write(const char* data, std::size_t count) {
    std::memcpy(bytes.data() + size, data, count);
    size += count;
  }
};

// Walks through JSON that was found valid, and so needs no checks of its own: commas, colons and
// white space only separate.
class Packing {
 public:
  Packing(std::string_view json, std::vector<std::byte>& out, std::size_t max_elements)
      : rest_(json), out_(out), sink_{out}, packer_(sink_), max_elements_(max_elements) {}

  // False: there are too many elements.
  bool run() {
    while (true) {
      const std::size_t start = rest_.find_first_not_of(" \t\r\n,:");
      if (start == std::string_view::npos) return true;
      rest_.remove_prefix(start);
      const char c = rest_.front();
      if (c == '}' || c == ']') {
        rest_.remove_prefix(1);
        close();
      } else if (c == '"' && is_before_name()) {
        string();
        open_[depth_ - 1].has_name = true;
      } else {
        if (!count()) return false;
        value(c);
      }
    }
  }

 private:
  struct Open {
    std::size_t header_at;  // in `out_`
    std::uint32_t count;
    bool is_object;
    bool has_name;  // the name of the next value is written
  };

  [[nodiscard]] bool is_before_name() const {
    return depth_ > 0 && open_[depth_ - 1].is_object && !open_[depth_ - 1].has_name;
  }

  bool count() {
    if (depth_ == 0) return true;
    if (elements_ == max_elements_) return false;
    ++elements_;
    ++open_[depth_ - 1].count;
    open_[depth_ - 1].has_name = false;
    return true;
  }

  void value(char c) {
    switch (c) {
      case '{':
      case '[':
        rest_.remove_prefix(1);
        open_[depth_++] = {out_.size(), 0, c == '{', false};
        return;
      case '"':
        return string();
      case 't':
        rest_.remove_prefix(4);
        packer_.pack_true();
        return;
      case 'f':
        rest_.remove_prefix(5);
        packer_.pack_false();
        return;
      case 'n':
        rest_.remove_prefix(4);
        packer_.pack_nil();
        return;
      default:
        return number();
    }
  }

  // Only now is it known how many items there are, and so how long the header is: what is inside
  // moves up.
  void close() {
    const Open& closed = open_[--depth_];
    HeaderSink header;
    msgpack::packer<HeaderSink> packer{header};
    if (closed.is_object) {
      packer.pack_map(closed.count);
    } else {
      packer.pack_array(closed.count);
    }
    const byte_view bytes = as_bytes({header.bytes.data(), header.size});
    out_.insert(out_.begin() + static_cast<std::ptrdiff_t>(closed.header_at), bytes.begin(),
                bytes.end());
  }

  void string() {
    rest_.remove_prefix(1);
    std::size_t end = 0;
    std::size_t escapes = 0;
    for (; rest_[end] != '"'; ++end) {
      if (rest_[end] != '\\') continue;
      ++end;
      ++escapes;
    }
    std::string_view raw = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    packer_.pack_str(static_cast<std::uint32_t>(escapes == 0 ? raw.size() : decoded_size(raw)));
    while (!raw.empty()) {
      const std::string_view plain = raw.substr(0, raw.find('\\'));
      sink_.write(plain.data(), plain.size());
      raw.remove_prefix(plain.size());
      if (raw.empty()) break;
      char bytes[4];
      const std::string_view meant = wire::take_json_escape(raw, bytes);
      sink_.write(meant.data(), meant.size());
    }
  }

  static std::size_t decoded_size(std::string_view raw) {
    std::size_t size = 0;
    while (!raw.empty()) {
      const std::size_t plain = std::min(raw.find('\\'), raw.size());
      size += plain;
      raw.remove_prefix(plain);
      if (raw.empty()) break;
      char bytes[4];
      size += wire::take_json_escape(raw, bytes).size();
    }
    return size;
  }

  void number() {
    const std::string_view digits = rest_.substr(0, rest_.find_first_not_of("0123456789+-.eE"));
    rest_.remove_prefix(digits.size());
    const char* const end = digits.data() + digits.size();
    if (digits.find_first_of(".eE") == std::string_view::npos && digits != "-0") {
      std::uint64_t natural = 0;
      if (std::from_chars(digits.data(), end, natural).ec == std::errc{}) {
        packer_.pack_uint64(natural);
        return;
      }
      std::int64_t integer = 0;
      if (std::from_chars(digits.data(), end, integer).ec == std::errc{}) {
        packer_.pack_int64(integer);
        return;
      }
    }
    double real = 0;
    const auto read = std::from_chars(digits.data(), end, real);
    // Too large it is not, or it would be no JSON: what is out of range is too small, and so zero.
    if (read.ec != std::errc{}) real = digits.front() == '-' ? -0.0 : 0.0;
    write_real(real);
  }

  // Not by the packer, which turns 1.0 into the integer 1.
  void write_real(double real) {
    wire::ByteWriter writer{out_};
    constexpr double most = std::numeric_limits<float>::max();
    if (real >= -most && real <= most && double{static_cast<float>(real)} == real) {
      writer.u8(0xCA);
      writer.u32_be(std::bit_cast<std::uint32_t>(static_cast<float>(real)));
    } else {
      writer.u8(0xCB);
      writer.u64_be(std::bit_cast<std::uint64_t>(real));
    }
  }

  std::string_view rest_;
  std::vector<std::byte>& out_;
  Sink sink_;
  msgpack::packer<Sink> packer_;
  std::size_t max_elements_;
  std::size_t elements_ = 0;
  std::size_t depth_ = 0;
  std::array<Open, wire::JsonScanner::depth_limit> open_;
};

// --- MessagePack to JSON ---------------------------------------------------------------------

// msgpack-c's parser calls it for each value, in order. A count or a length is only a claim: no
// memory is asked for on its account. So the limits of msgpack's own unpacker, which do reserve,
// are ours to keep.
class Unpacking : public msgpack::null_visitor {
 public:
  Unpacking(std::vector<std::byte>& out, const TranscodeLimits& limits)
      : writer_(out), limits_(limits) {}

  [[nodiscard]] std::optional<errc> error() const { return error_; }

  bool visit_nil() { return literal("null"); }
  bool visit_boolean(bool value) { return literal(value ? "true" : "false"); }
  bool visit_positive_integer(std::uint64_t value) { return integer(value); }
  bool visit_negative_integer(std::int64_t value) { return integer(value); }
  bool visit_float32(float value) { return real(value); }
  bool visit_float64(double value) { return real(value); }
  bool visit_bin(const char*, std::uint32_t) { return fail(errc::bad_value); }
  bool visit_ext(const char*, std::uint32_t) { return fail(errc::bad_value); }

  bool visit_str(const char* data, std::uint32_t size) {
    const std::string_view text{data, size};
    if (!is_valid_utf8(as_bytes(text))) return fail(errc::bad_utf8);
    wire::write_json_string(writer_, text);
    return true;
  }

  bool start_array(std::uint32_t count) { return open(count, '['); }
  bool start_array_item() { return separate(); }
  bool end_array() { return close(']'); }

  bool start_map(std::uint32_t count) { return open(count, '{'); }
  bool start_map_key() {
    is_key_ = true;
    return separate();
  }
  bool end_map_key() {
    is_key_ = false;
    writer_.u8(':');
    return true;
  }
  bool end_map() { return close('}'); }

  void parse_error(std::size_t, std::size_t) { fail(errc::bad_syntax); }
  void insufficient_bytes(std::size_t, std::size_t) { fail(errc::unexpected_end); }

 private:
  // The first reason counts: the parser has one of its own for whatever stops it.
  bool fail(errc reason) {
    if (!error_) error_ = reason;
    return false;
  }

  bool literal(std::string_view text) {
    if (is_key_) return fail(errc::bad_value);
    writer_.text(text);
    return true;
  }

  template <class Integer>
  bool integer(Integer value) {
    std::array<char, 24> digits;
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    (void)error;  // no integer is longer
    return literal({digits.data(), static_cast<std::size_t>(end - digits.data())});
  }

  bool real(double value) {
    if (!std::isfinite(value)) return fail(errc::bad_value);
    std::array<char, 32> digits;
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    (void)error;  // no shortest double is longer
    const std::string_view text{digits.data(), static_cast<std::size_t>(end - digits.data())};
    if (!literal(text)) return false;
    if (text.find_first_of(".e") == std::string_view::npos) writer_.text(".0");
    return true;
  }

  bool open(std::uint32_t count, char bracket) {
    if (is_key_) return fail(errc::bad_value);
    if (depth_ == limits_.max_depth) return fail(errc::too_deep);
    if (count > limits_.max_elements - elements_) return fail(errc::too_large);
    elements_ += count;
    ++depth_;
    is_first_ = true;
    writer_.u8(static_cast<std::uint8_t>(bracket));
    return true;
  }

  bool separate() {
    if (!is_first_) writer_.u8(',');
    is_first_ = false;
    return true;
  }

  bool close(char bracket) {
    --depth_;
    is_first_ = false;
    writer_.u8(static_cast<std::uint8_t>(bracket));
    return true;
  }

  wire::ByteWriter writer_;
  TranscodeLimits limits_;
  std::optional<errc> error_;
  std::size_t depth_ = 0;
  std::size_t elements_ = 0;
  bool is_key_ = false;
  bool is_first_ = true;
};

}  // namespace

std::error_code json_to_msgpack(byte_view json, std::vector<std::byte>& out,
                                const TranscodeLimits& limits) {
  if (const std::error_code error = wire::check_json(json, limits.max_depth)) return error;
  // A length or a count of MessagePack has 32 bits at most.
  if (json.size() > most_u32) return make_error_code(errc::too_large);
  const std::size_t before = out.size();
  Packing packing{as_text(json), out, limits.max_elements};
  if (packing.run()) return {};
  out.resize(before);
  return make_error_code(errc::too_large);
}

std::error_code msgpack_to_json(byte_view msgpack, std::vector<std::byte>& out,
                                const TranscodeLimits& limits) {
  const std::size_t before = out.size();
  Unpacking unpacking{out, limits};
  const std::string_view text = as_text(msgpack);
  std::size_t taken = 0;
  const bool is_whole = msgpack::parse(text.data(), text.size(), taken, unpacking);
  std::optional<errc> error = unpacking.error();
  if (!error && !is_whole) error = errc::unexpected_end;
  if (!error && taken != text.size()) error = errc::bad_syntax;
  if (!error) return {};
  out.resize(before);
  return make_error_code(*error);
}

}  // namespace muster::shard
