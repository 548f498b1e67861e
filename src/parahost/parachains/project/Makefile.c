# Needs clang and lld.
CLANG ?= clang
FLAGS := --target=wasm32-unknown-unknown -mcpu=mvp -std=c11 -O2 -Wall -Wextra -Werror \
	-ffreestanding -fno-builtin -nostdlib -fvisibility=hidden \
	-Wl,--no-entry -Wl,--export=__heap_base -Wl,--strip-all -Wl,-z,stack-size=131072

validation.wasm upgrade.wasm: validation.c wasm_abi.h Makefile
	$(CLANG) $(FLAGS) -o $@.new $<
	mv $@.new $@  # whole or not at all: a collator may be looking
