#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "loadgen/engine/curl_setup.h"

#define CERTIFICATES_MAX                                                                                               \
    1000u /* then they are not told: servers that make one for each connection have no meaning here */
#define CERTIFICATES_BYTES_MAX (64u << 20)
#define NAME_BYTES_MAX 4096u
#define SERIAL_BYTES_MAX 64u
#define ALT_NAMES_BYTES_MAX (64u << 10) /* certificates of some hundred names exist */

struct known_certificate {
    struct known_certificate *next;
    struct span der;
    struct conn_certificate says;
};
struct certificate_list {
    struct arena arena;
    struct known_certificate *first;
    size_t n;
};

void certificate_list_free(struct certificate_list *l)
{
    if (!l)
        return;
    arena_done(&l->arena);
    free(l);
}

/* "C=DE,O=Shop" with a blank after each comma that parts names (not an escaped one), as curl and Hurl show it. */
static const char *spaced_name(struct arena *a, const char *name)
{
    size_t n = strlen(name);
    char *out = arena_alloc(a, 2 * n + 1), *to = out;
    if (!out)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        *to++ = name[i];
        if (name[i] == '\\' && i + 1 < n)
            *to++ = name[++i];
        else if (name[i] == ',')
            *to++ = ' ';
    }
    return out;
}

typedef int (*name_of)(gnutls_x509_crt_t, char *, size_t *);

static const char *read_name(struct arena *a, gnutls_x509_crt_t crt, name_of of)
{
    char name[NAME_BYTES_MAX];
    size_t n = sizeof name;
    return of(crt, name, &n) < 0 ? "" : spaced_name(a, name);
}

static const char *read_serial(struct arena *a, gnutls_x509_crt_t crt)
{
    unsigned char serial[SERIAL_BYTES_MAX];
    size_t n = sizeof serial;
    if (gnutls_x509_crt_get_serial(crt, serial, &n) < 0)
        return "";
    char *out = arena_alloc(a, 3 * n + 1);
    for (size_t i = 0; out && i < n; i++)
        snprintf(out + 3 * i, 4, i + 1 < n ? "%02x:" : "%02x", serial[i]);
    return out;
}

static void put_alt_name(struct buf *out, unsigned type, const char *name, size_t n)
{
    static const char *const KINDS[] = {[GNUTLS_SAN_DNSNAME] = "DNS",
                                        [GNUTLS_SAN_RFC822NAME] = "email",
                                        [GNUTLS_SAN_URI] = "URI",
                                        [GNUTLS_SAN_IPADDRESS] = "IP Address"};
    char address[INET6_ADDRSTRLEN];
    if (type >= ARRAY_LEN(KINDS) || !KINDS[type])
        return;
    if (type == GNUTLS_SAN_IPADDRESS) {
        if ((n != 4 && n != 16) || !inet_ntop(n == 4 ? AF_INET : AF_INET6, name, address, sizeof address))
            return;
        name = address;
        n = strlen(address);
    }
    buf_printf(out, "%s%s:%.*s", out->len ? ", " : "", KINDS[type], (int)n, name);
}

/* As OpenSSL writes them, and so curl and hurl. */
static const char *read_alt_names(struct arena *a, gnutls_x509_crt_t crt)
{
    struct buf out;
    buf_init(&out, ALT_NAMES_BYTES_MAX);
    for (unsigned i = 0;; i++) {
        char name[NAME_BYTES_MAX];
        size_t n = sizeof name;
        int type = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &n, NULL);
        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            break;
        if (type >= 0)
            put_alt_name(&out, (unsigned)type, name, n);
        else if (type != GNUTLS_E_SHORT_MEMORY_BUFFER) /* of names too long to be shown the others still count */
            break;
    }
    const char *text = arena_dup(a, buf_view(&out));
    buf_done(&out);
    return text;
}

static const char *read_pem(struct arena *a, gnutls_x509_crt_t crt)
{
    gnutls_datum_t pem;
    if (gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem) < 0)
        return "";
    const char *text = arena_dup(a, span_of((const char *)pem.data, pem.size));
    gnutls_free(pem.data);
    return text;
}

static const struct conn_certificate *keep(struct certificate_list *l, const gnutls_datum_t *der)
{
    bool ok = true;
    struct known_certificate *k = l->n < CERTIFICATES_MAX ? arena_alloc(&l->arena, sizeof *k) : NULL;
    gnutls_x509_crt_t crt;
    if (!k || gnutls_x509_crt_init(&crt) < 0)
        return NULL;
    k->der = arena_span(&l->arena, span_of((const char *)der->data, der->size), &ok);
    if (ok && gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0) {
        k->says = (struct conn_certificate){
            .subject = read_name(&l->arena, crt, gnutls_x509_crt_get_dn),
            .issuer = read_name(&l->arena, crt, gnutls_x509_crt_get_issuer_dn),
            .serial_number = read_serial(&l->arena, crt),
            .alt_names = read_alt_names(&l->arena, crt),
            .pem = read_pem(&l->arena, crt),
            .starts_s = gnutls_x509_crt_get_activation_time(crt),
            .expires_s = gnutls_x509_crt_get_expiration_time(crt),
        };
        ok = k->says.subject && k->says.issuer && k->says.serial_number && k->says.alt_names && k->says.pem;
    } else {
        ok = false;
    }
    gnutls_x509_crt_deinit(crt);
    if (!ok)
        return NULL;
    k->next = l->first;
    l->first = k;
    l->n++;
    return &k->says;
}

const struct conn_certificate *certificate_of(struct certificate_list **list, CURL *easy)
{
    struct curl_tlssessioninfo *tls = NULL;
    unsigned n = 0;
    if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &tls) != CURLE_OK || !tls ||
        tls->backend != CURLSSLBACKEND_GNUTLS || !tls->internals)
        return NULL;
    const gnutls_datum_t *der = gnutls_certificate_get_peers(tls->internals, &n);
    if (!der || n == 0)
        return NULL;
    if (!*list) {
        *list = calloc(1, sizeof **list);
        if (!*list)
            return NULL;
        arena_init(&(*list)->arena, CERTIFICATES_BYTES_MAX);
    }
    for (struct known_certificate *k = (*list)->first; k; k = k->next)
        if (span_equal(k->der, span_of((const char *)der->data, der->size)))
            return &k->says;
    return keep(*list, der);
}
