#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a relay, a host and 20 players on this machine: examples/demo.sh BUILD_DIR [--stay]
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
bot_program=$build/examples/bot/muster-bot
for program in "$relay_program" "$bot_program"; do
  if [ ! -x "$program" ]; then
    echo "demo: there is no $program; build it first" >&2
    exit 1
  fi
done

relay=
scratch=$(mktemp -d)
cleanup() {
  [ -z "$relay" ] || kill -TERM "$relay" 2>/dev/null || true
  rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# A pipe: reading its first line waits for the relay, and ends also if the relay could not start.
mkfifo "$scratch/output"
"$relay_program" --listen 127.0.0.1:0 >"$scratch/output" &
relay=$!
exec 3<"$scratch/output"
if ! read -r first <&3; then
  wait "$relay" || true
  relay=
  echo "demo: the relay did not start" >&2
  exit 1
fi
page=${first##* }/
address=ws://${page#http://}ws

echo "relay: $address"
echo "page:  $page"
echo "       Open it in two browser tabs: they meet in a room, and each sees the other's cursor."
[ -n "$stay" ] || echo "       It is there for as long as this runs; with --stay, until Ctrl-C."
echo
echo "One host and 20 players for 8 seconds; every payload is checked:"
"$bot_program" --relay "$address" --players 20 --rate 20 --rpc-rate 5 --duration 8

if [ -n "$stay" ]; then
  echo
  echo "The relay stays at $page until Ctrl-C."
  trap : INT TERM HUP
  wait "$relay" || true
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
fi

kill -TERM "$relay" 2>/dev/null || true
status=0
wait "$relay" || status=$?
relay=
if [ "$status" -ne 0 ]; then
  echo "demo: the relay ended with status $status" >&2
  exit 1
fi
echo "demo: ok"
