#include "lib/base/options.h"

#include "crest_version.h" /* generated; only this file includes it, so a commit rebuilds only this file */

const char *crest_version(void)
{
    return CREST_VERSION;
}
