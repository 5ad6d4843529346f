// SPDX-License-Identifier: MIT
// A program in C with an installed muster.
#include <muster/c/relay.h>
#include <muster/c/soe.h>

#include <stdio.h>

int main(void) {
  const uint8_t seed[MUSTER_SEED_SIZE] = {1};
  muster_soe_config soe_config;
  muster_soe* soe = NULL;
  muster_relay_config relay_config;
  muster_relay* relay = NULL;
  muster_soe_config_init(&soe_config, sizeof soe_config);
  muster_relay_config_init(&relay_config, sizeof relay_config);
  if (muster_soe_create(&soe_config, seed, 1, &soe, NULL, 0) != MUSTER_OK ||
      muster_relay_create(&relay_config, seed, 1, &relay, NULL, 0) != MUSTER_OK ||
      muster_soe_advance(soe, 2) != MUSTER_OK || muster_relay_advance(relay, 2) != MUSTER_OK) {
    return 1;
  }
  muster_soe_destroy(soe);
  muster_relay_destroy(relay);
  printf("muster %s from C\n", muster_release());
  return 0;
}
