/* What the validation functions of the example parachains share: the calling convention (D32),
 * SCALE, Keccak-256. Freestanding C for clang's wasm32 target; no libc, no allocator.
 *
 * Whatever is wrong with the input traps: the host then calls the candidate invalid.
 */
#ifndef PARAHOST_WASM_ABI_H
#define PARAHOST_WASM_ABI_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned __int128 u128;
_Static_assert(sizeof(u32) == 4 && sizeof(u64) == 8 && sizeof(void *) == 4, "wasm32");

/* SCALE has no alignment, and Wasm needs none; both are little-endian. */
typedef u32 __attribute__((aligned(1))) u32_unaligned;
typedef u64 __attribute__((aligned(1))) u64_unaligned;
typedef u128 __attribute__((aligned(1))) u128_unaligned;

#define HOST(name) __attribute__((import_module("env"), import_name(#name))) extern
#define HASH_SIZE 32
#define SHARED static __attribute__((unused))

static inline void require(int condition) {
    if (!condition) __builtin_trap();
}

/* The compiler may call these two on its own. */
void *memcpy(void *restrict to, const void *restrict from, unsigned long size) {
    for (unsigned long i = 0; i < size; i++) ((u8 *)to)[i] = ((const u8 *)from)[i];
    return to;
}

void *memset(void *to, int value, unsigned long size) {
    for (unsigned long i = 0; i < size; i++) ((u8 *)to)[i] = (u8)value;
    return to;
}

SHARED int equal(const u8 *one, const u8 *other, u32 size) {
    for (u32 i = 0; i < size; i++)
        if (one[i] != other[i]) return 0;
    return 1;
}

/* --- Reading SCALE -------------------------------------------------------------------------- */

struct slice {
    const u8 *data;
    u32 size;
};

/* Cuts `size` bytes off the front of `input`. */
static const u8 *take(struct slice *input, u32 size) {
    require(size <= input->size);
    const u8 *data = input->data;
    input->data += size;
    input->size -= size;
    return data;
}

static inline u8 take_u8(struct slice *input) { return *take(input, 1); }
static inline u32 take_u32(struct slice *input) { return *(const u32_unaligned *)take(input, 4); }
static inline u64 take_u64(struct slice *input) { return *(const u64_unaligned *)take(input, 8); }
static inline u128 take_u128(struct slice *input) {
    return *(const u128_unaligned *)take(input, 16);
}

/* A compact integer that fits 32 bits, in its shortest form. */
static u32 take_compact(struct slice *input) {
    u32 first = take_u8(input);
    u32 value;
    switch (first & 3) {
    case 0:
        return first >> 2;
    case 1:
        value = first >> 2 | (u32)take_u8(input) << 6;
        require(value >= 1u << 6);
        return value;
    case 2:
        value = first >> 2 | (u32)take_u8(input) << 6;
        value |= (u32)take_u8(input) << 14;
        value |= (u32)take_u8(input) << 22;
        require(value >= 1u << 14);
        return value;
    default:
        require(first == 3);
        value = take_u32(input);
        require(value >= 1u << 30);
        return value;
    }
}

static struct slice take_bytes(struct slice *input) {
    u32 size = take_compact(input);
    struct slice bytes = {take(input, size), size};
    return bytes;
}

/* --- The call ------------------------------------------------------------------------------- */

struct validation_params {
    struct slice parent_head;
    struct slice block_data;
    u32 relay_parent_number;
    const u8 *relay_parent_storage_root;
};

static struct validation_params read_params(const u8 *data, u32 size) {
    struct slice input = {data, size};
    struct validation_params params;
    params.parent_head = take_bytes(&input);
    params.block_data = take_bytes(&input);
    params.relay_parent_number = take_u32(&input);
    params.relay_parent_storage_root = take(&input, HASH_SIZE);
    return params;
}

#define MAX_HEAD_SIZE 256

/* SCALE ValidationResult with a new head of at most MAX_HEAD_SIZE bytes, no new code, no messages,
 * and the relay parent as HRMP watermark; packed as the host expects it. */
SHARED u64 return_head(const u8 *head, u32 size, const struct validation_params *params) {
    static u8 result[2 + MAX_HEAD_SIZE + 3 + 4 + 4];
    require(size <= MAX_HEAD_SIZE);
    u8 *at = result;
    if (size < 64) {
        *at++ = (u8)(size << 2);
    } else {
        *at++ = (u8)(size << 2 | 1);
        *at++ = (u8)(size >> 6);
    }
    memcpy(at, head, size);
    at += size;
    memset(at, 0, 7); /* no code, no upward, no horizontal messages; no downward ones processed */
    at += 7;
    *(u32_unaligned *)at = params->relay_parent_number;
    at += 4;
    return (u64)(u32)(at - result) << 32 | (u32)result;
}

