#include "CCrypto.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <string.h>

static const EVP_MD *digest_of(int bits) {
    switch (bits) {
    case 128: return EVP_md5();
    case 224: return EVP_sha224();
    case 256: return EVP_sha256();
    case 384: return EVP_sha384();
    case 512: return EVP_sha512();
    default: return NULL;
    }
}

int weir_digest(int bits, const void *message, size_t length, void *output) {
    const EVP_MD *digest = digest_of(bits);
    if (!digest) return -1;
    return EVP_Digest(message, length, output, NULL, digest, NULL) == 1 ? 1 : -1;
}

int weir_hmac(
    int bits, const void *key, size_t key_length, const void *message, size_t length,
    void *output) {
    const EVP_MD *digest = digest_of(bits);
    if (!digest || key_length > INT32_MAX) return -1;
    // A null key means "the last key" to the library: an empty one has an address here.
    const void *some_key = key ? key : "";
    return HMAC(digest, some_key, (int)key_length, message, length, output, NULL) ? 1 : -1;
}

int weir_pbkdf2(
    int bits, const void *password, size_t password_length, const void *salt, size_t salt_length,
    int iterations, void *output, size_t output_length) {
    const EVP_MD *digest = digest_of(bits);
    if (!digest || iterations < 1 || password_length > INT32_MAX || salt_length > INT32_MAX
        || output_length > INT32_MAX)
        return -1;
    const char *some_password = password ? password : "";
    return PKCS5_PBKDF2_HMAC(
               some_password, (int)password_length, salt, (int)salt_length, iterations, digest,
               (int)output_length, output) == 1
        ? 1
        : -1;
}

int weir_equal_bytes(const void *left, const void *right, size_t length) {
    return length == 0 || CRYPTO_memcmp(left, right, length) == 0;
}

void weir_wipe(void *memory, size_t length) { OPENSSL_cleanse(memory, length); }

// Builds a public key of `type` from `params`, which are freed.
static EVP_PKEY *public_key(const char *type, OSSL_PARAM *params) {
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = params ? EVP_PKEY_CTX_new_from_name(NULL, type, NULL) : NULL;
    if (context && EVP_PKEY_fromdata_init(context) == 1)
        if (EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    return key;
}

// Frees `key`.
static int verify(
    EVP_PKEY *key, const EVP_MD *digest, int is_pkcs1, const void *message, size_t length,
    const void *signature, size_t signature_length) {
    int result = -1;
    EVP_MD_CTX *context = key ? EVP_MD_CTX_new() : NULL;
    EVP_PKEY_CTX *key_context = NULL;
    if (context && EVP_DigestVerifyInit(context, &key_context, digest, NULL, key) == 1
        && (!is_pkcs1 || EVP_PKEY_CTX_set_rsa_padding(key_context, RSA_PKCS1_PADDING) == 1))
        result = EVP_DigestVerify(context, signature, signature_length, message, length) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return result;
}

int weir_verify_rsa(
    int bits, const void *modulus, size_t modulus_length, const void *exponent,
    size_t exponent_length, const void *message, size_t length, const void *signature,
    size_t signature_length) {
    const EVP_MD *digest = digest_of(bits);
    if (!digest || modulus_length < 256 || modulus_length > 1024 || exponent_length < 1
        || exponent_length > 8)
        return -1;
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_length, NULL);
    BIGNUM *e = BN_bin2bn(exponent, (int)exponent_length, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (n && e && builder && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n)
        && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e))
        params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY *key = public_key("RSA", params);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    return verify(key, digest, 1, message, length, signature, signature_length);
}

// The two halves of an ECDSA signature in the form that the library takes; freed by OPENSSL_free.
static unsigned char *encoded_signature(
    const unsigned char *halves, size_t half_length, int *length) {
    unsigned char *encoded = NULL;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(halves, (int)half_length, NULL);
    BIGNUM *s = BN_bin2bn(halves + half_length, (int)half_length, NULL);
    if (pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = NULL;
        s = NULL;
        *length = i2d_ECDSA_SIG(pair, &encoded);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return encoded;
}

int weir_verify_ec(
    int bits, const void *x, const void *y, const void *message, size_t length,
    const void *signature, size_t signature_length) {
    if (bits != 256 && bits != 384) return -1;
    size_t half = (size_t)bits / 8;
    if (signature_length != 2 * half) return 0;
    unsigned char point[1 + 2 * 48];
    point[0] = 4;  // uncompressed
    memcpy(point + 1, x, half);
    memcpy(point + 1 + half, y, half);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    const char *curve = bits == 256 ? "prime256v1" : "secp384r1";
    if (builder
        && OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0)
        && OSSL_PARAM_BLD_push_octet_string(
            builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * half))
        params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY *key = public_key("EC", params);
    OSSL_PARAM_BLD_free(builder);
    int encoded_length = 0;
    unsigned char *encoded = encoded_signature(signature, half, &encoded_length);
    if (!encoded || encoded_length <= 0) {
        EVP_PKEY_free(key);
        OPENSSL_free(encoded);
        return -1;
    }
    int result = verify(
        key, digest_of(bits), 0, message, length, encoded, (size_t)encoded_length);
    OPENSSL_free(encoded);
    return result;
}
