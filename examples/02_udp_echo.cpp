// SPDX-License-Identifier: MIT
// The same over real sockets: a server and a client of reliable UDP, each with a thread of its own
// for the network. What they are told waits in a queue until the program asks for it.
//
//   $ build/dev/examples/02_udp_echo
//   client: the session is open
//   client: "one" came back
//   client: "two" came back
//   client: 100000 bytes came back
//   client: the session is closed: application
#include <muster/asio/soe_client.hpp>
#include <muster/asio/soe_server.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <system_error>
#include <thread>

using namespace std::chrono_literals;
using muster::asio::EventStatus;
using muster::asio::SoeEvent;

// Sends back what comes, on the channel on which it came, until the server is stopped.
void echo(muster::asio::SoeServer& server) {
  const muster::asio::SoeHandle sessions = server.handle();
  SoeEvent event;
  for (EventStatus status{}; status != EventStatus::stopped;) {
    status = server.next_event(event, 1min);
    if (status != EventStatus::event || event.kind != SoeEvent::Kind::data) continue;
    sessions.enqueue(event.session, event.data, event.channel);
  }
}

int main() {
  muster::asio::SoeOptions options;
  options.protocol = muster::soe::Config::for_own_ends();  // the defaults are for old peers
  options.protocol.protocols = {"echo"};
  muster::asio::SoeServer server{options};
  muster::asio::SoeClient client{options};
  std::error_code error = server.listen("127.0.0.1:0");  // 0: any free port
  if (!error) error = client.connect_to(server.local().to_string(), "echo");
  if (error) {
    std::cerr << error.message() << std::endl;
    return 1;
  }
  std::thread echoing{[&server] { echo(server); }};

  // They leave when the session is open. The large one travels in many datagrams.
  client.enqueue(muster::as_bytes("one"));
  client.enqueue(muster::as_bytes("two"));
  client.enqueue(muster::as_bytes(std::string(100'000, 'x')));

  bool is_closed = false;
  for (SoeEvent event; !is_closed && client.next_event(event, 10s) == EventStatus::event;) {
    switch (event.kind) {
      case SoeEvent::Kind::opened:
        std::cout << "client: the session is open\n";
        break;
      case SoeEvent::Kind::data:
        if (event.data.size() < 10) {
          std::cout << "client: \"" << muster::as_text(event.data) << "\" came back\n";
        } else {
          std::cout << "client: " << event.data.size() << " bytes came back\n";
          client.close();
        }
        break;
      case SoeEvent::Kind::writable:
        break;  // only after an enqueue that found no room
      case SoeEvent::Kind::closed:
        std::cout << "client: the session is closed: " << to_string(event.reason) << '\n';
        is_closed = true;
        break;
    }
  }
  server.stop();
  echoing.join();
  return is_closed ? 0 : 1;
}
