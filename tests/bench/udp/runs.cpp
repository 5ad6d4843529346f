// SPDX-License-Identifier: MIT
// Processes that measure once and write their figures into a pipe.
#include "runs.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

namespace muster_bench {

namespace {

constexpr unsigned patience = 300;  // seconds until a run is given up

// "=" and the values, or a sentence.
std::string measure(const Row& row, std::uint64_t run) {
  try {
    const std::vector<double> values = row.measure(run);
    std::string text(1 + values.size() * sizeof(double), '=');
    std::memcpy(text.data() + 1, values.data(), values.size() * sizeof(double));
    return text;
  } catch (const std::exception& error) {
    return error.what();
  }
}

std::string measure_in_child(const Row& row, std::uint64_t run) {
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) throw Failure("pipe");
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) throw Failure("fork");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(pipe[0]);
    ::alarm(patience);
    const std::string text = measure(row, run);
    const ssize_t written = ::write(pipe[1], text.data(), text.size());
    ::_exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  ::close(pipe[1]);
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t size = 0; (size = ::read(pipe[0], buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) {
    return WTERMSIG(status) == SIGALRM ? "did not finish in time"
                                       : "ended by signal " + std::to_string(WTERMSIG(status));
  }
  return text;
}

}  // namespace

double Measured::median(std::size_t column) const {
  std::vector<double> values;
  for (const std::vector<double>& run : runs) values.push_back(run[column]);
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double Measured::lowest(std::size_t column) const {
  double found = runs.front()[column];
  for (const std::vector<double>& run : runs) found = std::min(found, run[column]);
  return found;
}

double Measured::highest(std::size_t column) const {
  double found = runs.front()[column];
  for (const std::vector<double>& run : runs) found = std::max(found, run[column]);
  return found;
}

std::vector<Measured> run(const Scenario& scenario, std::uint64_t runs, bool with_control) {
  std::vector<Row> rows = scenario.rows;
  if (with_control && scenario.needs_control && !rows.empty()) {
    rows.push_back(rows.front());
    rows.back().name += " (again)";
  }
  std::vector<Measured> measured;
  for (const Row& row : rows) measured.push_back({row.name, {}, {}});
  for (std::uint64_t number = 1; number <= runs; ++number) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      // Each run begins with another row.
      const std::size_t index = (i + number) % rows.size();
      const std::string text = measure_in_child(rows[index], number);
      const std::size_t size = scenario.columns.size() * sizeof(double);
      if (text.size() == 1 + size && text[0] == '=') {
        std::vector<double> values(scenario.columns.size());
        std::memcpy(values.data(), text.data() + 1, size);
        measured[index].runs.push_back(std::move(values));
      } else {
        measured[index].failure = text;
        std::fprintf(stderr, "%s, %s: %s\n", scenario.name.c_str(), rows[index].name.c_str(),
                     text.c_str());
      }
    }
  }
  return measured;
}

}  // namespace muster_bench
