// SPDX-License-Identifier: MIT
// JSON as MessagePack, and back: so what is written as JSON serves clients of both.
// The namespace is not called msgpack, which is msgpack-c's.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

namespace muster::wire {

/// Which texts of a document are binary in its MessagePack: identifiers, for instance.
///
/// Where a value stands is a number that only the class gives a meaning to; the outermost value has
/// 0, and the elements of an array that of the array. Neither form is longer than `most` bytes.
/// @threads distinct objects: safe; shared objects: as the class that derives
class MUSTER_API BinaryTexts {
 public:
  using Place = std::uint8_t;
  static constexpr std::size_t most = 64;

  virtual ~BinaryTexts() = default;

  /// Where the value of a member stands.
  [[nodiscard]] virtual Place member(Place object, std::string_view name) const noexcept = 0;

  /// @return the size of the binary in `out`; 0: the text stays a text
  [[nodiscard]] virtual std::size_t to_binary(Place place, std::string_view text,
                                              std::span<std::byte, most> out) const noexcept = 0;

  /// @return the size of the text in `out`; 0: no binary may stand there, or not this one
  [[nodiscard]] virtual std::size_t to_text(Place place, byte_view binary,
                                            std::span<char, most> out) const noexcept = 0;
};

/// What a transcoded value may hold, and how it is written. The output is at most about six times
/// as large as the input, and what binary texts add.
struct TranscodeOptions {
  std::size_t max_depth = 64;        ///< arrays and objects open at once: 0 to 512
  std::size_t max_elements = 65536;  ///< items and members of all arrays and objects together
  bool only_float64 = false;         ///< no float of 32 bits is written
  const BinaryTexts* binary_texts = nullptr;  ///< null: there are none
};

/// Appends the MessagePack of a JSON text, each value in its shortest form.
///
/// A whole number that fits 64 bits is an integer; any other number, and `-0`, is a float: of 32
/// bits where that is exact and wanted, of 64 else. Members keep their order, also those of equal
/// names.
/// @param out     left as it was after an error
/// @error         errc::bad_syntax, bad_utf8, bad_value   not JSON, as wire::JsonScanner sees it
/// @error         errc::too_deep    deeper than `max_depth`
/// @error         errc::too_large   more than `max_elements`, or than 4 GiB
/// @complexity    O(n), and O(n * depth) moves of bytes; allocates only what `out` needs
/// @source        the MessagePack specification, version 5
[[nodiscard]] MUSTER_API std::error_code json_to_msgpack(byte_view json,
                                                         std::vector<std::byte>& out,
                                                         const TranscodeOptions& options = {});

/// Appends the JSON text of one MessagePack value, compact.
///
/// Floats are written with the fewest digits that read back as the same double, and never look like
/// integers. No number in the input is believed before its bytes are seen.
/// @param out     left as it was after an error
/// @error         errc::unexpected_end   it ends inside a value
/// @error         errc::bad_syntax       a byte that begins no value, or bytes behind the value
/// @error         errc::bad_utf8         a string is not UTF-8
/// @error         errc::bad_value        what JSON lacks: NaN, infinity, an extension, a key that
/// is
///                                       no string, binary that is none of the binary texts
/// @error         errc::too_deep         deeper than `max_depth`
/// @error         errc::too_large        more than `max_elements`
/// @complexity    O(n); allocates what `out` needs, and a stack of `max_depth` entries
[[nodiscard]] MUSTER_API std::error_code msgpack_to_json(byte_view msgpack,
                                                         std::vector<std::byte>& out,
                                                         const TranscodeOptions& options = {});

}  // namespace muster::wire
