// SPDX-License-Identifier: MIT
// Sends byte for byte what the shard clients of the original send, and takes only what they take.
//
// usage: node shard_clients.mjs typescript|swift PORT
// Node 18 or later; of its modules only `net`, so that nothing of a WebSocket library is in between.
import net from "node:net";

const [client, port] = process.argv.slice(2);

// The key of RFC 6455 section 1.3, whose answer is known.
const key = "dGhlIHNhbXBsZSBub25jZQ==";
const accepted = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

function check(isTrue, what) {
  if (!isTrue) throw new Error(what);
}

function equal(got, expected, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)];
  check(a === b, `${what}: got ${a}, not ${b}`);
}

// How each builds its URL, its subprotocol, its head and its messages.

// URLSearchParams: a blank is a plus, and what is not A-Z a-z 0-9 * - . _ is escaped.
const typescript = {
  target: (shard, sid) => {
    const query = new URLSearchParams({ shard });
    if (sid !== undefined) query.set("sid", sid);
    return `/?${query}`;
  },
  subprotocol: (token) => "bearer." + encodeURIComponent(token),
  head: () => ["Pragma: no-cache", "Cache-Control: no-cache", "Origin: http://localhost:3000",
    "User-Agent: Mozilla/5.0", "Accept-Encoding: gzip, deflate, br",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"],
  message: (input, n) => JSON.stringify({ input, client_seq: n }),
};

// URLQueryItem: a blank is %20, and what RFC 3986 allows in a query is left as it is, the plus too;
// only what would end the item is escaped.
const queryAllowed = /[A-Za-z0-9\-._~!$&'()*+,;=:@/?]/;
function swiftEscape(text, alsoEscaped = "") {
  return [...text].map((char) => queryAllowed.test(char) && !alsoEscaped.includes(char)
    ? char
    : [...Buffer.from(char)].map((b) => "%" + b.toString(16).toUpperCase().padStart(2, "0"))
        .join("")).join("");
}
const swift = {
  target: (shard, sid) => "/?shard=" + swiftEscape(shard, "&=") +
    (sid === undefined ? "" : "&sid=" + swiftEscape(sid, "&=")),
  subprotocol: (token) => "bearer." + swiftEscape(token),
  head: () => ["Accept: */*", "Accept-Language: en", "User-Agent: App/1 CFNetwork/1490 Darwin/23",
    "Sec-WebSocket-Extensions: permessage-deflate"],
  // The order of the keys is any.
  message: (input, n) => `{"client_seq":${n},"input":${JSON.stringify(input)}}`,
};

const own = { typescript, swift }[client];
check(own !== undefined, "no such client");

// One connection.
class Connection {
  constructor(shard, sid, token) {
    this.subprotocol = token === undefined ? undefined : own.subprotocol(token);
    this.snapshots = [];
    this.answer = undefined;  // {status, body} or {status: 101}
    this.closed = undefined;  // {code, text}, or {} without a close frame
    this.pending = Buffer.alloc(0);
    this.waiting = [];
    this.socket = net.connect(Number(port), "127.0.0.1", () => {
      const lines = [`GET ${own.target(shard, sid)} HTTP/1.1`, `Host: 127.0.0.1:${port}`,
        "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        `Sec-WebSocket-Key: ${key}`, ...own.head()];
      if (this.subprotocol !== undefined) {
        lines.push(`Sec-WebSocket-Protocol: ${this.subprotocol}`);
      }
      this.socket.write(lines.join("\r\n") + "\r\n\r\n");
    });
    this.socket.on("data", (data) => this.run(() => this.receive(data)));
    this.socket.on("error", (error) => this.run(() => { this.closed ??= { text: String(error) }; }));
    this.socket.on("close", () => this.run(() => { this.closed ??= {}; }));
  }

  run(step) {
    try {
      step();
    } catch (error) {
      this.failure ??= error;
    }
    this.waiting = this.waiting.filter((wait) => !wait());
  }

  until(condition, what) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not in time: ${what}`)), 10000);
      const wait = () => {
        const isDone = this.failure !== undefined || condition();
        if (isDone) {
          clearTimeout(timer);
          this.failure === undefined ? resolve() : reject(this.failure);
        }
        return isDone;
      };
      if (!wait()) this.waiting.push(wait);
    });
  }

  receive(data) {
    this.pending = Buffer.concat([this.pending, data]);
    if (this.answer === undefined) this.takeHead();
    if (this.answer?.status === 101) while (this.takeFrame()) { /* and the next */ }
    if (this.answer !== undefined && this.answer.status !== 101) {
      this.answer.body += this.pending.toString();
      this.pending = Buffer.alloc(0);
    }
  }

  takeHead() {
    const end = this.pending.indexOf("\r\n\r\n");
    if (end < 0) return;
    const [line, ...fields] = this.pending.subarray(0, end).toString("latin1").split("\r\n");
    this.pending = this.pending.subarray(end + 4);
    const headers = new Map(fields.map((field) => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
    }));
    this.answer = { status: Number(line.split(" ")[1]), body: "" };
    if (this.answer.status !== 101) return;
    equal(headers.get("sec-websocket-accept"), accepted, "the accept key");
    equal(headers.get("upgrade")?.toLowerCase(), "websocket", "the upgrade");
    // What was offered has to come back as it was offered; a browser fails the connection otherwise.
    equal(headers.get("sec-websocket-protocol"), this.subprotocol, "the subprotocol");
    equal(headers.get("sec-websocket-extensions"), undefined, "extensions");
  }

  takeFrame() {
    if (this.pending.length < 2) return false;
    const first = this.pending[0];
    let size = this.pending[1];
    check((size & 0x80) === 0, "a server's frame is masked");
    let at = 2;
    if (size === 126) {
      if (this.pending.length < 4) return false;
      size = this.pending.readUInt16BE(2);
      at = 4;
    } else if (size === 127) {
      if (this.pending.length < 10) return false;
      size = Number(this.pending.readBigUInt64BE(2));
      at = 10;
    }
    if (this.pending.length < at + size) return false;
    const payload = this.pending.subarray(at, at + size);
    this.pending = this.pending.subarray(at + size);
    if (first === 0x88) {
      this.closed = size < 2 ? {} : { code: payload.readUInt16BE(0), text: payload.toString("utf8", 2) };
      this.socket.end(this.frame(8, payload.subarray(0, 2)));
    } else if (first === 0x89) {
      this.socket.write(this.frame(10, payload));
    } else {
      equal(first, 0x82, "neither a snapshot nor a control frame");
      check(size >= 9, "a snapshot without a byte of JSON");
      const tick = payload.readUInt32BE(0) * 0x100000000 + payload.readUInt32BE(4);
      this.snapshots.push({ tick, state: JSON.parse(payload.toString("utf8", 8)) });
    }
    return true;
  }

  frame(opcode, payload) {
    const mask = Buffer.from([1, 2, 3, 250]);
    check(payload.length < 126, "a long message");
    return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length]), mask,
      payload.map((byte, i) => byte ^ mask[i % 4])]);
  }

  say(text) {
    this.socket.write(this.frame(1, Buffer.from(text)));
  }

  get last() {
    return this.snapshots.at(-1);
  }
}

// What both do with it.

async function refused(shard, sid, token, status, code) {
  const connection = new Connection(shard, sid, token);
  await connection.until(() => connection.closed !== undefined, `a refusal with ${status}`);
  equal(connection.answer?.status, status, `the answer to ${shard}, ${sid}, ${token}`);
  equal(JSON.parse(connection.answer.body).error.code, code, "the code");
}

async function joined(shard, sid, token) {
  const connection = new Connection(shard, sid, token);
  await connection.until(() => connection.answer !== undefined, "an answer");
  equal(connection.answer.status, 101, `the answer to ${shard}, ${sid}: ${connection.answer.body}`);
  await connection.until(() => connection.snapshots.length > 0, "the first snapshot");
  return connection;
}

const arena = "arena \u00e9~1";

// Guests, strangers and wrong doors.
await refused(arena, undefined, undefined, 401, "AUTH_REQUIRED");
await refused(arena, "alice", "nobody's", 401, "AUTH_REQUIRED");
await refused(arena, "alice", "a/b+c=", 403, "UNAUTHORIZED");
await refused("nowhere", "alice", "tok-alice", 404, "SHARD_NOT_FOUND");
await refused("", "alice", "tok-alice", 400, "MISSING_SHARD");

// A plus in an id: one escapes it; the other does not, and so asks for "a b".
if (client === "typescript") {
  const plus = await joined("a+b", "alice", "tok-alice");
  plus.socket.destroy();
} else {
  await refused("a+b", "alice", "tok-alice", 404, "SHARD_NOT_FOUND");
}

// Inputs, whose numbers go on whatever happens. Both count one up even for what is lost.
const alice = await joined(arena, "alice:my phone", "tok-alice");
const bob = await joined(arena, undefined, "a/b+c=");
equal(alice.snapshots[0].state, { sum: 0, from: [] }, "the first snapshot");
let n = 0;
alice.say(own.message(5, ++n));
alice.say(own.message("no number", ++n));
alice.say(own.message(7, ++n));
alice.say(own.message(7, n));  // a duplicate
await bob.until(() => bob.last.state.sum === 12, "what alice said");
bob.say(own.message(100, 1));
await alice.until(() => alice.last.state.sum === 112, "what bob said");
equal(alice.last.state.from, ["alice:my phone", "alice:my phone", "bob"], "who said it");
for (const { snapshots } of [alice, bob]) {
  check(snapshots.every(({ tick }, i) => i === 0 || tick > snapshots[i - 1].tick), "ticks rise");
}

// The connection is lost, an input with it, and another one follows.
alice.socket.destroy();
++n;
const again = await joined(arena, "alice:my phone", "tok-alice");
equal(again.snapshots[0].state.sum, 112, "the state after coming back");
again.say(own.message(1, ++n));
await again.until(() => again.last.state.sum === 113, "an input after coming back");

// A page that was loaded anew counts from 1 again, and takes the place of the one before.
const reloaded = await joined(arena, "alice:my phone", "tok-alice");
await again.until(() => again.closed !== undefined, "the end of the one before");
equal(again.closed, { code: 4409, text: "replaced" }, "how it ended");
reloaded.say(own.message(2, 1));
await reloaded.until(() => reloaded.last.state.sum === 115, "an input of number 1 again");

// The game ends: with its last snapshot, and then with a word. Who comes back is told to wait.
bob.say(own.message(885, 2));
for (const connection of [reloaded, bob]) {
  await connection.until(() => connection.closed !== undefined, "the end");
  equal(connection.closed, { code: 1000, text: "finished" }, "how the game ended");
  equal(connection.last.state.sum, 1000, "the last snapshot");
}
await refused(arena, "bob", "a/b+c=", 503, "SHARD_STOPPED");
console.log("ok");
process.exit(0);
