#include "CTLS.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The library must not take itself down at exit: threads of the client may still be freeing their
// sessions then.
__attribute__((constructor)) static void keep_library_until_the_end(void) {
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

struct weir_tls_context {
    SSL_CTX *ctx;
    int is_server;
    int checks_peer;
};

struct weir_tls {
    SSL *ssl;
    BIO *incoming;  // owned by ssl
    BIO *outgoing;  // owned by ssl
    char error[256];
};

static void copy_text(char *buffer, size_t capacity, const char *text) {
    if (capacity == 0) return;
    snprintf(buffer, capacity, "%s", text);
}

// The oldest error of this thread's queue, which is emptied.
static void take_error(char *buffer, size_t capacity, const char *what) {
    unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    if (capacity > 0) snprintf(buffer, capacity, "%s: %s", what, reason ? reason : "unknown");
    ERR_clear_error();
}

static int give_password(char *buffer, int size, int is_writing, void *password) {
    (void)is_writing;
    // Without a password an encrypted key is an error: nobody is there to be asked.
    if (!password) return 0;
    size_t length = strlen(password);
    if (length > (size_t)size) return 0;
    memcpy(buffer, password, length);
    return (int)length;
}

static int load(
    SSL_CTX *ctx, int is_server, const char *certificate, const char *key, const char *password,
    const char *authorities, char *error, size_t error_size) {
    SSL_CTX_set_default_passwd_cb(ctx, give_password);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, (void *)password);
    if (certificate && SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1) {
        take_error(error, error_size, "the certificate can't be read");
        return 0;
    }
    if (key && SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
        take_error(error, error_size, "the key can't be read");
        return 0;
    }
    if (certificate && key && SSL_CTX_check_private_key(ctx) != 1) {
        take_error(error, error_size, "the key does not belong to the certificate");
        return 0;
    }
    SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    if (authorities) {
        if (SSL_CTX_load_verify_locations(ctx, authorities, NULL) != 1) {
            take_error(error, error_size, "the authorities can't be read");
            return 0;
        }
        if (is_server) {
            STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(authorities);
            if (names) SSL_CTX_set_client_CA_list(ctx, names);
        }
    } else if (!is_server) {
        SSL_CTX_set_default_verify_paths(ctx);
    }
    ERR_clear_error();
    return 1;
}

weir_tls_context *weir_tls_context_create(
    int is_server, const char *certificate, const char *key, const char *password,
    const char *authorities, int peer, char *error, size_t error_size) {
    weir_tls_context *context = calloc(1, sizeof *context);
    SSL_CTX *ctx = context ? SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method())
                           : NULL;
    if (!ctx) {
        copy_text(error, error_size, "no memory");
        free(context);
        return NULL;
    }
    context->ctx = ctx;
    context->is_server = is_server;
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    // Renegotiation is work that a stranger can ask for; tickets and a session cache would carry a
    // client's certificate from one connection to the next.
    SSL_CTX_set_options(
        ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET
                 | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (is_server) SSL_CTX_set_num_tickets(ctx, 0);
    // An idle connection keeps no buffers.
    SSL_CTX_set_mode(
        ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE
                 | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify_depth(ctx, 8);
    SSL_CTX_set_max_cert_list(ctx, 64 << 10);
    SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM");
    int mode = SSL_VERIFY_NONE;
    if (peer == WEIR_TLS_PEER_ASKED) mode = SSL_VERIFY_PEER;
    if (peer == WEIR_TLS_PEER_REQUIRED)
        mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    context->checks_peer = mode != SSL_VERIFY_NONE;
    SSL_CTX_set_verify(ctx, mode, NULL);
    if (!load(ctx, is_server, certificate, key, password, authorities, error, error_size)) {
        weir_tls_context_free(context);
        return NULL;
    }
    return context;
}

void weir_tls_context_free(weir_tls_context *context) {
    if (!context) return;
    SSL_CTX_free(context->ctx);
    free(context);
}

weir_tls *weir_tls_create(weir_tls_context *context, const char *host) {
    weir_tls *tls = calloc(1, sizeof *tls);
    if (!tls) return NULL;
    tls->ssl = SSL_new(context->ctx);
    BIO *incoming = BIO_new(BIO_s_mem());
    BIO *outgoing = BIO_new(BIO_s_mem());
    if (!tls->ssl || !incoming || !outgoing) {
        BIO_free(incoming);
        BIO_free(outgoing);
        SSL_free(tls->ssl);
        free(tls);
        return NULL;
    }
    // An empty buffer means "later", not "the end".
    BIO_set_mem_eof_return(incoming, -1);
    BIO_set_mem_eof_return(outgoing, -1);
    SSL_set_bio(tls->ssl, incoming, outgoing);
    tls->incoming = incoming;
    tls->outgoing = outgoing;
    if (context->is_server) {
        SSL_set_accept_state(tls->ssl);
        return tls;
    }
    SSL_set_connect_state(tls->ssl);
    if (host) {
        ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);
        int is_set;
        if (address) {
            is_set = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), host);
        } else {
            is_set = SSL_set1_host(tls->ssl, host) && SSL_set_tlsext_host_name(tls->ssl, host);
        }
        ASN1_OCTET_STRING_free(address);
        if (!is_set) {
            weir_tls_free(tls);
            return NULL;
        }
    }
    return tls;
}

