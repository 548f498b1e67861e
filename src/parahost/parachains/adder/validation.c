/* The classical test parachain: a counter that each block adds to.
 *
 *   head       { number: u64, parent_hash: [u8; 32], post_state: [u8; 32] }
 *   block data { state: u64, add: u64 }; bytes after it are ignored
 *
 * parent_hash is Keccak-256 of the parent head, post_state Keccak-256 of the counter as u64. The
 * block data repeats the parent's counter, which must match the parent's post_state; the sum
 * wraps.
 */
#include "../wasm_abi.h"

struct __attribute__((packed)) head {
    u64 number;
    u8 parent_hash[HASH_SIZE];
    u8 post_state[HASH_SIZE];
};

__attribute__((export_name("validate_block"))) u64 validate_block(const u8 *data, u32 size) {
    struct validation_params params = read_params(data, size);
    require(params.parent_head.size == sizeof(struct head));
    const struct head *parent = (const struct head *)params.parent_head.data;
    u64 state = take_u64(&params.block_data);
    u64 add = take_u64(&params.block_data);

    u8 state_hash[HASH_SIZE];
    keccak_256((const u8 *)&state, sizeof state, state_hash);
    require(equal(parent->post_state, state_hash, HASH_SIZE));

    struct head head = {.number = parent->number + 1};
    keccak_256(params.parent_head.data, params.parent_head.size, head.parent_hash);
    u64 sum = state + add;
    keccak_256((const u8 *)&sum, sizeof sum, head.post_state);
    return return_head((const u8 *)&head, sizeof head, &params);
}
