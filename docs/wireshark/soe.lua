-- SPDX-License-Identifier: MIT
-- Shows the SOE protocol in Wireshark and tshark.
--
--     tshark -X lua_script:soe.lua -r capture.pcap
--
-- or copy it into Wireshark's folder of personal Lua plugins (Help, About, Folders). It finds a
-- session by its SessionRequest, and learns from the SessionResponse how long checksums are and
-- whether packets have a compression flag. Of a session whose beginning was not captured, say
-- "Decode As... SOE", or -d udp.port==20260,soe, and set the two in the preferences.

local soe = Proto("soe", "SOE Protocol")

soe.prefs.crc_length = Pref.uint("Checksum bytes", 2,
  "Of sessions whose SessionResponse was not captured: 0 to 4")
soe.prefs.compression = Pref.bool("Compression flag", false,
  "Of sessions whose SessionResponse was not captured: packets have a compression flag")
soe.prefs.unreliable_flag = Pref.bool("Compression flag of unreliable data", false,
  "Where there is a compression flag, unreliable data has one too")

local channel_count = 4
local max_depth = 8  -- of MultiPackets in each other; no sender is known that makes any
local fixed_ops = {
  [0x00] = "ZeroEscape", [0x01] = "SessionRequest", [0x02] = "SessionResponse",
  [0x03] = "MultiPacket", [0x05] = "Disconnect", [0x06] = "Heartbeat",
  [0x07] = "NetStatusRequest", [0x08] = "NetStatusResponse", [0x1a] = "Ordered",
  [0x1b] = "Ordered2", [0x1c] = "PortAlive", [0x1d] = "UnknownSender",
  [0x1e] = "RemapConnection",
}
local channel_ops = {
  [0x09] = "ReliableData", [0x0d] = "ReliableDataFragment", [0x11] = "Acknowledge",
  [0x15] = "AcknowledgeAll",
}
local op_names = {}
for op, name in pairs(fixed_ops) do op_names[op] = name end
for base, name in pairs(channel_ops) do
  for channel = 0, channel_count - 1 do op_names[base + channel] = name end
end
local contextless = { [0x01] = true, [0x02] = true, [0x1c] = true, [0x1d] = true, [0x1e] = true }

local reasons = {
  [0] = "None", "IcmpError", "Timeout", "OtherSideTerminated", "ManagerDeleted", "ConnectFail",
  "Application", "UnreachableConnection", "UnacknowledgedTimeout", "NewConnectionAttempt",
  "ConnectionRefused", "ConnectError", "ConnectingToSelf", "ReliableOverflow",
  "ApplicationReleased", "CorruptPacket", "ProtocolMismatch",
}
local checksum_states = { [0] = "wrong", "right", "not checked" }

local f = {
  op = ProtoField.uint16("soe.op", "Op code", base.HEX, op_names),
  channel = ProtoField.uint8("soe.channel", "Channel"),
  version = ProtoField.uint32("soe.version", "Protocol version"),
  session_id = ProtoField.uint32("soe.session_id", "Session id", base.HEX),
  udp_length = ProtoField.uint32("soe.udp_length", "Largest datagram"),
  application = ProtoField.string("soe.application_protocol", "Application protocol"),
  crc_seed = ProtoField.uint32("soe.crc_seed", "Checksum seed", base.HEX),
  crc_length = ProtoField.uint8("soe.crc_length", "Checksum bytes"),
  compression = ProtoField.bool("soe.compression", "Compression"),
  unknown = ProtoField.uint8("soe.unknown", "Unknown value", base.HEX),
  flag = ProtoField.bool("soe.compressed", "Compressed"),
  crc = ProtoField.uint32("soe.crc", "Checksum", base.HEX),
  crc_status = ProtoField.uint8("soe.crc.status", "Checksum is", base.DEC, checksum_states),
  reason = ProtoField.uint16("soe.reason", "Reason", base.DEC, reasons),
  sequence = ProtoField.uint16("soe.sequence", "Sequence"),
  acknowledged = ProtoField.uint16("soe.acknowledged", "Acknowledged"),
  message_length = ProtoField.uint32("soe.message_length", "Message length"),
  completes = ProtoField.uint32("soe.completes", "Completes a message of"),
  data = ProtoField.bytes("soe.data", "Data"),
  item = ProtoField.bytes("soe.bundle.item", "Message of a bundle"),
  item_length = ProtoField.uint32("soe.bundle.length", "Length"),
  packet_length = ProtoField.uint32("soe.multi.length", "Length"),
  stamp = ProtoField.uint16("soe.stamp", "Stamp"),
  client_tick = ProtoField.uint16("soe.net_status.client_tick", "Client's clock (ms)"),
  server_tick = ProtoField.uint32("soe.net_status.server_tick", "Server's clock (ms)"),
  master_ping = ProtoField.uint32("soe.net_status.master_ping", "Best round trip (ms)"),
  average_ping = ProtoField.uint32("soe.net_status.average_ping", "Average round trip (ms)"),
  low_ping = ProtoField.uint32("soe.net_status.low_ping", "Lowest round trip (ms)"),
  high_ping = ProtoField.uint32("soe.net_status.high_ping", "Highest round trip (ms)"),
  last_ping = ProtoField.uint32("soe.net_status.last_ping", "Last round trip (ms)"),
  client_sent = ProtoField.uint64("soe.net_status.client_sent", "Client sent"),
  client_received = ProtoField.uint64("soe.net_status.client_received", "Client received"),
  server_sent = ProtoField.uint64("soe.net_status.server_sent", "Server sent"),
  server_received = ProtoField.uint64("soe.net_status.server_received", "Server received"),
}
soe.fields = f

