"""The small job with async-substrate-interface: pip install -r async_substrate_interface.txt

python async_substrate_interface_job.py ws://127.0.0.1:9944 2000
"""

import asyncio
import json
import sys

import sr25519
from async_substrate_interface import AsyncSubstrateInterface

CODE = "0x0061736d01000000"
"""The smallest Wasm there is; a real parachain's validation function goes here."""
FERDIE = "5CiPPseXPECbkjWCa6MnjNokrgYjMqmKndv2rSnekmSK2DjL"


class Alice:
    """The library brings no keys; this is what it wants of them."""

    ss58_address = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
    crypto_type = 1
    _pair = sr25519.pair_from_seed(
        bytes.fromhex("e5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a")
    )
    public_key = _pair[0]

    def sign(self, data):
        return sr25519.sign(self._pair, bytes(data))


async def main(url: str, para: int) -> None:
    async with AsyncSubstrateInterface(url) as chain:
        head = (await chain.query("Paras", "Heads", [para])).value

        included = []

        async def look(header):
            block = await chain.get_block_hash(header["header"]["number"])
            for event in await chain.get_events(block):
                if event["event_id"] == "CandidateIncluded":
                    included.append(block)
            return True if included else None

        await chain.subscribe_block_headers(look)

        async def free():
            return (await chain.query("System", "Account", [FERDIE])).value["data"]["free"]

        async def submit(call):
            extrinsic = await chain.create_signed_extrinsic(call, Alice())
            return await chain.submit_extrinsic(extrinsic, wait_for_finalization=True)

        before = await free()
        arguments = {"dest": FERDIE, "value": 10**12}
        transfer = await submit(
            await chain.compose_call("Balances", "transfer_keep_alive", arguments)
        )
        transferred = (await free()) - before

        arguments = {"para": para + 300, "genesis_head": "0x00", "validation_code": CODE}
        register = await chain.compose_call(
            "Registrar", "register", {**arguments, "parachain": False}
        )
        registered = await submit(await chain.compose_call("Sudo", "sudo", {"call": register}))

        done = {
            "head": head,
            "included": len(included),
            "transferred": transferred,
            "transfer": await transfer.is_success,
            "registered": await registered.is_success,
        }
        print(json.dumps(done))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
