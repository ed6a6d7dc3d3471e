/* crest-shop: the sample commerce service, and its payment gateway. */
#include "lib/base/daemon.h"
#include "lib/base/log.h"
#include "lib/base/options.h"
#include "shop/gateway.h"
#include "shop/server.h"

static const struct command_def COMMANDS[] = {
    {"", NULL, 0, 0, "run the shop"},
    {"gateway", NULL, 0, 0, "run the payment gateway"},
    {0},
};
static const struct option_def OPTIONS[] = {
    {.name = "listen",
     .type = OPT_TEXT,
     .arg = "ADDR:PORT",
     .fallback = "127.0.0.1:9483",
     .env = "CREST_LISTEN",
     .help = "address to listen on (the gateway's default is 127.0.0.1:9484); port 0 picks one and prints it"},
    {.name = "gateway",
     .type = OPT_TEXT,
     .arg = "URL",
     .fallback = "http://127.0.0.1:9484",
     .help = "the payment gateway",
     .commands = ""},
    {.name = "gateway-timeout",
     .type = OPT_DURATION,
     .arg = "DURATION",
     .fallback = "10s",
     .min = 1,
     .max = 600000,
     .help = "how long a payment may take",
     .commands = ""},
    {.name = "data",
     .type = OPT_TEXT,
     .arg = "DIR",
     .help = "folder for carts and orders; without it they are kept in memory",
     .commands = ""},
    {.name = "sessions",
     .type = OPT_COUNT,
     .arg = "N",
     .fallback = "10",
     .min = 1,
     .max = 64,
     .help = "database sessions in the pool",
     .commands = ""},
    {.name = "stock",
     .type = OPT_COUNT,
     .arg = "N",
     .fallback = "100000",
     .min = 0,
     .max = 1000000,
     .help = "units of each article at first",
     .commands = ""},
    {.name = "seed", .type = OPT_COUNT, .arg = "N", .fallback = "1", .help = "seed of the catalogue", .commands = ""},
    {.name = "access-log",
     .type = OPT_TEXT,
     .arg = "FILE",
     .help = "access log in the combined format",
     .commands = ""},
    {.name = "access-log-json", .type = OPT_TEXT, .arg = "FILE", .help = "access log as JSON lines", .commands = ""},
    {.name = "require-token",
     .type = OPT_FLAG,
     .help = "JSON requests need the CSRF token, too, and every POST makes a new one",
     .commands = ""},
    {.name = "latency",
     .type = OPT_DURATION,
     .arg = "DURATION",
     .fallback = "80ms",
     .max = 600000,
     .help = "time a payment takes",
     .commands = "gateway"},
    {.name = "jitter",
     .type = OPT_DURATION,
     .arg = "DURATION",
     .fallback = "40ms",
     .max = 600000,
     .help = "plus or minus, uniform",
     .commands = "gateway"},
    {.name = "decline",
     .type = OPT_NUMBER,
     .arg = "RATIO",
     .fallback = "0.02",
     .max = 1,
     .help = "share of payments declined",
     .commands = "gateway"},
    {.name = "error",
     .type = OPT_NUMBER,
     .arg = "RATIO",
     .fallback = "0",
     .max = 1,
     .help = "share of payments answered with 502",
     .commands = "gateway"},
    {.name = "hang",
     .type = OPT_NUMBER,
     .arg = "RATIO",
     .fallback = "0",
     .max = 1,
     .help = "share of payments that get no answer",
     .commands = "gateway"},
    {.name = "rate-limit",
     .type = OPT_NUMBER,
     .arg = "RPS",
     .fallback = "0",
     .max = 1000000,
     .help = "payments per second before 429; 0 is none",
     .commands = "gateway"},
    {0},
};
static const struct program_def PROGRAM = {
    .name = "crest-shop",
    .summary = "a sample shop with faults to switch on, and its payment gateway",
    .examples = "  crest-shop gateway &                           # 127.0.0.1:9484\n"
                "  crest-shop --data ./shop-data                  # 127.0.0.1:9483\n"
                "  curl -X PUT -d '{\"gateway\":{\"latency_ms\":3000}}' 127.0.0.1:9483/control\n",
    .commands = COMMANDS,
    .options = OPTIONS,
};

int main(int argc, char **argv)
{
    struct options *options = NULL;
    int code = options_parse(&PROGRAM, argc, argv, &options);
    if (code != OPTIONS_RUN)
        return code;
    bool gateway = options_command(options)[0] != 0;
    log_init(gateway ? "crest-shop-gateway" : "crest-shop", LOG_LEVEL_INFO);
    daemon_init(gateway ? "crest-shop-gateway" : "crest-shop");
    code = gateway ? gateway_main(options) : shop_main(options);
    options_free(options);
    return code;
}
