#![no_std]
#![no_main]

mod wasm_abi;

use wasm_abi::{require, return_head, ValidationParams};

/// Head: the counter, u64. Block data: what is added to it, one byte from 1 to 10; and after it,
/// when the block asks for another validation function, the whole of its code.
///
/// # Safety
///
/// For the host to call.
#[no_mangle]
pub unsafe extern "C" fn validate_block(data: *const u8, size: usize) -> u64 {
    let mut params = ValidationParams::read(data, size);
    let counter = params.parent_head.take_u64();
    let step = params.block_data.take_u8();
    require(params.parent_head.is_empty());
    require((1..=10).contains(&step));
    let head = counter.wrapping_add(u64::from(step)).to_le_bytes();
    let new_code = params.block_data.0;
    return_head(&head, (!new_code.is_empty()).then_some(new_code), &params)
}
