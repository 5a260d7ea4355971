/* admin_tls.h — the certificate of port 7781: read whole from PEM files, taken by each new connection, and replaced
 * while others go on with the one they began with. Any thread may begin a connection; replacing is the owner's. */
#ifndef LINEWARD_EDGE_ADMIN_TLS_H
#define LINEWARD_EDGE_ADMIN_TLS_H

#include <gnutls/abstract.h>

#include "broker/edge/admin.h"

#define ADMIN_TLS_CHAIN_MAX  16
#define ADMIN_TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct tls_identity; /* a certificate with its chain, and its key */

/* Reads both files; the key must be the certificate's, and not readable by others. Else *problem says which file. */
enum err tls_identity_read(struct tls_identity **out, const char *cert_file, const char *key_file,
                           struct admin_problem *problem);
void tls_identity_free(struct tls_identity **identity_p);

/* New connections get this one from now on; taken over. NULL is fine: nothing to be had yet. */
void tls_identity_use(struct tls_identity **identity_p);
/* All that were in use; no connection may be left. */
void tls_identity_forget(void);
/* libmicrohttpd's MHD_OPTION_HTTPS_CERT_CALLBACK, which has no place for whose it is: one broker a process. */
int tls_identity_give(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
                      const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
                      unsigned int *chain_length, gnutls_privkey_t *key);

#endif
