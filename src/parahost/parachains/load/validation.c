/* A parachain that is nothing but load: blocks of any size that take any time to validate.
 *
 *   head       { number: u64, parent_hash: [u8; 32], payload_digest: [u8; 32] }
 *   block data { iterations: u64, payload_digest: [u8; 32], payload: Vec<u8> }, and nothing after
 *
 * parent_hash is Keccak-256 of the parent head, payload_digest BLAKE2b-256 of the payload, which
 * the host computes: 10 MB take it some 15 ms. `iterations` rounds of arithmetic follow; a core
 * does some hundred millions a second.
 */
#include "../wasm_abi.h"

HOST(ext_hashing_blake2_256_version_1) const u8 *host_blake2_256(u64 span);

struct __attribute__((packed)) head {
    u64 number;
    u8 parent_hash[HASH_SIZE];
    u8 payload_digest[HASH_SIZE];
};

/* Work that the compiler can neither shorten nor leave out. */
static void burn(u64 iterations) {
    u64 value = 0;
    for (u64 i = 0; i < iterations; i++) {
        value = rotate_left((value ^ i) * 0x9e3779b97f4a7c15, 29);
        __asm__ volatile("" : "+r"(value));
    }
}

__attribute__((export_name("validate_block"))) u64 validate_block(const u8 *data, u32 size) {
    struct validation_params params = read_params(data, size);
    require(params.parent_head.size == sizeof(struct head));
    const struct head *parent = (const struct head *)params.parent_head.data;
    u64 iterations = take_u64(&params.block_data);
    const u8 *claimed = take(&params.block_data, HASH_SIZE);
    struct slice payload = take_bytes(&params.block_data);
    require(params.block_data.size == 0);

    const u8 *digest = host_blake2_256((u64)payload.size << 32 | (u32)payload.data);
    require(equal(claimed, digest, HASH_SIZE));
    burn(iterations);

    struct head head = {.number = parent->number + 1};
    keccak_256(params.parent_head.data, params.parent_head.size, head.parent_hash);
    memcpy(head.payload_digest, digest, HASH_SIZE);
    return return_head((const u8 *)&head, sizeof head, &params);
}
