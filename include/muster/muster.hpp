// SPDX-License-Identifier: MIT
// Every core header. The drivers under muster/asio/ are not among them: they include Asio.
#pragma once

#include <muster/address.hpp>
#include <muster/backoff.hpp>
#include <muster/block.hpp>
#include <muster/bytes.hpp>
#include <muster/close_reason.hpp>
#include <muster/connection.hpp>
#include <muster/deadline_wheel.hpp>
#include <muster/dialer.hpp>
#include <muster/entropy.hpp>
#include <muster/error.hpp>
#include <muster/frame.hpp>
#include <muster/group.hpp>
#include <muster/message.hpp>
#include <muster/outbox.hpp>
#include <muster/request.hpp>
#include <muster/result.hpp>
#include <muster/router.hpp>
#include <muster/service.hpp>
#include <muster/time.hpp>
#include <muster/url.hpp>
#include <muster/utf8.hpp>
#include <muster/version.hpp>

#include <muster/memory/dialer.hpp>
#include <muster/memory/network.hpp>
#include <muster/relay/ending.hpp>
#include <muster/relay/error_text.hpp>
#include <muster/relay/game_config.hpp>
#include <muster/relay/host.hpp>
#include <muster/relay/hosted_room.hpp>
#include <muster/relay/join_request.hpp>
#include <muster/relay/membership.hpp>
#include <muster/relay/message.hpp>
#include <muster/relay/parting.hpp>
#include <muster/relay/player.hpp>
#include <muster/relay/service.hpp>
#include <muster/relay/sync_filter.hpp>
#include <muster/room/room.hpp>
#include <muster/wire/byte_reader.hpp>
#include <muster/wire/byte_writer.hpp>
#include <muster/wire/mask.hpp>
#include <muster/wire/postcard.hpp>