/* Memory that nothing else uses: pages behind the last one. */
static u8 *new_memory(u32 size) {
    u32 pages = __builtin_wasm_memory_grow(0, (size + 0xffff) >> 16);
    require(pages < 1u << 16);
    return (u8 *)(pages << 16);
}

/* A compact integer; what comes after it. */
static u8 *put_compact(u8 *at, u32 value) {
    u32 mode = value < 1u << 6 ? 0 : value < 1u << 14 ? 1 : value < 1u << 30 ? 2 : 3;
    if (mode == 3) {
        *at = 3;
        *(u32_unaligned *)(at + 1) = value;
        return at + 5;
    }
    for (u32 i = 0; i < 1u << mode; i++) at[i] = (u8)((value << 2 | mode) >> 8 * i);
    return at + (1u << mode);
}

static u8 *put_bytes(u8 *at, const u8 *data, u32 size) {
    at = put_compact(at, size);
    memcpy(at, data, size);
    return at + size;
}

/* As return_head, for heads of any size, and with new code: what the parachain wants to be judged
 * by from the upgrade on. The relay chain takes it when the upgrade is allowed, or refuses the
 * block; so return it only when the block asks for it, and only for whom it may. */
SHARED u64 return_head_and_code(const u8 *head, u32 size, struct slice code,
                                const struct validation_params *params) {
    u8 *result = new_memory(5 + size + 1 + 5 + code.size + 3 + 4);
    u8 *at = put_bytes(result, head, size);
    *at++ = 1;
    at = put_bytes(at, code.data, code.size);
    memset(at, 0, 6); /* no upward, no horizontal messages; no downward ones processed */
    at += 6;
    *(u32_unaligned *)at = params->relay_parent_number;
    at += 4;
    return (u64)(u32)(at - result) << 32 | (u32)result;
}

/* --- Keccak-256, with the padding before SHA-3's -------------------------------------------- */

#define KECCAK_RATE 136

static inline u64 rotate_left(u64 value, u32 bits) { return value << bits | value >> (64 - bits); }

static void keccak_f(u64 lanes[25]) {
    static const u64 round_constants[24] = {
        0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
        0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
        0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
        0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
        0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
        0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
    };
    /* The lanes in the order in which rho and pi chain them, with rho's rotations. */
    static const u8 chain[24] = {10, 7,  11, 17, 18, 3, 5,  16, 8,  21, 24, 4,
                                 15, 23, 19, 13, 12, 2, 20, 14, 22, 9,  6,  1};
    static const u8 rotations[24] = {1,  3,  6,  10, 15, 21, 28, 36, 45, 55, 2,  14,
                                     27, 41, 56, 8,  25, 43, 62, 18, 39, 61, 20, 44};
    for (u32 round = 0; round < 24; round++) {
        u64 column[5];
        for (u32 x = 0; x < 5; x++)
            column[x] = lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20];
        for (u32 x = 0; x < 5; x++) {
            u64 parity = column[(x + 4) % 5] ^ rotate_left(column[(x + 1) % 5], 1);
            for (u32 y = 0; y < 25; y += 5) lanes[x + y] ^= parity;
        }
        u64 moving = lanes[1];
        for (u32 i = 0; i < 24; i++) {
            u64 next = lanes[chain[i]];
            lanes[chain[i]] = rotate_left(moving, rotations[i]);
            moving = next;
        }
        for (u32 y = 0; y < 25; y += 5) {
            u64 row[5];
            memcpy(row, lanes + y, sizeof row);
            for (u32 x = 0; x < 5; x++) lanes[x + y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
        }
        lanes[0] ^= round_constants[round];
    }
}

SHARED void keccak_256(const u8 *data, u32 size, u8 hash[HASH_SIZE]) {
    u64 lanes[25] = {0};
    for (; size >= KECCAK_RATE; data += KECCAK_RATE, size -= KECCAK_RATE) {
        for (u32 i = 0; i < KECCAK_RATE / 8; i++) lanes[i] ^= ((const u64_unaligned *)data)[i];
        keccak_f(lanes);
    }
    u64 last[KECCAK_RATE / 8] = {0};
    memcpy(last, data, size);
    ((u8 *)last)[size] ^= 0x01;
    ((u8 *)last)[KECCAK_RATE - 1] ^= 0x80;
    for (u32 i = 0; i < KECCAK_RATE / 8; i++) lanes[i] ^= last[i];
    keccak_f(lanes);
    memcpy(hash, lanes, HASH_SIZE);
}

#endif
