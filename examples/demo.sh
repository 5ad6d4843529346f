#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a relay and a shard with players, and a tournament of bots, on this machine: examples/demo.sh BUILD_DIR [--stay]
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

relay=
shard=
scratch=$(mktemp -d)
cleanup() {
  for server in $relay $shard; do kill -TERM "$server" 2>/dev/null || true; done
  rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# A pipe: reading its first line waits for the server, and ends also if it could not start.
mkfifo "$scratch/relay" "$scratch/shard"
"$relay_program" --listen 127.0.0.1:0 >"$scratch/relay" &
relay=$!
exec 3<"$scratch/relay"
read -r relay_line <&3 || { echo "demo: the relay did not start" >&2; exit 1; }
"$shard_program" --listen 127.0.0.1:0 --guests >"$scratch/shard" &
shard=$!
exec 4<"$scratch/shard"
read -r shard_line <&4 || { echo "demo: the shard did not start" >&2; exit 1; }
relay_page=${relay_line##* }/
shard_page=${shard_line##* }/
relay_address=ws://${relay_page#http://}ws
shard_address="ws://${shard_page#http://}?shard=arena"

echo "relay: $relay_page"
echo "       Open it in two browser tabs: they meet in a room, and each sees the other's cursor."
echo "shard: $shard_page"
echo "       Open it in two browser tabs: they meet in an arena, move and shoot."
[ -n "$stay" ] || echo "Both are there for as long as this runs; with --stay, until Ctrl-C."
echo
echo "A relay's room with a host and 20 players for 8 seconds; every payload is checked:"
"$bot_program" --relay "$relay_address" --players 20 --rate 20 --rpc-rate 5 --duration 8
echo
echo "The shard's arena with 20 players for 8 seconds; every message is checked:"
"$bot_program" --shard "$shard_address" --players 20 --rate 20 --duration 8
echo
echo "A tournament of 8 bots, everybody against everybody twice, in a hurry:"
"$lobby_program" --listen 127.0.0.1:0 --tournament round-robin --bots 0 --house-bots 8 \
  --matches-at-once 8 --stack 200 --hands-per-level 3 --house-delay 20 --result-delay 20 \
  --frames-per-second 0 --until-over

if [ -n "$stay" ]; then
  echo
  echo "The relay stays at $relay_page and the shard at $shard_page until Ctrl-C."
  trap : INT TERM HUP
  wait "$relay" || true
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
fi

status=0
for server in $relay $shard; do
  kill -TERM "$server" 2>/dev/null || true
  wait "$server" || status=$?
done
relay=
shard=
# Ctrl-C has reached the servers too: what comes after it may be their second signal.
if [ "$status" -ne 0 ] && [ -z "$stay" ]; then
  echo "demo: a server ended with status $status" >&2
  exit 1
fi
echo "demo: ok"
