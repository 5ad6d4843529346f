// SPDX-License-Identifier: MIT
// JSON and MessagePack by msgpack-c's packer and its visitor; neither builds a tree of the value.
#include <muster/msgpack/json_msgpack.hpp>

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

namespace muster::wire {
namespace {

constexpr std::uint64_t most_u32 = std::numeric_limits<std::uint32_t>::max();

// --- JSON to MessagePack ---------------------------------------------------------------------

// What the packer writes into.
struct Sink {
  std::vector<std::byte>& out;
  void write(const char* data, std::size_t size) { ByteWriter{out}.text({data, size}); }
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
  Packing(std::string_view json, std::vector<std::byte>& out, const TranscodeOptions& options)
      : rest_(json), out_(out), sink_{out}, packer_(sink_), options_(options) {}

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
        name();
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
    BinaryTexts::Place place;
    BinaryTexts::Place next_place;  // of the next value
  };

  [[nodiscard]] bool is_before_name() const {
    return depth_ > 0 && open_[depth_ - 1].is_object && !open_[depth_ - 1].has_name;
  }

  bool count() {
    if (depth_ == 0) return true;
    if (elements_ == options_.max_elements) return false;
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
        open_[depth_] = {out_.size(), 0, c == '{', false, place(), place()};
        ++depth_;
        return;
      case '"':
        return text();
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

  // Most strings mean what they are.
  template <class Use>
  static auto with_meaning(std::string_view raw, Use use) {
    return raw.find('\\') == std::string_view::npos ? use(raw) : use(json_string_text(raw));
  }

  // Where the next value stands.
  [[nodiscard]] BinaryTexts::Place place() const {
    return depth_ == 0 ? BinaryTexts::Place{} : open_[depth_ - 1].next_place;
  }

  void name() {
    const std::string_view raw = take_string();
    Open& object = open_[depth_ - 1];
    object.has_name = true;
    if (options_.binary_texts != nullptr) {
      object.next_place = with_meaning(raw, [&](std::string_view meant) {
        return options_.binary_texts->member(object.place, meant);
      });
    }
    write_text(raw);
  }

  void text() {
    const std::string_view raw = take_string();
    if (options_.binary_texts != nullptr) {
      std::array<std::byte, BinaryTexts::most> binary;
      const std::size_t size = with_meaning(raw, [&](std::string_view meant) {
        return options_.binary_texts->to_binary(place(), meant, binary);
      });
      if (size > 0) {
        packer_.pack_bin(static_cast<std::uint32_t>(size));
        ByteWriter{out_}.bytes(byte_view{binary}.first(size));
        return;
      }
    }
    write_text(raw);
  }

  // What stands between the quotes.
  std::string_view take_string() {
    rest_.remove_prefix(1);
    std::size_t end = 0;
    while (rest_[end] != '"') end += rest_[end] == '\\' ? 2 : 1;
    const std::string_view raw = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return raw;
  }

  void write_text(std::string_view raw) {
    packer_.pack_str(static_cast<std::uint32_t>(decoded_size(raw)));
    while (!raw.empty()) {
      const std::string_view plain = raw.substr(0, raw.find('\\'));
      sink_.write(plain.data(), plain.size());
      raw.remove_prefix(plain.size());
      if (raw.empty()) break;
      char bytes[4];
      const std::string_view meant = take_json_escape(raw, bytes);
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
      size += take_json_escape(raw, bytes).size();
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
    ByteWriter writer{out_};
    constexpr double most = std::numeric_limits<float>::max();
    if (!options_.only_float64 && real >= -most && real <= most &&
        double{static_cast<float>(real)} == real) {
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
  TranscodeOptions options_;
  std::size_t elements_ = 0;
  std::size_t depth_ = 0;
  std::array<Open, JsonScanner::depth_limit> open_;
};

// --- MessagePack to JSON ---------------------------------------------------------------------

// msgpack-c's parser calls it for each value, in order. A count or a length is only a claim: no
// memory is asked for on its account. So the limits of msgpack's own unpacker, which do reserve,
// are ours to keep.
class Unpacking : public msgpack::null_visitor {
 public:
  Unpacking(std::vector<std::byte>& out, const TranscodeOptions& options)
      : writer_(out), options_(options) {
    options_.max_depth = std::min(options_.max_depth, JsonScanner::depth_limit);
  }

  [[nodiscard]] std::optional<errc> error() const { return error_; }

  bool visit_nil() { return literal("null"); }
  bool visit_boolean(bool value) { return literal(value ? "true" : "false"); }
  bool visit_positive_integer(std::uint64_t value) { return integer(value); }
  bool visit_negative_integer(std::int64_t value) { return integer(value); }
  bool visit_float32(float value) { return real(value); }
  bool visit_float64(double value) { return real(value); }
  bool visit_ext(const char*, std::uint32_t) { return fail(errc::bad_value); }

  bool visit_str(const char* data, std::uint32_t size) {
    const std::string_view text{data, size};
    if (!is_valid_utf8(as_bytes(text))) return fail(errc::bad_utf8);
    if (is_key_ && options_.binary_texts != nullptr) {
      next_places_[depth_] = options_.binary_texts->member(places_[depth_], text);
    }
    write_json_string(writer_, text);
    return true;
  }

  bool visit_bin(const char* data, std::uint32_t size) {
    if (is_key_ || options_.binary_texts == nullptr) return fail(errc::bad_value);
    std::array<char, BinaryTexts::most> text;
    const std::size_t text_size = options_.binary_texts->to_text(
        next_places_[depth_], as_bytes(std::string_view{data, size}), text);
    if (text_size == 0) return fail(errc::bad_value);
    write_json_string(writer_, {text.data(), text_size});
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
    if (depth_ == options_.max_depth) return fail(errc::too_deep);
    if (count > options_.max_elements - elements_) return fail(errc::too_large);
    elements_ += count;
    const BinaryTexts::Place place = next_places_[depth_++];
    places_[depth_] = place;
    next_places_[depth_] = place;
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

  ByteWriter writer_;
  TranscodeOptions options_;
  std::optional<errc> error_;
  std::size_t depth_ = 0;
  std::size_t elements_ = 0;
  bool is_key_ = false;
  bool is_first_ = true;
  // Of what is open at each depth, and of the next value in it.
  std::array<BinaryTexts::Place, JsonScanner::depth_limit + 1> places_{};
  std::array<BinaryTexts::Place, JsonScanner::depth_limit + 1> next_places_{};
};

}  // namespace

std::error_code json_to_msgpack(byte_view json, std::vector<std::byte>& out,
                                const TranscodeOptions& options) {
  if (const std::error_code error = check_json(json, options.max_depth)) return error;
  // A length or a count of MessagePack has 32 bits at most.
  if (json.size() > most_u32) return make_error_code(errc::too_large);
  const std::size_t before = out.size();
  Packing packing{as_text(json), out, options};
  if (packing.run()) return {};
  out.resize(before);
  return make_error_code(errc::too_large);
}

std::error_code msgpack_to_json(byte_view msgpack, std::vector<std::byte>& out,
                                const TranscodeOptions& options) {
  const std::size_t before = out.size();
  Unpacking unpacking{out, options};
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

}  // namespace muster::wire
