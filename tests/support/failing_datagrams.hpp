// SPDX-License-Identifier: MIT
// The system's calls for datagrams, of which some fail as a test likes.
#pragma once

#include "../lib/asio/datagram_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <functional>

namespace test {

/// One at a time: what it is told holds for all sockets that use its calls.
struct FailingDatagrams {
  using MessageHeader = muster::asio::MessageHeader;
  using DatagramCalls = muster::asio::DatagramCalls;

  FailingDatagrams() {
    errors.clear();
    receive_errors.clear();
    when_sending = {};
    most_at_once = 1000;
  }

  static inline std::deque<int> errors;          ///< of the next calls to send; 0: none
  static inline std::deque<int> receive_errors;  ///< of the next calls to receive
  static inline std::function<int(const msghdr&)> when_sending;  ///< the error of a message, or 0
  static inline unsigned most_at_once = 1000;                    ///< messages of one call to send

  static int take_first(std::deque<int>& list) {
    if (list.empty()) return 0;
    const int error = list.front();
    list.pop_front();
    return error;
  }
  static int send(int fd, MessageHeader* messages, unsigned count) {
    count = std::min(count, most_at_once);
    int error = take_first(errors);
    for (unsigned i = 0; i < count && when_sending && error == 0; ++i) {
      error = when_sending(messages[i].msg_hdr);
      if (error == 0 || i == 0) continue;
      count = i;  // as the system does: what is in front leaves
      error = 0;
    }
    if (error != 0) {
      errno = error;
      return -1;
    }
    return DatagramCalls::system().send(fd, messages, count);
  }
  static int receive(int fd, MessageHeader* messages, unsigned count) {
    if (const int error = take_first(receive_errors); error != 0) {
      errno = error;
      return -1;
    }
    return DatagramCalls::system().receive(fd, messages, count);
  }
  static constexpr DatagramCalls calls{send, receive};
};

}  // namespace test
