#include "tests/support/stage.h"

#include "lib/base/buf.h"

struct e2e_program *stage_collector(void)
{
    return stage_collector_at(0);
}

struct e2e_program *stage_collector_at(uint16_t port)
{
    return e2e_start_at("crest-collector", E2E_ARGS("--data", e2e_path("collector")), port);
}

void stage_agent_config(const struct e2e_program *collector, const char *jobs)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_printf(&text,
               "global: {scrape_interval: 1s, scrape_timeout: 1s}\nremote_write: [{url: '%s/api/v1/write'}]\n"
               "scrape_configs:\n%s",
               e2e_url(collector), jobs);
    if (buf_error(&text))
        check_failed("the configuration is too large");
    e2e_write("prometheus.yml", text.data);
    buf_done(&text);
}

struct e2e_program *stage_agent(const struct e2e_program *collector, const char *jobs)
{
    stage_agent_config(collector, jobs);
    return e2e_start("crest-agent", E2E_ARGS("--config", e2e_path("prometheus.yml"), "--data", e2e_path("agent")));
}
