// The small job with polkadot-api: npm install in this folder, then
// node polkadot_api.mjs ws://127.0.0.1:9944 2000
import { sr25519CreateDerive } from "@polkadot-labs/hdkd";
import { DEV_PHRASE, entropyToMiniSecret, mnemonicToEntropy } from "@polkadot-labs/hdkd-helpers";
import { Binary, createClient } from "polkadot-api";
import { getPolkadotSigner } from "polkadot-api/signer";
import { getWsProvider } from "polkadot-api/ws";
import WebSocket from "ws";

const [url, para] = [process.argv[2], Number(process.argv[3])];
// The smallest Wasm there is; a real parachain's validation function goes here.
const code = Binary.fromHex("0x0061736d01000000");

const client = createClient(getWsProvider(url, { websocketClass: WebSocket }));
const api = client.getUnsafeApi();
const derive = sr25519CreateDerive(entropyToMiniSecret(mnemonicToEntropy(DEV_PHRASE)));
const keys = derive("//Alice");
const alice = getPolkadotSigner(keys.publicKey, "Sr25519", keys.sign);
const ferdie = "5CiPPseXPECbkjWCa6MnjNokrgYjMqmKndv2rSnekmSK2DjL";

// Bytes come as hex or as bytes, by the version of the library.
const hex = (bytes) => (typeof bytes === "string" ? bytes : Binary.toHex(bytes));
const head = hex(await api.query.Paras.Heads.getValue(para));

const included = await new Promise((resolve, reject) => {
  const watch = client.bestBlocks$.subscribe(async ([best]) => {
    try {
      const records = await api.query.System.Events.getValue({ at: best.hash });
      const found = records.filter(({ event }) => event.value.type === "CandidateIncluded");
      if (found.length > 0) {
        watch.unsubscribe();
        resolve(found.length);
      }
    } catch (error) {
      reject(error);
    }
  });
});

const free = async () => (await api.query.System.Account.getValue(ferdie)).data.free;
const before = await free();
const dest = { type: "Id", value: ferdie };
const transfer = await api.tx.Balances.transfer_keep_alive({
  dest,
  value: 10n ** 12n,
}).signAndSubmit(alice);
const transferred = (await free()) - before;

const register = api.tx.Registrar.register({
  para: para + 400,
  genesis_head: Binary.fromHex("0x00"),
  validation_code: code,
  parachain: false,
});
const registered = await api.tx.Sudo.sudo({ call: register.decodedCall }).signAndSubmit(alice);

console.log(
  JSON.stringify({
    head,
    included,
    transferred: Number(transferred),
    transfer: transfer.ok,
    registered: registered.ok,
  }),
);
client.destroy();
