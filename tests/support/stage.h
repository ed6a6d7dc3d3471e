/* stage.h - a collector and an agent in this test's folder, for end-to-end tests.
 *
 *   struct e2e_program *collector = stage_collector();
 *   struct e2e_program *agent = stage_agent(collector, "  - {job_name: a, static_configs: [{targets: ['h:1']}]}\n"); */
#pragma once

#include "tests/support/e2e.h"

/* With its data in FOLDER/collector: started again it goes on there. */
struct e2e_program *stage_collector(void);
struct e2e_program *stage_collector_at(uint16_t port);
/* Scrapes the jobs (items of scrape_configs, indented by two) every second and sends to the collector; its configuration
 * is FOLDER/prometheus.yml, its spool in FOLDER/agent. */
struct e2e_program *stage_agent(const struct e2e_program *collector, const char *jobs);
/* Write FOLDER/prometheus.yml as stage_agent does, for a reload. */
void stage_agent_config(const struct e2e_program *collector, const char *jobs);
