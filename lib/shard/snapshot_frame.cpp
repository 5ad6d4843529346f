// SPDX-License-Identifier: MIT
// Eight bytes in front of a snapshot.
#include <muster/shard/snapshot_frame.hpp>

#include <muster/wire/byte_reader.hpp>
#include <muster/wire/byte_writer.hpp>
#include <muster/wire/json_scanner.hpp>

namespace muster::shard {

void encode(const SnapshotFrame& frame, std::vector<std::byte>& out) {
  wire::ByteWriter writer{out};
  writer.u64_be(frame.tick);
  writer.bytes(frame.payload);
}

result<SnapshotFrame> decode_snapshot_frame(byte_view message) noexcept {
  wire::ByteReader reader{message};
  SnapshotFrame frame;
  frame.tick = reader.u64_be();
  frame.payload = reader.rest();
  if (frame.payload.empty()) return errc::unexpected_end;
  wire::JsonScanner scanner{frame.payload, wire::JsonScanner::depth_limit};
  scanner.finish();
  if (!scanner.ok()) return scanner.error();
  return frame;
}

}  // namespace muster::shard
