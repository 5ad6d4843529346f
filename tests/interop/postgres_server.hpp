// SPDX-License-Identifier: MIT
// A real PostgreSQL server of the test's own: a folder in /tmp, a Unix socket, no port.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace records_test {

/// Starts with the first use in a process, and ends with the process.
class PostgresServer {
 public:
  /// @return the folder with `initdb` and `postgres`; empty if they are not installed
  static std::filesystem::path binaries() {
    std::filesystem::path newest;
    int newest_version = 0;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator{"/usr/lib/postgresql", error}) {
      const int version = std::atoi(entry.path().filename().c_str());
      const auto bin = entry.path() / "bin";
      if (version > newest_version && std::filesystem::exists(bin / "initdb") &&
          std::filesystem::exists(bin / "postgres")) {
        newest = bin;
        newest_version = version;
      }
    }
    return newest;
  }

  static PostgresServer& instance() {
    static PostgresServer server;
    return server;
  }

  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  /// libpq's description of a connection, with what is put behind it.
  [[nodiscard]] std::string connection(const std::string& more = "dbname=postgres") const {
    return "host=" + folder_.string() + " user=muster " + more;
  }

  /// A description of a connection to an empty schema.
  std::string fresh() {
    const std::string name = "test_" + std::to_string(++schemas_);
    execute("CREATE SCHEMA " + name);
    return connection("dbname=postgres options=-csearch_path=" + name);
  }

  void execute(const std::string& statements) { query(connection(), statements); }

  using Rows = std::vector<std::vector<std::string>>;

  static Rows query(const std::string& where, const std::string& statements) {
    const std::unique_ptr<PGconn, decltype(&PQfinish)> connection{PQconnectdb(where.c_str()),
                                                                  &PQfinish};
    const std::unique_ptr<PGresult, decltype(&PQclear)> result{
        PQexec(connection.get(), statements.c_str()), &PQclear};
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      throw std::runtime_error{PQerrorMessage(connection.get())};
    }
    Rows rows;
    for (int r = 0; r < PQntuples(result.get()); ++r) {
      auto& row = rows.emplace_back();
      for (int c = 0; c < PQnfields(result.get()); ++c) {
        row.emplace_back(PQgetvalue(result.get(), r, c));
      }
    }
    return rows;
  }

  void start() {
    server_ = spawn({(bin_ / "postgres").string(), "-D", data(), "-k", folder_.string(), "-c",
                     "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=20"});
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (PQping(connection().c_str()) != PQPING_OK) {
      int status = 0;
      if (::waitpid(server_, &status, WNOHANG) == server_ ||
          std::chrono::steady_clock::now() > deadline) {
        throw std::runtime_error{"PostgreSQL does not start; see " + log()};
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
  }

  /// Ends the server and with it every connection.
  void stop() {
    if (server_ <= 0) return;
    ::kill(server_, SIGINT);
    ::waitpid(server_, nullptr, 0);
    server_ = 0;
  }

 private:
  PostgresServer() : bin_(binaries()) {
    std::string name = (std::filesystem::temp_directory_path() / "muster-pg-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{"no folder for PostgreSQL"};
    folder_ = name;
    // PostgreSQL refuses to run as root.
    if (::geteuid() == 0) {
      user_ = ::getpwnam("postgres");
      if (user_ == nullptr) user_ = ::getpwnam("nobody");
      if (user_ == nullptr || ::chown(name.c_str(), user_->pw_uid, user_->pw_gid) != 0) {
        throw std::runtime_error{"no user to run PostgreSQL as"};
      }
    }
    int status = 0;
    ::waitpid(spawn({(bin_ / "initdb").string(), "-D", data(), "-U", "muster", "-A", "trust", "-E",
                     "UTF8", "--locale=C", "--no-sync"}),
              &status, 0);
    if (status != 0) throw std::runtime_error{"initdb failed; see " + log()};
    start();
  }
  ~PostgresServer() {
    stop();
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }

  [[nodiscard]] std::string data() const { return (folder_ / "data").string(); }
  [[nodiscard]] std::string log() const { return (folder_ / "log").string(); }

  pid_t spawn(const std::vector<std::string>& command) {
    std::vector<char*> arguments;
    for (const std::string& argument : command) {
      arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);
    const std::string log_file = log();
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child != 0) return child;
    if (user_ != nullptr && (::setgroups(0, nullptr) != 0 || ::setgid(user_->pw_gid) != 0 ||
                             ::setuid(user_->pw_uid) != 0)) {
      ::_exit(126);
    }
    // A test that is killed takes the server with it.
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (::getppid() != parent) ::_exit(126);
    const int out = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    if (::chdir("/") != 0) ::_exit(126);
    ::execv(arguments.front(), arguments.data());
    ::_exit(127);
  }

  std::filesystem::path bin_;
  std::filesystem::path folder_;
  const passwd* user_ = nullptr;
  pid_t server_ = 0;
  int schemas_ = 0;
};

}  // namespace records_test
