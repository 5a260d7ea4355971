/* admin_tls.c — see admin_tls.h. */
#include "broker/edge/admin_tls.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lineward/keys.h"

#define PEM_BYTES_MAX (1024 * 1024)
#define KEY_ID_BYTES  64
#define KEPT_MAX      8 /* of those before: a connection that began so many reloads ago has its certificate */

struct tls_identity {
    gnutls_pcert_st chain[ADMIN_TLS_CHAIN_MAX];
    unsigned chain_length;
    gnutls_privkey_t key;
    struct tls_identity *before;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct tls_identity *newest; /* under the mutex */

void tls_identity_free(struct tls_identity **identity_p)
{
    struct tls_identity *identity = *identity_p;
    *identity_p = NULL;
    if (identity == NULL)
        return;
    for (unsigned i = 0; i < identity->chain_length; i++)
        gnutls_pcert_deinit(&identity->chain[i]);
    if (identity->key != NULL)
        gnutls_privkey_deinit(identity->key);
    free(identity);
}

/* ---- reading ---- */

static enum err refuse(struct admin_problem *problem, const char *path, const char *why)
{
    snprintf(problem->text, sizeof problem->text, "%.150s: %.90s", path, why);
    return ERR_BAD_INPUT;
}

/* *out is to be freed with pem_free(). */
static enum err pem_read(const char *path, bool is_secret, gnutls_datum_t *out, struct admin_problem *problem)
{
    struct stat status;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return refuse(problem, path, strerror(errno));
    unsigned char *text = calloc(1, PEM_BYTES_MAX + 1);
    size_t bytes = text != NULL ? fread(text, 1, PEM_BYTES_MAX, file) : 0;
    bool is_safe = !is_secret || (fstat(fileno(file), &status) == 0 && secret_mode_is_safe(status.st_mode));
    (void)fclose(file);
    out->data = text;
    out->size = (unsigned)bytes;
    if (bytes == 0)
        return refuse(problem, path, "is empty, or cannot be read");
    return is_safe ? ERR_NONE : refuse(problem, path, "others than its owner can read or change it: chmod 600");
}

static void pem_free(gnutls_datum_t *pem)
{
    if (pem->data != NULL)
        explicit_bzero(pem->data, pem->size);
    free(pem->data);
}

static enum err chain_read(struct tls_identity *identity, const char *path, struct admin_problem *problem)
{
    gnutls_datum_t pem = {NULL, 0};
    unsigned length = ADMIN_TLS_CHAIN_MAX;
    enum err err = pem_read(path, false, &pem, problem);
    if (err == ERR_NONE) {
        int rc = gnutls_pcert_list_import_x509_raw(identity->chain, &length, &pem, GNUTLS_X509_FMT_PEM, 0);
        if (rc < 0)
            err = refuse(problem, path, gnutls_strerror(rc));
        else
            identity->chain_length = length;
    }
    pem_free(&pem);
    return err;
}

static enum err key_read(struct tls_identity *identity, const char *path, struct admin_problem *problem)
{
    gnutls_datum_t pem = {NULL, 0};
    enum err err = pem_read(path, true, &pem, problem);
    int rc = err == ERR_NONE ? gnutls_privkey_init(&identity->key) : 0;
    if (err == ERR_NONE && rc >= 0)
        rc = gnutls_privkey_import_x509_raw(identity->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (rc < 0)
        err = refuse(problem, path, gnutls_strerror(rc));
    pem_free(&pem);
    return err;
}

static bool belong_together(const struct tls_identity *identity)
{
    unsigned char of_chain[KEY_ID_BYTES], of_key[KEY_ID_BYTES];
    size_t chain_bytes = sizeof of_chain, key_bytes = sizeof of_key;
    gnutls_pubkey_t public = NULL;
    bool same =
        gnutls_pubkey_init(&public) >= 0 && gnutls_pubkey_import_privkey(public, identity->key, 0, 0) >= 0 &&
        gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, of_key, &key_bytes) >= 0 &&
        gnutls_pubkey_get_key_id(identity->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, of_chain, &chain_bytes) >= 0 &&
        key_bytes == chain_bytes && memcmp(of_key, of_chain, key_bytes) == 0;
    if (public != NULL)
        gnutls_pubkey_deinit(public);
    return same;
}

enum err tls_identity_read(struct tls_identity **out, const char *cert_file, const char *key_file,
                           struct admin_problem *problem)
{
    struct tls_identity *identity = calloc(1, sizeof *identity);
    if (identity == NULL)
        return refuse(problem, cert_file, "out of memory");
    enum err err = chain_read(identity, cert_file, problem);
    if (err == ERR_NONE)
        err = key_read(identity, key_file, problem);
    if (err == ERR_NONE && !belong_together(identity))
        err = refuse(problem, key_file, "is not the key of the first certificate in broker.admin_tls_cert_file");
    if (err == ERR_NONE)
        *out = identity;
    else
        tls_identity_free(&identity);
    return err;
}

/* ---- in use ---- */

static void forget_after(struct tls_identity *identity, unsigned kept)
{
    for (; identity != NULL && kept > 0; kept--)
        identity = identity->before;
    while (identity != NULL && identity->before != NULL) {
        struct tls_identity *old = identity->before;
        identity->before = old->before;
        tls_identity_free(&old);
    }
}

void tls_identity_use(struct tls_identity **identity_p)
{
    struct tls_identity *identity = *identity_p;
    *identity_p = NULL;
    if (identity == NULL)
        return;
    pthread_mutex_lock(&mutex);
    identity->before = newest;
    newest = identity;
    forget_after(newest, KEPT_MAX);
    pthread_mutex_unlock(&mutex);
}

void tls_identity_forget(void)
{
    pthread_mutex_lock(&mutex);
    forget_after(newest, 0);
    tls_identity_free(&newest);
    pthread_mutex_unlock(&mutex);
}

int tls_identity_give(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
                      const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
                      unsigned int *chain_length, gnutls_privkey_t *key)
{
    (void)session;
    (void)authorities;
    (void)authority_count;
    (void)algorithms;
    (void)algorithm_count;
    pthread_mutex_lock(&mutex);
    if (newest != NULL) {
        *chain = newest->chain;
        *chain_length = newest->chain_length;
        *key = newest->key;
    }
    int rc = newest != NULL ? 0 : -1;
    pthread_mutex_unlock(&mutex);
    return rc;
}
