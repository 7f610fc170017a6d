// Digests, message authentication, key derivation and signature checks of libcrypto, as plain
// functions over memory that the caller owns. None keeps state, allocates for the caller or prints.
//
// `bits` is 224, 256, 384 or 512 and chooses SHA-2 of that length, or 128 and chooses MD5, which is
// for checksums that others expect and protects nothing.
// Functions return 1 for success, 0 for "no" and -1 when the library fails or an argument is wrong.
#ifndef WEIR_CCRYPTO_H
#define WEIR_CCRYPTO_H

#include <stddef.h>
#include <stdint.h>

// Writes bits / 8 bytes.
int weir_digest(int bits, const void *message, size_t length, void *output);

// Writes bits / 8 bytes.
int weir_hmac(
    int bits, const void *key, size_t key_length, const void *message, size_t length,
    void *output);

// PBKDF2 with HMAC; writes `output_length` bytes.
int weir_pbkdf2(
    int bits, const void *password, size_t password_length, const void *salt, size_t salt_length,
    int iterations, void *output, size_t output_length);

// 1 when equal. The time depends on `length` only.
int weir_equal_bytes(const void *left, const void *right, size_t length);

// RSASSA-PKCS1-v1_5. Modulus and exponent are big-endian.
int weir_verify_rsa(
    int bits, const void *modulus, size_t modulus_length, const void *exponent,
    size_t exponent_length, const void *message, size_t length, const void *signature,
    size_t signature_length);

// ECDSA on P-256 (bits = 256) or P-384 (bits = 384). The coordinates and the two halves of the
// signature are big-endian, bits / 8 bytes each.
int weir_verify_ec(
    int bits, const void *x, const void *y, const void *message, size_t length,
    const void *signature, size_t signature_length);

// Overwrites memory in a way that is not optimised away.
void weir_wipe(void *memory, size_t length);

#endif
