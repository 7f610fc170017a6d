// TLS 1.2 and 1.3 of OpenSSL over memory: ciphertext goes in and comes out as bytes, no function
// touches a socket or blocks.
//
// A context may be used by one thread at a time, and so may a session.
#ifndef WEIR_CTLS_H
#define WEIR_CTLS_H

#include <stddef.h>
#include <stdint.h>

typedef struct weir_tls_context weir_tls_context;
typedef struct weir_tls weir_tls;

enum {
    WEIR_TLS_WANTS_MORE = 0,  // more ciphertext of the peer is needed
    WEIR_TLS_CLOSED = -1,     // the peer has ended the session in order
    WEIR_TLS_FAILED = -2,     // the session is broken; weir_tls_error says why
};

enum {
    WEIR_TLS_PEER_NOT_ASKED = 0,
    WEIR_TLS_PEER_ASKED = 1,     // a certificate is wanted, none is fine
    WEIR_TLS_PEER_REQUIRED = 2,  // without a valid certificate there is no session
};

// Makes a context. Paths may be null: without `certificate` and `key` the context has none, without
// `authorities` a client trusts those of the system and a server trusts nobody's certificate.
// `password` decrypts the key. Null and a reason in `error` when something can't be used.
weir_tls_context *weir_tls_context_create(
    int is_server, const char *certificate, const char *key, const char *password,
    const char *authorities, int peer, char *error, size_t error_size);
void weir_tls_context_free(weir_tls_context *context);

// Begins a session. A client gives the name that the server's certificate has to be for; with null
// the certificate's name is not checked.
weir_tls *weir_tls_create(weir_tls_context *context, const char *host);
void weir_tls_free(weir_tls *tls);

// Takes ciphertext of the peer; 0 or WEIR_TLS_FAILED.
int weir_tls_feed(weir_tls *tls, const void *bytes, size_t count);

// Goes on with the handshake: 1 when it is done, else WANTS_MORE or FAILED.
int weir_tls_handshake(weir_tls *tls);

// Plaintext of the peer, at least one byte and at most `capacity`; else one of the codes above.
int64_t weir_tls_read(weir_tls *tls, void *buffer, size_t capacity);

// Encrypts all of `bytes`; the ciphertext waits for weir_tls_take. 0 or WEIR_TLS_FAILED.
int weir_tls_write(weir_tls *tls, const void *bytes, size_t count);

// Ends our direction of the session in order, as far as it can still be told.
void weir_tls_close(weir_tls *tls);

// Ciphertext that waits to be sent, and the next part of it.
size_t weir_tls_pending(const weir_tls *tls);
size_t weir_tls_take(weir_tls *tls, void *buffer, size_t capacity);

// The distinguished name of the peer's certificate as RFC 2253 writes it, without the final zero;
// its length, 0 when there is no certificate, or WEIR_TLS_FAILED when it does not fit.
int64_t weir_tls_peer_name(const weir_tls *tls, char *buffer, size_t capacity);

// Why the session broke.
void weir_tls_error(const weir_tls *tls, char *buffer, size_t capacity);

#endif
