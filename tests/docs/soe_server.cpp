#include <muster/asio/loop.hpp>
#include <muster/asio/soe_socket.hpp>
#include <muster/asio/system_entropy.hpp>

class Echo : public muster::asio::SoeHandler {
 public:
  void on_data(muster::soe::SessionId session, muster::byte_view data, muster::soe::Channel channel,
               muster::time_point) override {
    // Copied; it leaves at the end of this pass, with whatever else goes to that peer.
    if (socket->enqueue(session, data, channel) == muster::soe::EnqueueStatus::over_budget) {
      // The peer does not take what it asks for. A game would drop it, or wait for on_writable.
      socket->terminate(session, muster::soe::DisconnectReason::reliable_overflow);
    }
  }

  muster::asio::SoeSocket* socket = nullptr;
};

int main() {
  asio::io_context context{1};
  muster::asio::Loop loop{context};
  muster::asio::SystemEntropy entropy;
  Echo echo;
  muster::asio::SoeOptions options;
  options.protocol = muster::soe::Config::for_own_ends();  // or the defaults, for old peers
  options.protocol.protocols = {"my-game"};
  muster::asio::SoeSocket socket{loop, options, entropy, echo};
  echo.socket = &socket;
  if (socket.bind("[::]:20260")) return 1;  // IPv6 and IPv4
  context.run();
}