local bad_checksum = ProtoExpert.new("soe.expert.checksum", "Wrong checksum",
  expert.group.CHECKSUM, expert.severity.ERROR)
local malformed = ProtoExpert.new("soe.expert.malformed", "Malformed",
  expert.group.MALFORMED, expert.severity.ERROR)
local unknown_op = ProtoExpert.new("soe.expert.op", "Unknown op code",
  expert.group.UNDECODED, expert.severity.WARN)
soe.experts = { bad_checksum, malformed, unknown_op }

-- Checksums: the ordinary CRC-32 of the seed's four bytes, least significant first, and the data.

local bits = bit32 or bit
local crc_table = {}
if bits then
  for i = 0, 255 do
    local value = i
    for _ = 1, 8 do
      local low = value % 2
      value = math.floor(value / 2)
      if low == 1 then value = bits.bxor(value, 0xedb88320) % 4294967296 end
    end
    crc_table[i] = value
  end
end

local function checksum(seed, bytes)
  local value = 0xffffffff
  local function add(byte)
    local at = bits.bxor(value % 256, byte)
    value = bits.bxor(math.floor(value / 256), crc_table[at]) % 4294967296
  end
  for _ = 1, 4 do
    add(seed % 256)
    seed = math.floor(seed / 256)
  end
  for at = 1, #bytes do add(bytes:byte(at)) end
  return 4294967295 - value
end

-- What is known of the sessions between two addresses, in the order of the capture.

local sessions = {}  -- by pair of addresses: a list of { frame, crc_length, compression, seed }
local streams = {}   -- by session, sender and channel: where reassembly stands
local fragments = {} -- by frame and place: what reassembly found

function soe.init()
  sessions, streams, fragments = {}, {}, {}
end

local function ends_of(pinfo)
  local from = tostring(pinfo.src) .. " " .. pinfo.src_port
  local to = tostring(pinfo.dst) .. " " .. pinfo.dst_port
  return from, from < to and from .. " " .. to or to .. " " .. from
end

local function session_of(pinfo)
  local _, pair = ends_of(pinfo)
  local found
  for _, session in ipairs(sessions[pair] or {}) do
    if session.frame <= pinfo.number then found = session end
  end
  return found or {
    crc_length = math.min(soe.prefs.crc_length, 4),
    compression = soe.prefs.compression,
  }
end

