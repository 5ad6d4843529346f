#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a relay, a shard and a lobby with bots on this machine, and a page that shows them: examples/demo.sh BUILD_DIR [--stay]
set -eu

usage() {
  echo "usage: examples/demo.sh BUILD_DIR [--stay]" >&2
  exit 2
}

[ $# -ge 1 ] || usage
build=$1
shift
stay=
for argument in "$@"; do
  case $argument in
    --stay) stay=1 ;;
    *) usage ;;
  esac
done

here=$(dirname "$0")
relay_program=$build/examples/relay/muster-relay
shard_program=$build/examples/shard/muster-shard
lobby_program=$build/examples/lobby/muster-lobby
bot_program=$build/examples/bot/muster-bot
for program in "$relay_program" "$shard_program" "$lobby_program" "$bot_program"; do
  if [ ! -x "$program" ]; then
    echo "demo: there is no $program; build it first" >&2
    exit 1
  fi
done

running=
scratch=$(mktemp -d)
cleanup() {
  for process in $running; do kill -TERM "$process" 2>/dev/null || true; done
  rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# start NAME COMMAND...: runs a server, whose output is the pipe NAME. Reading the first line of it waits for the
# server, and ends also if it could not start.
start() {
  name=$1
  shift
  mkfifo "$scratch/$name"
  "$@" --listen 127.0.0.1:0 >"$scratch/$name" &
  server=$!
  running="$running $server"
}
not_started() {
  echo "demo: the $1 did not start" >&2
  exit 1
}

# The relay serves the page, and that of the room which is in it; the others let it read their metrics.
mkdir "$scratch/www"
cp "$here/demo.html" "$scratch/www/index.html"
cp "$here/relay/page.html" "$scratch/www/cursors.html"
cat >"$scratch/relay.toml" <<'TEXT'
static_root = "www"
connections_per_second = 0
TEXT
start relay "$relay_program" --config "$scratch/relay.toml"
relay=$server
exec 3<"$scratch/relay"
read -r line <&3 || not_started relay
relay_page=${line##* }

start shard "$shard_program" --guests --connections-per-second 0 --cors-origin "$relay_page"
shard=$server
exec 4<"$scratch/shard"
read -r line <&4 || not_started shard
shard_address="ws://${line##*//}?shard=arena"
shard_port=${line##*:}

set -- "$lobby_program" --cors-origin "$relay_page" --tournament round-robin --bots 0 --house-bots 8
start lobby "$@" --matches-at-once 8 --stack 200 --hands-per-level 3 --house-delay 20 --result-delay 20 \
  --frames-per-second 0 --until-over
lobby=$server
exec 5<"$scratch/lobby"
read -r line <&5 || not_started lobby
lobby_port=${line##*:}

echo "page: $relay_page/?shard=$shard_port&lobby=$lobby_port"
echo "      Open it in two browser tabs: they meet in a room and in an arena, and watch the tournament."
[ -n "$stay" ] || echo "      It is there for as long as this runs; with --stay, until Ctrl-C."
echo
echo "For 8 seconds there are 20 players in a room of the relay and 20 in the arena, and all that comes is checked."
"$bot_program" --relay "ws://${relay_page#http://}/ws" --players 20 --rate 20 --rpc-rate 5 --duration 8 \
  >"$scratch/relay.txt" 2>&1 &
relay_bot=$!
"$bot_program" --shard "$shard_address" --players 20 --rate 20 --duration 8 >"$scratch/shard.txt" 2>&1 &
shard_bot=$!
running="$running $relay_bot $shard_bot"

status=0
wait "$relay_bot" || status=$?
echo
echo "The room:"
cat "$scratch/relay.txt"
wait "$shard_bot" || status=$?
echo
echo "The arena:"
cat "$scratch/shard.txt"
echo
echo "A tournament of 8 bots, everybody against everybody twice, in a hurry:"
sed 1d <&5
wait "$lobby" || status=$?
running="$relay $shard"
if [ "$status" -ne 0 ]; then
  echo "demo: FAILED: a bot or the lobby ended with status $status" >&2
  exit 1
fi

# again COMMAND...: runs it over and over.
again() {
  trap 'kill -TERM "$process" 2>/dev/null; exit 0' TERM
  while :; do
    "$@" >/dev/null 2>&1 &
    process=$!
    wait "$process" || sleep 1
  done
}

if [ -n "$stay" ]; then
  echo
  echo "All of it goes on until Ctrl-C: $relay_page/?shard=$shard_port&lobby=$lobby_port"
  # They walk away from the middle, where everybody begins, so they begin anew now and then.
  again "$bot_program" --shard "$shard_address" --players 20 --rate 25 --duration 30 &
  bots=$!
  # Slow enough to watch, with the last table to be seen for a while.
  again timeout 120 "$@" --listen "127.0.0.1:$lobby_port" --matches-at-once 2 --stack 200 --hands-per-level 3 \
    --house-delay 200 --result-delay 20 --frames-per-second 0 &
  tournaments=$!
  running="$running $bots $tournaments"
  trap : INT TERM HUP
  wait "$relay" || true
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  for loop in $bots $tournaments; do
    kill -TERM "$loop" 2>/dev/null || true
    wait "$loop" || true
  done
fi

for server in $relay $shard; do
  kill -TERM "$server" 2>/dev/null || true
  wait "$server" || status=$?
done
running=
# Ctrl-C has reached the servers too: what comes after it may be their second signal.
if [ "$status" -ne 0 ] && [ -z "$stay" ]; then
  echo "demo: a server ended with status $status" >&2
  exit 1
fi
echo "demo: ok"
