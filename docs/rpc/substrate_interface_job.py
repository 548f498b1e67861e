"""The small job with py-substrate-interface: pip install -r substrate_interface.txt

python substrate_interface_job.py ws://127.0.0.1:9944 2000
"""

import json
import sys

from substrateinterface import Keypair, SubstrateInterface

CODE = "0x0061736d01000000"
"""The smallest Wasm there is; a real parachain's validation function goes here."""


def main(url: str, para: int) -> None:
    chain = SubstrateInterface(url=url)
    alice, ferdie = Keypair.create_from_uri("//Alice"), Keypair.create_from_uri("//Ferdie")

    head = chain.query("Paras", "Heads", [para]).value

    included = []

    def look(header, number, subscription):
        for event in chain.get_events(chain.get_block_hash(header["header"]["number"])):
            if event.value["event_id"] == "CandidateIncluded":
                included.append(header["header"]["number"])
        return True if included else None

    chain.subscribe_block_headers(look)

    def submit(module, function, **arguments):
        call = chain.compose_call(module, function, arguments)
        return chain.create_signed_extrinsic(call, alice)

    before = chain.query("System", "Account", [ferdie.ss58_address]).value["data"]["free"]
    transfer = submit("Balances", "transfer_keep_alive", dest=ferdie.ss58_address, value=10**12)
    receipt = chain.submit_extrinsic(transfer, wait_for_finalization=True)
    after = chain.query("System", "Account", [ferdie.ss58_address]).value["data"]["free"]

    para_call = {"para": para + 100, "genesis_head": "0x00", "validation_code": CODE}
    register = chain.compose_call("Registrar", "register", {**para_call, "parachain": False})
    registered = chain.submit_extrinsic(submit("Sudo", "sudo", call=register), True)

    done = {
        "head": head,
        "included": len(included),
        "transferred": after - before,
        "transfer": receipt.is_success,
        "registered": registered.is_success,
    }
    print(json.dumps(done))


main(sys.argv[1], int(sys.argv[2]))
