/* limits.h - every limit of the platform with its reason. What a full queue does stands beside it.
 *
 * A limit that a user may want to move is an option with this as its default; the rest are constants. */
#pragma once

/* ---- bodies and texts ---- */
#define BODY_BYTES_MAX (32u << 20)       /* decoded request or response body; Prometheus's remote write sends < 1 MB */
#define WRITE_BODY_BYTES_MAX (16u << 20) /* compressed remote-write body: 413 above */
#define WRITE_REQUEST_BYTES_MAX                                                                                        \
    (128u << 20)                          /* one decoded write request in memory, 4 x its body: 413 above. Real ones
                                                take 2-3 x; a body of empty series would take 40 x */
#define API_BODY_BYTES_MAX (1u << 20)     /* form and JSON bodies of the API: 413 above */
#define SCRAPE_BODY_BYTES_MAX (64u << 20) /* decoded exposition page (body_size_limit lowers it): scrape fails above */
#define CONFIG_BYTES_MAX (16u << 20)      /* any configuration file */
#define QUERY_TEXT_BYTES_MAX (1u << 20)   /* a PromQL expression */
#define YAML_NODES_MAX 1000000u           /* nodes after expanding aliases: stops billion-laughs files */
#define YAML_DEPTH_MAX 100u               /* nesting; the deepest real file (Kubernetes' own) is below 20 */
#define YAML_BYTES_MAX (256u << 20)       /* memory of one document: a full CONFIG_BYTES_MAX of one-letter items fits */
#define JSON_DEPTH_MAX 128u
#define PROBLEMS_MAX 200u /* problems kept per check; the rest is counted */

/* ---- labels ---- */
#define LABELS_MAX 128u /* per series */
#define LABEL_NAME_BYTES_MAX 1024u
#define LABEL_VALUE_BYTES_MAX 65535u

/* ---- queues of the collector: full means 503 with Retry-After, counted ---- */
#define WRITE_QUEUE_MAX 256u /* write requests waiting for the writer: ~1 s of a full core */
#define WRITE_QUEUE_BYTES_MAX (256u << 20)
#define QUERY_QUEUE_MAX 256u  /* queries waiting for a worker */
#define STATE_QUEUE_MAX 1024u /* state changes waiting for the state writer; rules wait (they must not lose) */

/* ---- rules and deliveries ---- */
#define RULES_PER_FILE_MAX 100000u /* groups' rules together; above, the file is refused */
#define RULE_SERIES_MAX 100000u    /* results of one rule: its evaluation fails above (Prometheus has no bound) */
#define RULE_WRITE_BYTES_MAX (256u << 20) /* what one group's evaluation writes; it fails above */
#define TEMPLATE_BYTES_MAX 65536u         /* one expanded label or annotation: <error expanding template> above */
#define TEMPLATE_DEPTH_MAX 64u            /* nesting of actions and parentheses */
#define DELIVERY_ROWS_MAX 10000u          /* Prometheus's notification queue; the oldest is dropped, counted */
#define DELIVERY_ALERTS_MAX 500u          /* alerts in one body; more go into further bodies, none is left out */
#define DELIVERY_INFLIGHT_MAX 16u         /* requests at once to a receiver */

/* ---- events and annotations ---- */
#define ANNOTATIONS_MAX 100000u /* a deploy every minute for two months; the oldest make room */
#define FIRINGS_MAX 50000u      /* firings whose words are kept for reports; the oldest make room */
#define FIRING_WORDS_MAX 2000u  /* bytes of them; the rest is cut off */
#define PAUSES_MAX 10000u       /* stretches without an evaluation that are kept; the oldest make room */
#define FIRINGS_PAUSE_MS 5000   /* rules that are late by less than that are no pause */
#define EVENTS_MAX 1000u        /* imported events: a new name is refused above */
#define EVENT_LENGTH_MAX_MS (31ll * 24 * 3600 * 1000) /* a month of sale */
#define EVENT_MARKETS_MAX 64u
#define EVENT_CHANNELS_MAX 32u
#define EVENT_PHASES_MAX 64u
#define EVENT_ROWS_MAX 500000u           /* of a plan: a month by the minute for ten markets */
#define EVENT_FILE_BYTES_MAX (16u << 20) /* event.yml, plan.csv or last.csv */
#define TALLY_GROUPS_MAX 10000u          /* of a counted sum: its figure fails above */
#define TALLY_SERIES_MAX 20000u          /* counters behind one figure: it fails above */
#define REPORT_BYTES_MAX (64u << 20)     /* a report: 64 markets of a month by the minute */
#define EVENT_BODY_BYTES_MAX (64u << 20) /* an import: the three of them, quoted */
#define EVENT_BYTES_MAX (512ul << 20) /* one event in memory: EVENT_ROWS_MAX rows, their curves, a month of minutes */
#define REPORT_ROWS_MAX 200u          /* alerts, annotations, gaps: beyond, the table says how many more */
#define ANNOTATION_KIND_MAX 32u       /* bytes: one word */
#define ANNOTATION_SERVICE_MAX 256u   /* bytes */
#define ANNOTATION_TEXT_MAX 2000u     /* bytes: a paragraph; the API refuses more */
/* ---- store ---- */
#define STORE_SERIES_MAX                                                                                               \
    10000000u /* default cap: 324 B each (6 labels) are 3.2 GB; new series are refused above, known ones go on */
