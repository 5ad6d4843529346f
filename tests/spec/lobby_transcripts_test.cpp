// SPDX-License-Identifier: MIT
// The recorded conversations of the protocol, played against the client in virtual time.
#include "support/catch.hpp"
#include "support/lobby_script.hpp"

#include <cstddef>
#include <string>

using muster::test::json;

TEST_CASE("lobby transcripts: every recorded conversation", "[lobby][vectors]") {
  const json vectors = test::load_vectors("lobby_vectors.json");
  std::size_t played = 0;
  for (const json& transcript : vectors["transcripts"]) {
    const std::string id = transcript["id"].get<std::string>();
    ++played;
    DYNAMIC_SECTION(id << ": " << transcript["title"].get<std::string>()) {
      if (id == "L22") {  // refused before anything is dialled
        std::string problem;
        CHECK(muster::lobby::validate(muster::test::configure(transcript["options"]), problem));
        CHECK(transcript["expect"]["error"] == "bad_token");
        CHECK(problem.find("token") == 0);
        CHECK(problem.find("extbot") == std::string::npos);
      } else {
        muster::test::run_transcript<muster::test::LobbyWorld>(transcript);
      }
    }
  }
  CHECK(played == 60);
}
