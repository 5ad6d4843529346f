// SPDX-License-Identifier: MIT
// The reliable-UDP benchmark: chooses scenarios and contestants, and prints the tables.
#include "json.hpp"
#include "runs.hpp"
#include "scenario.hpp"
#include "table.hpp"

#include <fnmatch.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr const char* usage_text =
    R"(usage: muster-bench-udp [OPTION...]

Reliable ordered messages over UDP: muster's SOE sessions beside ENet, and the floor that system
calls set. Each figure is the median of some runs, with their range.

  --scenario GLOB,...   scenarios to run; all by default
  --only GLOB,...       contestants to run; all by default
  --runs N              runs of each row, in turns; 5 by default
  --seconds S           that a run in real time measures; 0.5 by default
  --virtual F           factor of the lengths of runs in virtual time; 1 by default
  --no-control          does not run the first contestant twice
  --markdown            prints Markdown
  --json FILE           writes the values of every run as well
  --list                lists the scenarios and their rows
)";

struct Options {
  std::string scenarios = "*";
  std::string only = "*";
  std::string json_path;
  std::uint64_t runs = 5;
  muster_bench::Settings settings;
  bool control = true;
  bool markdown = false;
  bool list = false;
};

bool matches(const std::string& name, const std::string& globs) {
  for (std::size_t at = 0; at <= globs.size();) {
    const std::size_t end = std::min(globs.find(',', at), globs.size());
    if (fnmatch(globs.substr(at, end - at).c_str(), name.c_str(), 0) == 0) return true;
    at = end + 1;
  }
  return false;
}

bool parse(int count, char** arguments, Options& options) {
  for (int i = 1; i < count; ++i) {
    const std::string_view name = arguments[i];
    if (name == "--no-control") {
      options.control = false;
    } else if (name == "--markdown") {
      options.markdown = true;
    } else if (name == "--list") {
      options.list = true;
    } else if (i + 1 == count) {
      return false;
    } else if (name == "--scenario") {
      options.scenarios = arguments[++i];
    } else if (name == "--only") {
      options.only = arguments[++i];
    } else if (name == "--json") {
      options.json_path = arguments[++i];
    } else if (name == "--runs") {
      options.runs = std::strtoull(arguments[++i], nullptr, 10);
    } else if (name == "--seconds") {
      options.settings.seconds = std::strtod(arguments[++i], nullptr);
    } else if (name == "--virtual") {
      options.settings.virtual_seconds = std::strtod(arguments[++i], nullptr);
    } else {
      return false;
    }
  }
  return options.runs != 0 && options.settings.seconds > 0 && options.settings.virtual_seconds > 0;
}

std::vector<muster_bench::Scenario> all_scenarios(const Options& options) {
  using namespace muster_bench;
  std::vector<Contestant> contestants;
  const auto add = [&](std::vector<Contestant> more) {
    for (Contestant& contestant : more) {
      if (matches(contestant.name, options.only)) contestants.push_back(std::move(contestant));
    }
  };
#if MUSTER_BENCH_ENET
  add(enet_contestants());
#endif
  add(muster_contestants());

  std::vector<Scenario> scenarios = floor_scenarios(options.settings);
  for (const auto make :
       {transfer_scenarios, latency_scenarios, goodput_scenarios, session_scenarios}) {
    for (Scenario& scenario : make(contestants, options.settings)) {
      scenarios.push_back(std::move(scenario));
    }
  }
  std::erase_if(scenarios, [&](const Scenario& scenario) {
    return !matches(scenario.name, options.scenarios);
  });
  return scenarios;
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  if (!parse(count, arguments, options)) {
    std::fputs(usage_text, stderr);
    return 2;
  }
  bool all_good = true;
  std::string results;
  for (const muster_bench::Scenario& scenario : all_scenarios(options)) {
    if (options.list) {
      std::printf("%s: %s\n", scenario.name.c_str(), scenario.title.c_str());
      for (const muster_bench::Row& row : scenario.rows) std::printf("  %s\n", row.name.c_str());
      continue;
    }
    const auto rows = muster_bench::run(scenario, options.runs, options.control);
    std::fputs(muster_bench::table(scenario, rows, options.markdown).c_str(), stdout);
    std::fflush(stdout);
    results += (results.empty() ? "\n" : ",\n") + muster_bench::json(scenario, rows);
    for (const muster_bench::Measured& row : rows) all_good = all_good && row.failure.empty();
  }
  if (!options.json_path.empty() && !options.list) {
    std::ofstream file{options.json_path};
    file << "{\"scenarios\": [" << results << "\n]}\n";
    if (!file.flush()) {
      std::fprintf(stderr, "cannot write %s\n", options.json_path.c_str());
      return 1;
    }
  }
  return all_good ? 0 : 1;
}