#define STORE_KEYS_BYTES                                                                                               \
    (4u << 20) /* series keys kept as they are, of the first some 30,000: found in a third of the time */
#define STORE_FUTURE_MS 600000 /* default: a sender's clock may be this much ahead; refused above */
#define RULE_INPUTS_MAX 256u   /* metric names that a rule group reads; with more it runs at any commit */
#define STORE_WATCH_MAX                                                                                                \
    1024u /* metric names whose samples a commit tells of; what rules beyond them read wakes them at any commit */
#define STORE_HEAD_SAMPLES (4u << 17) /* samples in memory before they are sealed: some 9 MB, replayed in 0.2 s ... */
#define STORE_HEAD_SAMPLES_PER_SERIES                                                                                  \
    20u /* ... or as many per series, whichever is more: extents should not become tiny, and a
                                  million series should not take more than a GB */
#define STORE_HELD_SEALS                                                                                               \
    5u /* heads that are sealed but in the log still: they wait to be merged before they are written */
#define STORE_HELD_SAMPLES (5u << 19)       /* of them together: replayed in 0.8 s */
#define STORE_HELD_BYTES (4u << 20)         /* of their extents, in memory */
#define STORE_HEAD_OVERFLOW 4u              /* times the above when sealing fails: then ingest is refused (503) */
#define STORE_RECORD_BYTES (16u << 20)      /* a commit stops taking requests here; SQLite's rows end at 1 GB */
#define STORE_RECORD_BYTES_MAX (256u << 20) /* of one record: the above and one request as large as the queue takes */
#define STORE_WAL_BYTES (24u << 20)         /* checkpoint from here on: a 20 MB one takes 60-95 ms */
#define STORE_WAL_BYTES_MAX (64u << 20)     /* readers wait for a full checkpoint when the WAL is larger */
#define STORE_TOMBSTONES_MAX                                                                                           \
    1000000u /* deletions not cleaned up yet, by group of 128 series: 56 B each; further ones are refused */
#define STORE_RETENTIONS_MAX 64u /* selectors with a retention of their own: each new series is tried against them */
#define STORE_READER_BYTES_MAX                                                                                         \
    (128u << 20)                        /* extents a reader keeps for neighbouring series; above, it reads them again */
#define STORE_EXEMPLARS_MAX 65536u      /* of all series, some 15 MB (Prometheus: 100,000); the oldest goes */
#define STORE_SERIES_EXEMPLARS_MAX 128u /* of one, so that a chatty series does not push out the others' */
#define FAMILIES_MAX 100000u /* metric families with metadata; further ones keep their samples, not their help */

/* ---- queries ---- */
#define QUERY_BYTES_MAX (512ul << 20) /* memory of one query: 422 above */
#define QUERY_SAMPLES_MAX 50000000ul  /* samples of one query, Prometheus's default: 422 above */
#define QUERY_TIMEOUT_MS 120000       /* Prometheus's default: 503 above */
#define QUERY_POINTS_MAX 11000u       /* per series of query_range, Prometheus's bound: 400 above */
#define QUERY_DEPTH_MAX 256u          /* nesting of an expression */
#define QUERY_HEIGHT_MAX 2048u /* height of an expression's tree: a + b + c ... leans to the left without nesting */
#define LOOKBACK_MS 300000
#define SUBQUERY_STEP_MS 60000             /* where [range:] names none: Prometheus's default evaluation interval */
#define ANSWER_WHOLE_BYTES (1u << 20)      /* answers up to here are sent at once, longer ones as they are taken */
#define ANSWER_PIECE_BYTES_MAX (64u << 20) /* one point, the largest histogram, and the above: 422 above */
#define ANSWERS_BYTES_MAX                                                                                              \
    (1ul << 30) /* results kept while their clients take the answer: 503 above. Two of the largest queries' */