local function learn(pinfo, session_id, seed, crc_length, compression)
  if pinfo.visited then return end
  local _, pair = ends_of(pinfo)
  local known = sessions[pair] or {}
  local last = known[#known]
  -- A response may be sent again.
  if last and last.id == session_id and last.seed == seed and last.crc_length == crc_length
    and last.compression == compression then return end
  known[#known + 1] = {
    frame = pinfo.number, id = session_id, seed = seed, crc_length = crc_length,
    compression = compression, name = pair .. " " .. pinfo.number,
  }
  sessions[pair] = known
end

-- Which fragment is the first of its message, and so has its length, is known only to whoever
-- follows the sequence from the session's start.

local function follow(stream, true_sequence, piece)
  if not piece.is_fragment then return end
  if stream.missing == nil then
    if #piece.head < 4 then return end
    local a, b, c, d = piece.head:byte(1, 4)
    stream.total = ((a * 256 + b) * 256 + c) * 256 + d
    stream.missing = stream.total - (piece.size - 4)
    stream.found[true_sequence] = { total = stream.total }
  else
    stream.missing = stream.missing - piece.size
    stream.found[true_sequence] = {}
  end
  if stream.missing <= 0 then
    stream.found[true_sequence].completes = stream.total
    stream.missing = nil
  end
end

local function place_of(session, pinfo, channel, sequence, offset, piece)
  if not session.name then return nil end
  local from = ends_of(pinfo)
  local name = session.name .. " " .. from .. " " .. channel
  local stream = streams[name]
  if not stream then
    stream = { next = 0, ahead = {}, found = {} }
    streams[name] = stream
  end
  local key = pinfo.number .. " " .. offset
  if not fragments[key] then
    local distance = (sequence - stream.next) % 65536
    if distance >= 32768 then distance = distance - 65536 end
    local true_sequence = stream.next + distance
    fragments[key] = true_sequence
    if distance >= 0 then stream.ahead[true_sequence] = piece end
    while stream.ahead[stream.next] do
      follow(stream, stream.next, stream.ahead[stream.next])
      stream.ahead[stream.next] = nil
      stream.next = stream.next + 1
    end
  end
  return stream.found[fragments[key]]
end

-- Packets. `tvb` is a range from the op code to the end of the body, without the checksum.

local function text_of(op)
  local name = op_names[op] or string.format("0x%04x", op)
  if op >= 0x09 and op <= 0x18 then name = name .. " ch=" .. (op - 9) % channel_count end
  return name
end

-- A length at `offset`: its value and how many bytes it takes; nil if it is cut off. In a
-- MultiPacket a 255 stands alone if a zero follows: the next packet's op code.
local function read_length(tvb, offset, is_multi)
  local left = tvb:len() - offset
  if left < 1 then return nil end
  local first = tvb:range(offset, 1):uint()
  if first < 255 then return first, 1 end
  if is_multi and left >= 2 and tvb:range(offset + 1, 1):uint() == 0 then return 255, 1 end
  if left < 3 then return nil end
  local short = tvb:range(offset + 1, 2):uint()
  if short < 65535 then return short, 3 end
  if left < 7 then return nil end
  return tvb:range(offset + 3, 4):uint(), 7
end

local function add_data(tvb, tree, offset)
  local size = tvb:len() - offset
  if size > 0 then tree:add(f.data, tvb:range(offset, size)) end
  return size
end

-- The payload of a ReliableData: one message, or a bundle.
local function add_payload(tvb, tree, offset)
  local size = tvb:len() - offset
  if size <= 2 or tvb:range(offset, 2):uint() ~= 0x0019 then
    add_data(tvb, tree, offset)
    return " len=" .. size
  end
  local count = 0
  local bundle = tree:add(soe, tvb:range(offset, size), "Bundle")
  offset = offset + 2
  while offset < tvb:len() do
    local length, width = read_length(tvb, offset, false)
    if not length or offset + width + length > tvb:len() then
      bundle:add_proto_expert_info(malformed, "A length beyond the end")
      break
    end
    if length > 0 then
      local item = bundle:add(f.item, tvb:range(offset + width, length))
      item:add(f.item_length, tvb:range(offset, width), length)
    end
    offset = offset + width + length
    count = count + 1
  end
  bundle:append_text(", messages: " .. count)
  return " bundle of " .. count
end

local add_packet

local function add_multi_packet(tvb, pinfo, tree, offset, context)
  local words = {}
  while offset < tvb:len() do
    local length, width = read_length(tvb, offset, true)
    if not length or length < 2 or offset + width + length > tvb:len() then
      tree:add_proto_expert_info(malformed, "A length beyond the end, or too small")
      break
    end
    local range = tvb:range(offset + width, length)
    local branch = tree:add(soe, range, "Packet")
    branch:add(f.packet_length, tvb:range(offset, width), length)
    context.place = context.place + 1
    local word = "too deep"
    if context.depth < max_depth then
      context.depth = context.depth + 1
      word = add_packet(range, pinfo, branch, context)
      context.depth = context.depth - 1
    end
    branch:append_text(": " .. word)
    words[#words + 1] = word
    offset = offset + width + length
  end
  return " { " .. table.concat(words, "; ") .. " }"
end

local function add_fields(tvb, tree, offset, list)
  for _, entry in ipairs(list) do
    local field, size = entry[1], entry[2]
    if offset + size > tvb:len() then
      tree:add_proto_expert_info(malformed, "Cut off")
      return
    end
    tree:add(field, tvb:range(offset, size))
    offset = offset + size
  end
end

local handlers = {
  [0x01] = function(tvb, _, tree)
    add_fields(tvb, tree, 2, { { f.version, 4 }, { f.session_id, 4 }, { f.udp_length, 4 } })
    if tvb:len() <= 14 then return "" end
    local name = tvb:range(14, tvb:len() - 14)
    tree:add(f.application, name, name:stringz())
    return " " .. name:stringz()
  end,
  [0x02] = function(tvb, pinfo, tree)
    add_fields(tvb, tree, 2, {
      { f.session_id, 4 }, { f.crc_seed, 4 }, { f.crc_length, 1 }, { f.compression, 1 },
      { f.unknown, 1 }, { f.udp_length, 4 } })
    if tvb:len() >= 21 then add_fields(tvb, tree, 17, { { f.version, 4 } }) end
    if tvb:len() < 17 then return "" end
    local crc_length, compression = tvb:range(10, 1):uint(), tvb:range(11, 1):uint() ~= 0
    if crc_length <= 4 then
      learn(pinfo, tvb:range(2, 4):uint(), tvb:range(6, 4):uint(), crc_length, compression)
    end
    return " crc=" .. crc_length .. (compression and " compression" or "")
  end,
  [0x03] = add_multi_packet,
  [0x05] = function(tvb, _, tree, offset)
    add_fields(tvb, tree, offset, { { f.session_id, 4 } })
    if tvb:len() < offset + 6 then return "" end
    add_fields(tvb, tree, offset + 4, { { f.reason, 2 } })
    local reason = tvb:range(offset + 4, 2):uint()
    return " " .. (reasons[reason] or reason)
  end,
  [0x07] = function(tvb, _, tree, offset)
    add_fields(tvb, tree, offset, {
      { f.client_tick, 2 }, { f.master_ping, 4 }, { f.average_ping, 4 }, { f.low_ping, 4 },
      { f.high_ping, 4 }, { f.last_ping, 4 }, { f.client_sent, 8 }, { f.client_received, 8 } })
    return ""
  end,
  [0x08] = function(tvb, _, tree, offset)
    add_fields(tvb, tree, offset, {
      { f.client_tick, 2 }, { f.server_tick, 4 }, { f.client_sent, 8 }, { f.client_received, 8 },
      { f.server_sent, 8 }, { f.server_received, 8 } })
    return ""
  end,
  [0x1e] = function(tvb, _, tree)
    add_fields(tvb, tree, 2, { { f.session_id, 4 }, { f.crc_seed, 4 } })
    return ""
  end,
}

local function add_ordered(tvb, _, tree, offset)
  add_fields(tvb, tree, offset, { { f.stamp, 2 } })
  if tvb:len() < offset + 2 then return "" end
  return " stamp=" .. tvb:range(offset, 2):uint() .. " len=" .. add_data(tvb, tree, offset + 2)
end
handlers[0x1a], handlers[0x1b] = add_ordered, add_ordered

local function add_reliable(tvb, pinfo, tree, offset, context, op)
  local is_acknowledgement = op >= 0x11
  local field = is_acknowledgement and f.acknowledged or f.sequence
  tree:add(f.channel, (op - 9) % channel_count):set_generated()
  add_fields(tvb, tree, offset, { { field, 2 } })
  if tvb:len() < offset + 2 then return "" end
  local sequence = tvb:range(offset, 2):uint()
  local text = " seq=" .. sequence
  if is_acknowledgement then return text end

  offset = offset + 2
  local size = tvb:len() - offset
  local is_fragment = op >= 0x0d
  local head = size > 0 and tvb:range(offset, math.min(size, 4)):bytes():raw() or ""
  local place = place_of(context.session, pinfo, (op - 9) % channel_count, sequence, context.place,
    { is_fragment = is_fragment, size = size, head = head })
  if not is_fragment then return text .. add_payload(tvb, tree, offset) end
  if place and place.total then
    tree:add(f.message_length, tvb:range(offset, 4))
    offset = offset + 4
    text = text .. " first of=" .. place.total
  end
  text = text .. " len=" .. add_data(tvb, tree, offset)
  if place and place.completes then
    tree:add(f.completes, place.completes):set_generated()
    text = text .. " last"
  end
  return text
end

-- One packet: what to say of it in a line. `offset` of a body behind a flag is 3.
function add_packet(tvb, pinfo, tree, context, offset)
  if tvb:len() < 2 or tvb:range(0, 1):uint() ~= 0 then
    return "Unreliable len=" .. add_data(tvb, tree, 0)
  end
  local op = tvb:range(0, 2):uint()
  tree:add(f.op, tvb:range(0, 2))
  if op == 0 then return "Unreliable len=" .. add_data(tvb, tree, 1) end
  if not op_names[op] then
    tree:add_proto_expert_info(unknown_op)
    return text_of(op)
  end
  local handler = handlers[op]
  if op >= 0x09 and op <= 0x18 then handler = add_reliable end
  if not handler then return text_of(op) end
  return text_of(op) .. handler(tvb, pinfo, tree, offset or 2, context, op)
end

-- A whole datagram behind its op code and flag: the flag, the checksum, the packet.
local function add_framed(tvb, pinfo, tree, session)
  local is_raw = tvb:range(0, 1):uint() ~= 0
  local is_unreliable = is_raw or tvb:len() >= 2 and tvb:range(0, 2):uint() == 0
  local front = is_raw and 1 or 2
  local has_flag = session.compression and (not is_unreliable or soe.prefs.unreliable_flag)
  local end_of_body = tvb:len() - session.crc_length
  if end_of_body < front + (has_flag and 1 or 0) then
    tree:add_proto_expert_info(malformed, "Too short")
    return "too short"
  end

  local whole = tvb:range(0, end_of_body)
  local context = { session = session, depth = 0, place = 0 }
  local text
  if not has_flag then
    text = add_packet(whole, pinfo, tree, context)
  else
    local is_compressed = whole:range(front, 1):uint() ~= 0
    tree:add(f.flag, whole:range(front, 1))
    local body = whole:range(0, 0)
    if end_of_body > front + 1 then body = whole:range(front + 1) end
    local inflated = is_compressed and body:uncompress("SOE packet")
    -- The parts are put together again, so that a packet is one range.
    local bytes = whole:range(0, front):bytes()
    if body:len() > 0 then bytes:append((inflated or body):bytes()) end
    if is_compressed and not inflated then
      tree:add_proto_expert_info(malformed, "Not a zlib stream")
      text = text_of(whole:range(0, math.min(2, whole:len())):uint()) .. " compressed"
    elseif is_compressed then
      text = add_packet(bytes:tvb("SOE packet"):range(), pinfo, tree, context) .. " compressed"
    elseif is_unreliable then
      text = add_packet(bytes:tvb("SOE packet"):range(), pinfo, tree, context)
    else
      text = add_packet(whole, pinfo, tree, context, front + 1)
    end
  end

  if session.crc_length > 0 then
    local range = tvb:range(end_of_body, session.crc_length)
    tree:add(f.crc, range)
    local status = 2
    if session.seed and bits then
      local wanted = checksum(session.seed, whole:bytes():raw()) % 256 ^ session.crc_length
      status = range:uint() == wanted and 1 or 0
    end
    local item = tree:add(f.crc_status, status):set_generated()
    if status == 0 then item:add_proto_expert_info(bad_checksum) end
  end
  return text
end

function soe.dissector(tvb, pinfo, root)
  if tvb:len() == 0 then return 0 end
  pinfo.cols.protocol = "SOE"
  local tree = root:add(soe, tvb())
  local text
  if tvb:len() >= 2 and tvb(0, 1):uint() == 0 and contextless[tvb(0, 2):uint()] then
    text = add_packet(tvb(), pinfo, tree, { session = {}, depth = 0, place = 0 })
  else
    text = add_framed(tvb, pinfo, tree, session_of(pinfo))
  end
  tree:append_text(", " .. text)
  pinfo.cols.info = text
  return tvb:len()
end

-- A SessionRequest of version 3 gives a conversation away.
local function is_request(tvb, pinfo, root)
  local size = tvb:len()
  if size < 15 or size > 64 then return false end
  if tvb(0, 2):uint() ~= 1 or tvb(2, 4):uint() ~= 3 or tvb(size - 1, 1):uint() ~= 0 then
    return false
  end
  pinfo.conversation = soe
  soe.dissector(tvb, pinfo, root)
  return true
end

soe:register_heuristic("udp", is_request)
DissectorTable.get("udp.port"):add_for_decode_as(soe)
