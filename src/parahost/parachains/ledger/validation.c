/* Accounts, and signed transfers between them.
 *
 *   head       { number: u64, parent_hash: [u8; 32], state_root: [u8; 32], chain: [u8; 32] }
 *   block data { witness: Node, transfers: Vec<Transfer> }, and nothing after
 *   Transfer   { from: [u8; 32], to: [u8; 32], amount: u128, nonce: u64, signature: [u8; 64] }
 *   Node       enum { 0 Pruned([u8; 32]), 1 Empty, 2 Leaf(Account), 3 Branch(Node, Node) }
 *   Account    { id: [u8; 32], nonce: u64, balance: u128 }
 *
 * parent_hash is Keccak-256 of the parent head. chain names the ledger: each head has its parent's,
 * and a transfer is good on one ledger only. An account's id is its sr25519 public key. The
 * signature is over the 15 bytes `ledger/transfer`, the chain, and the transfer's fields before it.
 *
 * State. A binary tree over Keccak-256 of the account ids: at depth d, bit d (the highest bit of
 * byte 0 first) says left (0) or right (1). A subtree without accounts is Empty, one with a single
 * account that account's Leaf, one with more a Branch. So the tree is as deep as two hashes agree
 * and depends on nothing but its accounts. Hashes:
 *
 *   Empty   32 zero bytes
 *   Leaf    Keccak-256(0x00 ++ Account)
 *   Branch  Keccak-256(0x01 ++ left ++ right)
 *
 * The state root is the hash of the whole. The witness is the parent's tree with the subtrees that
 * no transfer touches replaced by their hashes.
 *
 * Transfers apply in order. One needs a sender with that nonce and balance, and a right signature;
 * it raises the nonce, and creates the receiver with nonce 0 if there is none. A single wrong one
 * makes the block invalid. Python mirrors all this in `state.py`.
 */
#include "../wasm_abi.h"

HOST(ext_crypto_sr25519_verify_version_2)
u32 host_sr25519_verify(const u8 *signature, u64 message_span, const u8 *public);

#define ID_SIZE 32
#define SIGNATURE_SIZE 64
#define MAX_DEPTH 256
#define ARENA_SIZE (16 * 1024 * 1024)

struct __attribute__((packed)) head {
    u64 number;
    u8 parent_hash[HASH_SIZE];
    u8 state_root[HASH_SIZE];
    u8 chain[HASH_SIZE];
};

struct __attribute__((packed)) account {
    u8 id[ID_SIZE];
    u64 nonce;
    u128 balance;
};

struct __attribute__((packed)) transfer {
    u8 from[ID_SIZE];
    u8 to[ID_SIZE];
    u128 amount;
    u64 nonce;
    u8 signature[SIGNATURE_SIZE];
};

enum kind { PRUNED, EMPTY, LEAF, BRANCH };

struct node {
    enum kind kind;
    u32 hash_is_known;
    u8 hash[HASH_SIZE];
    union {
        struct account account;
        struct node *children[2];
    };
};

static struct node *new_node(enum kind kind) {
    static struct node arena[ARENA_SIZE / sizeof(struct node)];
    static u32 used;
    require(used < sizeof arena / sizeof arena[0]);
    struct node *node = &arena[used++];
    node->kind = kind;
    return node;
}

static struct node *read_node(struct slice *input, u32 depth) {
    require(depth <= MAX_DEPTH);
    struct node *node = new_node(take_u8(input));
    switch (node->kind) {
    case PRUNED:
        memcpy(node->hash, take(input, HASH_SIZE), HASH_SIZE);
        node->hash_is_known = 1;
        break;
    case EMPTY:
        break;
    case LEAF:
        memcpy(&node->account, take(input, sizeof node->account), sizeof node->account);
        break;
    case BRANCH:
        node->children[0] = read_node(input, depth + 1);
        node->children[1] = read_node(input, depth + 1);
        break;
    default:
        __builtin_trap();
    }
    return node;
}