/* ---- http server ---- */
#define HTTP_CONNECTIONS_MAX 4096u
#define HTTP_CONNECTIONS_PER_ADDRESS_MAX 1024u
#define HTTP_HEADER_DEADLINE_MS 10000 /* first byte to end of headers */
#define HTTP_BODY_DEADLINE_MS 30000   /* or 64 KB/s, whichever is later */
#define HTTP_BODY_BYTES_PER_S_MIN 65536
#define HTTP_MEMORY_PER_CONNECTION 131072u /* libmicrohttpd's pool, see docs/http.md */
#define HTTP_SEGMENTS_MAX 8u               /* {names} of one route */
#define HTTP_PARAMS_MAX 10000u             /* query and form parameters of one request: 400 above */
#define HTTP_DRAIN_BYTES_MAX (1u << 20)    /* body read and thrown away so that a refusal reaches its sender */
#define HTTP_LINGER_MAX 32u /* sockets of refused bodies beyond that which are read to their end: reset above */
#define HTTP_LINGER_BYTES_MAX (64u << 20) /* of each, */
#define HTTP_LINGER_MS 5000               /* and for so long */
#define HTTP_IDLE_DEADLINE_MS 120000      /* a kept-alive connection without a request */
#define HTTP_REPLY_DEADLINE_MS 60000      /* taking a reply, or at 16 KB/s, whichever is later */
#define HTTP_REPLY_BYTES_PER_S_MIN 16384
#define HTTP_UNTAKEN_MS                                                                                                \
    60000 /* bytes that a peer neither acknowledges nor has room for: it is gone, or as good as gone */
#define HTTP_STREAM_IDLE_S 180u  /* libmicrohttpd's own: a stream's client that takes nothing of what is there */
#define HTTP_STOP_FLUSH_MS 1000  /* for the last answers to leave */
#define HTTP_GZIP_BYTES_MIN 1024 /* below, a reply fits one packet anyway */
#define HTTP_AUTH_QUEUE_MAX 64u  /* requests waiting for a check, ~4 s of it: 503 with Retry-After above */
#define HTTP_AUTH_GOOD_MAX 64u   /* credentials known to be right: oldest forgotten */
#define HTTP_AUTH_BAD_MAX 256u   /* and wrong, so that a client with an old password costs one check */

/* ---- the live stream ---- */
#define LIVE_CLIENTS_MAX 2048u            /* default of --stream-clients: 503 above; each costs a connection's pool */
#define LIVE_CLIENTS_PER_ADDRESS_MAX 64u  /* default of --stream-clients-per-address: one office behind one address */
#define LIVE_FRAME_BYTES_MAX (256u << 10) /* a frame: what does not fit is counted in `more`; 2 Mbit/s at worst */
#define LIVE_SOURCES_MAX 16u              /* sections of a frame */
#define LIVE_ROWS_MAX 20000u              /* rows of one section, /state included; further ones are counted in `more` */
#define LIVE_SECTION_BYTES_MAX (32u << 20) /* what one section renders; above, its last rows stay */
#define LIVE_STATE_BYTES_MAX (64u << 20)   /* an answer of /state: 503 above */
#define LIVE_WAITERS_MAX 64u               /* requests of /state at once: 503 above */
#define VIEW_LOOK_BYTES_MAX (256ul << 20)  /* of one frame's look; the sections stay as they were above */

/* ---- http client ---- */
#define HTTP_REQUESTS_MAX 20000u /* of one client at once: twice TARGETS_MAX; -EAGAIN above, the caller counts */
#define HTTP_IDLE_CONNECTIONS_MAX 10000u /* one per target; libcurl's own rule closes them when the count moves */
#define HTTP_RESPONSE_HEADER_BYTES_MAX (256u << 10)

/* ---- agent ---- */
#define SPOOL_BYTES_MAX (512ull << 20) /* default of --spool-size: oldest segment dropped, samples counted */
#define TARGETS_MAX 10000u
#define AGENT_METADATA_MAX 100000u         /* metric families remembered as sent; more are sent again */
#define TARGET_BYTES_MAX (1u << 20)        /* labels and URL of one target */
#define SPOOL_SEGMENT_BYTES_MAX (4u << 20) /* a file of the spool: what dropping the oldest loses at once */
/* ---- the terminal ---- */
#define TIMELINE_BYTES_MAX                                                                                             \
    (16u << 20)                    /* a shop of a few services: a night; 200 services: some minutes; 0.2 s to walk */
