// SPDX-License-Identifier: MIT
// Server-sent events: no line of the payload may be taken for a field of its own.
#include <muster/shard/sse_event.hpp>

#include <muster/wire/byte_writer.hpp>

#include <array>
#include <charconv>

namespace muster::shard {

void write_sse_event(std::vector<std::byte>& out, std::uint64_t tick, byte_view payload) {
  wire::ByteWriter writer{out};
  std::array<char, 20> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), tick);
  (void)error;  // twenty digits hold every tick
  writer.text("id: ");
  writer.text({digits.data(), static_cast<std::size_t>(end - digits.data())});

  std::string_view rest = as_text(payload);
  while (true) {
    const std::size_t size = rest.find_first_of("\r\n");
    writer.text("\ndata: ");
    writer.text(rest.substr(0, size));
    if (size == std::string_view::npos) break;
    rest.remove_prefix(size + (rest.substr(size).starts_with("\r\n") ? 2 : 1));
  }
  writer.text("\n\n");
}

}  // namespace muster::shard
