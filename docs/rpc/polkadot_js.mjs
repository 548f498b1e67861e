// The small job with @polkadot/api: npm install in this folder, then
// node polkadot_js.mjs ws://127.0.0.1:9944 2000
import { ApiPromise, Keyring, WsProvider } from "@polkadot/api";

const [url, para] = [process.argv[2], Number(process.argv[3])];
// The smallest Wasm there is; a real parachain's validation function goes here.
const code = "0x0061736d01000000";

const api = await ApiPromise.create({ provider: new WsProvider(url), noInitWarn: true });
const keys = new Keyring({ type: "sr25519" });
const [alice, ferdie] = ["//Alice", "//Ferdie"].map((uri) => keys.addFromUri(uri));

const head = (await api.query.paras.heads(para)).toHex();

const included = await new Promise(async (resolve) => {
  const stop = await api.query.system.events((records) => {
    const found = records.filter(({ event }) => event.method === "CandidateIncluded");
    if (found.length > 0) {
      stop();
      resolve(found.length);
    }
  });
});

// Sign a call, and wait until the block that includes it is final.
const submit = (call) =>
  new Promise((resolve, reject) => {
    call
      .signAndSend(alice, ({ status, events, isError }) => {
        if (isError) reject(new Error(status.type));
        if (status.isFinalized) resolve(events.map(({ event }) => event));
      })
      .catch(reject);
  });
const succeeded = (events) => events.some(({ method }) => method === "ExtrinsicSuccess");
const free = async () => (await api.query.system.account(ferdie.address)).data.free.toBigInt();

const before = await free();
const transfer = await submit(api.tx.balances.transferKeepAlive(ferdie.address, 10n ** 12n));
const transferred = (await free()) - before;

const register = api.tx.registrar.register(para + 200, "0x00", code, false);
const registered = await submit(api.tx.sudo.sudo(register));

console.log(
  JSON.stringify({
    head,
    included,
    transferred: Number(transferred),
    transfer: succeeded(transfer),
    registered: succeeded(registered),
  }),
);
await api.disconnect();