#define TIMELINE_FRAMES_MAX 43200u /* half a day of seconds: an idle collector's frames are small */
#define HISTORY_TRACKS_MAX 2048u   /* 3.6 KB each: 7 MB; lines beyond show no graph */
#define MODEL_ROWS_MAX 20000u  /* of a section: ten thousand services with room; further rows are counted as "more" */
#define MODEL_SECTIONS_MAX 64u /* of the stream: four times LIVE_SOURCES_MAX */
#define SSE_EVENT_BYTES_MAX (4u << 20)       /* a frame is at most 256 KB; room for a collector with other limits */
#define SSE_ID_BYTES_MAX 128u                /* ours are EPOCH-SEQ, 40 bytes */
#define REPLAY_BYTES_MAX (256u << 20)        /* a night of frames */
#define CONSOLE_ANSWER_BYTES_MAX (24u << 20) /* 15 minutes of 200 services' graphs are some 10 MB */
#define CONSOLE_FRAME_BYTES_MAX (16u << 20)  /* of one drawing: the row lists of ten thousand services take 2 MB */
#define EXPLORE_SERIES_MAX 200u              /* lines nobody could tell apart; the table says how many more */
#define EXPLORE_POINTS_MAX 400u              /* steps of a graph: the widest terminal has 400 columns */
/* ---- journeys and load ---- */
#define HURL_TREE_BYTES_MAX (256u << 20) /* a file of CONFIG_BYTES_MAX needs several times its size at worst */
#define HURL_VARIABLES_MAX 4096u         /* every session has a slot for each */
#define JSONPATH_DEPTH_MAX 64u           /* nested filters and parentheses */
#define JSONPATH_TEXT_BYTES_MAX 65536u   /* bytes of a path */
#define JSONPATH_NODES_MAX 1000000u      /* nodes held while evaluating: `$..*..*` over a large body must end */
#define XPATH_NODES_MAX 100000           /* a page has some thousand */
#define COOKIE_BYTES_MAX 4096u           /* name and value, rfc6265bis 5.7 */
#define COOKIES_MAX 180u                 /* per user; browsers keep that many per site */
#define RECORD_BYTES_MAX                                                                                               \
    (1u << 30)             /* log and JSON of one tested file: a body of BODY_BYTES_MAX may be in it several times */
