/* option_tables.h - crest-loadgen's options, a table for each kind of command, each ended by {0}; --help has them in this order.
 *
 * Where two of one name differ (test's are hurl's), the one of the command counts. */
#pragma once

#include "lib/base/options.h"

extern const struct option_def LOAD_OPTIONS[], IMPORT_OPTIONS[], TEST_OPTIONS[];
