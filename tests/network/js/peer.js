// A host of js-libp2p: independent noise, multistream and yamux to talk to.
//   node peer.js dial ADDRESS PROTOCOL   opens a stream, prints the first framed message as hex
//   node peer.js listen PROTOCOL         prints its address, sends back what it is sent
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const [mode, ...args] = process.argv.slice(2)
const host = await createLibp2p({
  addresses: { listen: mode === 'listen' ? ['/ip4/127.0.0.1/tcp/0'] : [] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false }
})

if (mode === 'listen') {
  await host.handle(args[0], ({ stream }) => stream.sink(stream.source))
  console.log(host.getMultiaddrs()[0].toString())
  process.stdin.resume()
  process.stdin.on('end', () => process.exit(0))
} else {
  const stream = await host.dialProtocol(multiaddr(args[0]), args[1])
  let data = Buffer.alloc(0)
  for await (const chunk of stream.source) {
    data = Buffer.concat([data, Buffer.from(chunk.subarray())])
    if (data.length >= 4 && data.length >= 4 + data.readUInt32LE(0)) break
  }
  console.log(data.toString('hex'))
  process.exit(0)
}