#define JOURNEYS_MAX 1000u /* files of one run */
#define JOURNEY_STEPS_MAX 2000u       /* of all journeys: each has 7 histograms of 0.2 MB in every worker */
#define SESSION_STEPS_MAX 10000u      /* a @goto loop must end */
#define SESSION_BYTES_MAX (64u << 20) /* captures of one session */
#define STEP_BYTES_MAX (256u << 20)   /* while one response is looked at */
#define WAITING_ARRIVALS_MAX 1000000u /* arrivals waiting for one of --users: beyond they are dropped */
#define PLAN_STAGES_MAX 1000u         /* of a ramp or stairs */
#define PLAN_RATE_MAX 1e7             /* sessions per second */
#define FEED_BYTES_MAX (256u << 20)   /* a file of variables, a row per session */
#define FEED_COLUMNS_MAX 64u          /* variables it sets */
#define FEED_ROWS_MAX 20000000u       /* offsets of 8 bytes each: 160 MB */
#define ALLOW_HOSTS_MAX 10000u        /* hosts that load may go to */
#define RESULT_BYTES_MAX (256u << 20) /* a run as JSON: an hour of seconds of some hundred steps */
#define IDLE_TRANSFERS_MAX 1024u      /* easy handles kept for reuse: about 10 KB each */
#define PUSH_QUEUE_MAX 900            /* 15 minutes of a collector that is away */
#define PUSH_BYTES_MAX (64u << 20)    /* one message of results: every step's buckets */
#define LIMIT_PROBES_MAX 64u          /* of one search for the limit: an evening at a minute each */
#define SIGNAL_SERIES_MAX 512u        /* of the server's signals that a run is held against: services times routes */
#define SIGNAL_POINTS_MAX 4096u       /* of each: more than an hour by the second, longer runs more coarsely */
#define SIGNALS_PIECE_MS 1800000 /* of one question: half an hour of a second's samples of a hundred routes is 5 MB */
#define SERVER_BENDS_MAX 32u     /* signals that left their relation to the load and are told */
/* ---- rehearsals of events ---- */
#define REHEARSAL_MINUTES_MAX 50000          /* a month of sale and the day before */
#define REHEARSAL_QUERY_BYTES_MAX 65536u     /* a query with all names of markets */
#define REHEARSAL_WORDS_BYTES_MAX (1u << 18) /* what is said of it: JOURNEYS_MAX names with their shares */
#define REHEARSAL_STAGES_BYTES_MAX 65536u    /* PLAN_STAGES_MAX of 60 bytes at most */
/* ---- several machines ---- */
#define WORKERS_MAX 64u                   /* of one run */
#define ORDER_BYTES_MAX (256u << 20)      /* journeys and feeds for a worker, in base64 */
#define ORDER_ARGS_MAX 2000u              /* options and files of a run */
#define RESULT_LINE_BYTES_MAX (64u << 20) /* a worker's counters of a second: 200 steps of full histograms */
/* ---- synthetic journeys ---- */
#define SYNTHETIC_JOURNEYS_MAX 256u     /* a thread each */
#define ARTIFACT_BYTES_MAX (2u << 20)   /* one failed exchange while it is made fit to be kept */
#define ARTIFACT_BODY_BYTES_MAX 65536u  /* of a body in it */
#define ARTIFACTS_MAX 500u              /* files kept; the oldest goes */
#define ARTIFACTS_BYTES_MAX (64u << 20) /* all of them */
/* ---- imported journeys ---- */
#define IMPORT_FILE_BYTES_MAX (512u << 20)   /* a HAR with bodies: an hour of browsing is some 100 MB */
#define IMPORT_DRAFT_BYTES_MAX (256u << 20)  /* one journey in the making: a CONFIG_BYTES_MAX file with room */
#define IMPORT_VALUE_BYTES_MAX 4096u         /* a value that is followed from a response to a request: tokens, ids */
#define IMPORT_COMMAND_BYTES_MAX (16u << 20) /* a curl command with its body */
#define HAR_ENTRIES_MAX 100000u              /* exchanges of a recording; later ones are left out and counted */
#define HAR_SOURCES_MAX 1000000u             /* values of responses that are remembered */
#define HAR_BODY_BYTES_MAX (8u << 20)        /* a response's body beyond is not looked into */
#define HAR_SEARCH_BODIES 16u      /* latest texts in which a value without a place of its own is looked for */
#define LOG_LINE_BYTES_MAX 65536u  /* a line of an access log; longer ones are bad lines */
#define LOG_ZSTD_WINDOW_LOG_MAX 27 /* 128 MB while a log is unpacked: what zstd itself takes without being asked */
#define LOG_CLIENTS_MAX 1000000u   /* visitors within 30 minutes; above, new ones are not told apart and counted */
#define LOG_ARRIVALS_MAX 10000000u /* requests whose times are kept (8 bytes each); sessions likewise */
#define LOG_SECOND_MAX 200000u     /* lines of one second that are spread together */
#define LOG_NODES_MAX 20000u       /* pieces of paths that are told apart */
#define LOG_ROUTES_MAX 500u        /* routes whose order is counted: a table of 500 x 500 */
#define LOG_STEPS_MAX 60u          /* steps of a journey made of a log: the most frequent routes */
#define LOG_SAMPLES_MAX 1000u      /* different requests remembered of a route */
#define LOG_THINKS_KEPT 200u       /* pauses remembered of a route, a fair sample */
#define LOG_FEED_ROWS 2000u        /* of the data file beside the journey */
#define LOG_BAD_LINES_SHOWN 5u     /* with their place; the others are counted */
/* ---- plans of a run ---- */
#define PLAN_PHASES_MAX 32u               /* with figures of their own: histograms of every step for each */
#define PLAN_TRACE_MAX 20000000u          /* recorded arrivals of a phase: 160 MB */
#define PLAN_TRACE_BYTES_MAX (512u << 20) /* the file that they stand in */
#define TRAFFIC_CLASSES_MAX 16u           /* side by side: customers, bots, …; each is a look per turn of a worker */
#define THRESHOLDS_MAX 1000u              /* of a plan; each is evaluated once a second */
#define RUN_SERIES_POINTS_MAX 3600u       /* of a run: an hour by the second, longer ones more coarsely */
#define RUN_SERIES_BYTES_MAX (64u << 20)  /* of their histograms: some 300 bytes each */

/* ---- the shop and its demo ---- */
#define SHOP_FORM_BYTES_MAX 65536  /* a form or JSON body: 413 above */
#define GATEWAY_PENDING_MAX 8192   /* payments waiting for their latency; 503 above */
#define CART_ITEMS_MAX 20u         /* different articles in a cart: 400 above */
#define SHOP_SESSIONS_MAX 200000u  /* visitors remembered; idle ones go first, then 503 */
#define SHOP_WORK_QUEUE_MAX 4096u  /* requests waiting for a worker: 503 above */
#define STORY_BYTES_MAX (1u << 20) /* some 10,000 lines; a sale tells fewer than 100 */
#define DEMO_PAGES_MAX 256         /* alerts of one demo; later ones are not remembered */
