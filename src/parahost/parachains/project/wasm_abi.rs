//! What the host asks of a validation function: the calling convention (D32) and SCALE. Nothing but
//! `core`: no framework, no allocator.
//!
//! Whatever is wrong with the input traps: the host then calls the candidate invalid.

use core::arch::wasm32;

pub fn trap() -> ! {
    wasm32::unreachable()
}

pub fn require(condition: bool) {
    if !condition {
        trap()
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    trap()
}

/// What is still to be read of some bytes.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first bytes, which are cut off.
    pub fn take(&mut self, size: usize) -> &'a [u8] {
        match (self.0.get(..size), self.0.get(size..)) {
            (Some(taken), Some(rest)) => {
                self.0 = rest;
                taken
            }
            _ => trap(),
        }
    }

    fn take_array<const SIZE: usize>(&mut self) -> [u8; SIZE] {
        self.take(SIZE).try_into().unwrap_or_else(|_| trap())
    }

    pub fn take_u8(&mut self) -> u8 {
        u8::from_le_bytes(self.take_array())
    }

    pub fn take_u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take_array())
    }

    pub fn take_u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take_array())
    }

    /// A compact integer that fits 32 bits, in its shortest form.
    pub fn take_compact(&mut self) -> u32 {
        let first = u32::from(self.take_u8());
        let mode = first & 3;
        if mode == 3 {
            require(first == 3);
            let value = self.take_u32();
            require(value >= 1 << 30);
            return value;
        }
        let mut value = first;
        for place in 1..1 << mode {
            value |= u32::from(self.take_u8()) << (8 * place);
        }
        value >>= 2;
        require(mode == 0 || value >= 1 << if mode == 1 { 6 } else { 14 });
        value
    }

    pub fn take_bytes(&mut self) -> Input<'a> {
        let size = self.take_compact();
        Input(self.take(size as usize))
    }
}

/// SCALE `ValidationParams`.
pub struct ValidationParams<'a> {
    pub parent_head: Input<'a>,
    pub block_data: Input<'a>,
    pub relay_parent_number: u32,
    pub relay_parent_storage_root: &'a [u8],
}

impl<'a> ValidationParams<'a> {
    /// # Safety
    ///
    /// The span is to be what the host has called `validate_block` with.
    pub unsafe fn read(data: *const u8, size: usize) -> Self {
        let mut input = Input(core::slice::from_raw_parts(data, size));
        ValidationParams {
            parent_head: input.take_bytes(),
            block_data: input.take_bytes(),
            relay_parent_number: input.take_u32(),
            relay_parent_storage_root: input.take(32),
        }
    }
}

/// Bytes in the making, in pages of memory that nothing else uses.
struct Output {
    start: *mut u8,
    size: usize,
    capacity: usize,
}

impl Output {
    fn new(capacity: usize) -> Self {
        let page = wasm32::memory_grow(0, (capacity + 0xffff) >> 16);
        require(page < 1 << 16);
        Output { start: (page << 16) as *mut u8, size: 0, capacity }
    }

    fn put(&mut self, bytes: &[u8]) {
        require(bytes.len() <= self.capacity - self.size);
        // The room is ours and large enough; what is copied lies in pages before it.
        unsafe {
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.add(self.size), bytes.len());
        }
        self.size += bytes.len();
    }

    fn put_compact(&mut self, value: u32) {
        match value {
            0..=0x3f => self.put(&[(value << 2) as u8]),
            0x40..=0x3fff => self.put(&((value << 2 | 1) as u16).to_le_bytes()),
            0x4000..=0x3fff_ffff => self.put(&(value << 2 | 2).to_le_bytes()),
            _ => {
                self.put(&[3]);
                self.put(&value.to_le_bytes());
            }
        }
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_compact(bytes.len() as u32);
        self.put(bytes);
    }

    /// As the host takes it.
    fn span(&self) -> u64 {
        (self.size as u64) << 32 | self.start as u64
    }
}

/// SCALE `ValidationResult`: the head, new code if the block asks for some, no messages, and the
/// relay parent as HRMP watermark; packed as the host expects it.
pub fn return_head(head: &[u8], new_code: Option<&[u8]>, params: &ValidationParams) -> u64 {
    let room = 5 + head.len() + 1 + 5 + new_code.map_or(0, <[u8]>::len) + 3 + 4 + 4;
    let mut result = Output::new(room);
    result.put_bytes(head);
    match new_code {
        None => result.put(&[0]),
        Some(code) => {
            result.put(&[1]);
            result.put_bytes(code);
        }
    }
    result.put(&[0; 6]); // no upward, no horizontal messages; no downward ones processed
    result.put(&params.relay_parent_number.to_le_bytes());
    result.span()
}