void weir_tls_free(weir_tls *tls) {
    if (!tls) return;
    SSL_free(tls->ssl);
    free(tls);
}

int weir_tls_feed(weir_tls *tls, const void *bytes, size_t count) {
    while (count > 0) {
        size_t written = 0;
        if (BIO_write_ex(tls->incoming, bytes, count, &written) != 1 || written == 0) {
            copy_text(tls->error, sizeof tls->error, "no memory");
            return WEIR_TLS_FAILED;
        }
        bytes = (const char *)bytes + written;
        count -= written;
    }
    return 0;
}

// What an unsuccessful call means.
static int outcome(weir_tls *tls, int result, const char *what) {
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return WEIR_TLS_WANTS_MORE;
    case SSL_ERROR_ZERO_RETURN: return WEIR_TLS_CLOSED;
    default: {
        long verified = SSL_get_verify_result(tls->ssl);
        if (verified != X509_V_OK) {
            snprintf(
                tls->error, sizeof tls->error, "%s: %s", what,
                X509_verify_cert_error_string(verified));
            ERR_clear_error();
        } else {
            take_error(tls->error, sizeof tls->error, what);
        }
        return WEIR_TLS_FAILED;
    }
    }
}

int weir_tls_handshake(weir_tls *tls) {
    ERR_clear_error();
    int result = SSL_do_handshake(tls->ssl);
    if (result == 1) return 1;
    int code = outcome(tls, result, "handshake failed");
    return code == WEIR_TLS_CLOSED ? WEIR_TLS_FAILED : code;
}

int64_t weir_tls_read(weir_tls *tls, void *buffer, size_t capacity) {
    size_t count = 0;
    ERR_clear_error();
    int result = SSL_read_ex(tls->ssl, buffer, capacity, &count);
    return result == 1 ? (int64_t)count : outcome(tls, result, "reading failed");
}

int weir_tls_write(weir_tls *tls, const void *bytes, size_t count) {
    while (count > 0) {
        size_t written = 0;
        ERR_clear_error();
        int result = SSL_write_ex(tls->ssl, bytes, count, &written);
        if (result != 1) {
            // The outgoing buffer grows, so there is nothing to wait for.
            if (outcome(tls, result, "writing failed") != WEIR_TLS_FAILED)
                copy_text(tls->error, sizeof tls->error, "writing in the middle of a handshake");
            return WEIR_TLS_FAILED;
        }
        bytes = (const char *)bytes + written;
        count -= written;
    }
    return 0;
}

void weir_tls_close(weir_tls *tls) {
    ERR_clear_error();
    SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

size_t weir_tls_pending(const weir_tls *tls) { return BIO_ctrl_pending(tls->outgoing); }

size_t weir_tls_take(weir_tls *tls, void *buffer, size_t capacity) {
    size_t count = 0;
    if (BIO_read_ex(tls->outgoing, buffer, capacity, &count) != 1) return 0;
    return count;
}

int64_t weir_tls_peer_name(const weir_tls *tls, char *buffer, size_t capacity) {
    X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    if (!certificate || SSL_get_verify_result(tls->ssl) != X509_V_OK) return 0;
    BIO *text = BIO_new(BIO_s_mem());
    if (!text) return WEIR_TLS_FAILED;
    int64_t length = WEIR_TLS_FAILED;
    X509_NAME *name = X509_get_subject_name(certificate);
    // As RFC 2253, but letters beyond ASCII stay as they are.
    if (X509_NAME_print_ex(text, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        size_t pending = BIO_ctrl_pending(text);
        size_t count = 0;
        if (pending == 0) {
            length = 0;
        } else if (pending <= capacity && BIO_read_ex(text, buffer, pending, &count) == 1) {
            length = (int64_t)count;
        }
    }
    BIO_free(text);
    ERR_clear_error();
    return length;
}

void weir_tls_error(const weir_tls *tls, char *buffer, size_t capacity) {
    copy_text(buffer, capacity, tls->error[0] ? tls->error : "the session ended");
}