static const u8 *hash_of(struct node *node) {
    if (node->hash_is_known) return node->hash;
    u8 preimage[1 + 2 * HASH_SIZE];
    switch (node->kind) {
    case LEAF:
        preimage[0] = 0;
        memcpy(preimage + 1, &node->account, sizeof node->account);
        keccak_256(preimage, 1 + sizeof node->account, node->hash);
        break;
    case BRANCH:
        preimage[0] = 1;
        memcpy(preimage + 1, hash_of(node->children[0]), HASH_SIZE);
        memcpy(preimage + 1 + HASH_SIZE, hash_of(node->children[1]), HASH_SIZE);
        keccak_256(preimage, sizeof preimage, node->hash);
        break;
    default:
        break; /* Empty: the arena's zeros */
    }
    node->hash_is_known = 1;
    return node->hash;
}

static u32 bit_at(const u8 path[HASH_SIZE], u32 depth) {
    require(depth < MAX_DEPTH);
    return path[depth / 8] >> (7 - depth % 8) & 1;
}

/* The account, which is about to change; created, with nothing in it, if `create` and there is
 * none. Traps when it is absent, or the witness does not show it. */
static struct account *account_of(struct node **root, const u8 *id, int create) {
    u8 path[HASH_SIZE];
    keccak_256(id, ID_SIZE, path);
    struct node **place = root;
    for (u32 depth = 0;; depth++) {
        struct node *node = *place;
        switch (node->kind) {
        case BRANCH:
            node->hash_is_known = 0;
            place = &node->children[bit_at(path, depth)];
            continue;
        case LEAF:
            if (equal(node->account.id, id, ID_SIZE)) {
                node->hash_is_known = 0;
                return &node->account;
            }
            require(create);
            /* Push the other account one level down, and go on from here. */
            struct node *branch = new_node(BRANCH);
            u8 other_path[HASH_SIZE];
            keccak_256(node->account.id, ID_SIZE, other_path);
            u32 side = bit_at(other_path, depth);
            branch->children[side] = node;
            branch->children[!side] = new_node(EMPTY);
            *place = branch;
            place = &branch->children[bit_at(path, depth)];
            continue;
        case EMPTY:
            require(create);
            struct node *leaf = new_node(LEAF);
            memcpy(leaf->account.id, id, ID_SIZE);
            *place = leaf;
            return &leaf->account;
        default:
            __builtin_trap();
        }
    }
}

static void apply(struct node **root, const struct transfer *transfer, const u8 *chain) {
    static const char domain[15] = "ledger/transfer";
    u8 message[sizeof domain + HASH_SIZE + sizeof *transfer - SIGNATURE_SIZE];
    memcpy(message, domain, sizeof domain);
    memcpy(message + sizeof domain, chain, HASH_SIZE);
    memcpy(message + sizeof domain + HASH_SIZE, transfer, sizeof *transfer - SIGNATURE_SIZE);
    u64 span = (u64)sizeof message << 32 | (u32)message;
    require(host_sr25519_verify(transfer->signature, span, transfer->from) == 1);

    struct account *sender = account_of(root, transfer->from, 0);
    require(sender->nonce == transfer->nonce && sender->balance >= transfer->amount);
    require(sender->nonce + 1 != 0);
    sender->nonce += 1;
    sender->balance -= transfer->amount;
    struct account *receiver = account_of(root, transfer->to, 1);
    u128 balance = receiver->balance + transfer->amount;
    require(balance >= transfer->amount);
    receiver->balance = balance;
}

__attribute__((export_name("validate_block"))) u64 validate_block(const u8 *data, u32 size) {
    struct validation_params params = read_params(data, size);
    require(params.parent_head.size == sizeof(struct head));
    const struct head *parent = (const struct head *)params.parent_head.data;

    struct node *root = read_node(&params.block_data, 0);
    require(equal(hash_of(root), parent->state_root, HASH_SIZE));
    u32 transfers = take_compact(&params.block_data);
    for (u32 i = 0; i < transfers; i++) {
        const u8 *transfer = take(&params.block_data, sizeof(struct transfer));
        apply(&root, (const struct transfer *)transfer, parent->chain);
    }
    require(params.block_data.size == 0);

    struct head head = {.number = parent->number + 1};
    keccak_256(params.parent_head.data, params.parent_head.size, head.parent_hash);
    memcpy(head.state_root, hash_of(root), HASH_SIZE);
    memcpy(head.chain, parent->chain, HASH_SIZE);
    return return_head((const u8 *)&head, sizeof head, &params);
}
