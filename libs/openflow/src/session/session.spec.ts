import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CHANNELS } from './diagnostics.js';
import { connectOpenFlow, createOpenFlowServer, type OpenFlowServer, type OpenFlowSession } from './index.js';

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex');
// struct ofp_hello with a version bitmap element: 1.3 to 1.5.
const HELLO = '06 00 0010 00000001  0001 0008 00000070';
const HELLO_13_WITHOUT_BITMAP = '04 00 0008 00000001';
const HELLO_10 = '01 00 0008 00000001';
/** struct ofp_switch_features of datapath 0x2a, answering any xid. */
const features = (version: number, xid: number) => {
  const reply = bytes(`00 06 0020 00000000  000000000000002a 00000000 fe 00 0000 00000000 00000000`);
  reply[0] = version;
  reply.writeUInt32BE(xid, 4);
  return reply;
};

/** A switch made of bytes. It answers the features request and echo requests, and nothing else by itself. */
class Peer {
  readonly messages: Buffer[] = [];
  echoes = 0;
  isMute = false;
  private buffer = Buffer.alloc(0);
  constructor(readonly socket: Socket) {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      this.buffer = Buffer.concat([this.buffer, chunk as Buffer]);
      for (let n = this.buffer.readUInt16BE(2); this.buffer.length >= 8 && this.buffer.length >= n; ) {
        const message = this.buffer.subarray(0, n);
        this.buffer = this.buffer.subarray(n);
        this.messages.push(message);
        if (message[1] === 5 && !this.isMute) socket.write(features(message[0] ?? 0, message.readUInt32BE(4)));
        if (message[1] === 2 && !this.isMute) {
          this.echoes++;
          this.say(`06 03 0008 ${message.subarray(4, 8).toString('hex')}`);
        }
        n = this.buffer.length >= 8 ? this.buffer.readUInt16BE(2) : Number.POSITIVE_INFINITY;
      }
    });
  }
  say(hex: string): void {
    this.socket.write(bytes(hex));
  }
  get types(): number[] {
    return this.messages.map((m) => m[1] ?? -1);
  }
}

async function until(ready: () => boolean, ms = 30_000): Promise<void> {
  for (const end = Date.now() + ms; !ready(); ) {
    if (Date.now() > end) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('an OpenFlow server', () => {
  let server: OpenFlowServer;
  let sessions: OpenFlowSession[];
  let refused: unknown[];
  const peers: Peer[] = [];
  const onRefused = (message: unknown) => void refused.push(message);

  const dial = async (): Promise<Peer> => {
    const port = Number(server.addresses[0]?.split(':').at(-1));
    const socket = connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    const peer = new Peer(socket);
    peers.push(peer);
    return peer;
  };
  const good = async (): Promise<[Peer, OpenFlowSession]> => {
    const before = sessions.length;
    const peer = await dial();
    peer.say(HELLO);
    await until(() => sessions.length > before);
    return [peer, sessions.at(-1) as OpenFlowSession];
  };

  beforeEach(async () => {
    sessions = [];
    refused = [];
    CHANNELS.serverRefused.subscribe(onRefused);
    server = createOpenFlowServer({
      listen: ['tcp:127.0.0.1:0'],
      handshakeTimeoutMs: 150,
      echoIntervalMs: 50,
      maxUnsentBytes: 100_000,
      onSession: (session) => sessions.push(session),
    });
    await server.ready;
  });
  afterEach(async () => {
    CHANNELS.serverRefused.unsubscribe(onRefused);
    for (const peer of peers.splice(0)) peer.socket.destroy();
    await server.close();
  });

  it('takes the version of a hello without bitmap', async () => {
    const peer = await dial();
    peer.say(HELLO_13_WITHOUT_BITMAP);
    await until(() => sessions.length === 1);
    expect([sessions[0]?.version, sessions[0]?.datapathId]).toEqual(['OF1.3', 0x2an]);
  });

  it.each([
    ['sends nothing', ''],
    ['sends half a hello', '06 00 0010 0000'],
    ['sends a hello and no features', HELLO],
    ['sends a message of length 0', '06 00 0000 00000001'],
    ['sends nonsense', 'ff'.repeat(4000)],
    ['sends text', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n').toString('hex')],
    ['sends something else before the hello', '06 02 0008 00000001'],
    ['speaks no version of ours', HELLO_10],
  ])('loses only the peer that %s', async (_, hex) => {
    const [goodPeer, session] = await good();
    const bad = await dial();
    bad.isMute = true;
    if (hex !== '') bad.say(hex);
    await once(bad.socket, 'close');
    expect(refused).toHaveLength(1);
    expect(sessions).toHaveLength(1);
    const barrier = session.barrier();
    await until(() => goodPeer.types.includes(20));
    const xid = goodPeer.messages.find((m) => m[1] === 20)?.readUInt32BE(4) ?? 0;
    goodPeer.say(`06 15 0008 ${xid.toString(16).padStart(8, '0')}`);
    await barrier;
  });

  it('tells a peer of unknown versions why', async () => {
    const peer = await dial();
    peer.say(HELLO_10);
    await until(() => peer.types.includes(1));
    // OFPT_ERROR, OFPET_HELLO_FAILED (0), OFPHFC_INCOMPATIBLE (0), text
    const error = peer.messages.find((m) => m[1] === 1);
    expect(error?.subarray(8, 12).toString('hex')).toBe('00000000');
    expect(error?.subarray(12).toString()).toContain('no common version');
  });

  it('answers echo requests with their data', async () => {
    const [peer] = await good();
    peer.say('06 02 000c 00001234 cafecafe');
    await until(() => peer.types.includes(3));
    expect(peer.messages.find((m) => m[1] === 3)?.toString('hex')).toBe('0603000c00001234cafecafe');
  });

  it('asks a quiet peer for a sign of life, and keeps one that gives it', async () => {
    const [peer, session] = await good();
    await until(() => peer.echoes > 2);
    peer.isMute = true;
    expect(await session.closed).toEqual({ kind: 'silent' });
  });

  it('does not take one byte after another for life', async () => {
    const [peer, session] = await good();
    peer.isMute = true;
    peer.say('06 02 4000 00001234');
    const dribble = setInterval(() => peer.say('00'), 10);
    expect(await session.closed).toEqual({ kind: 'silent' });
    clearInterval(dribble);
  });

  it('drops a message that it cannot read, and fails the request that it answers', async () => {
    const [peer, session] = await good();
    const dropped: unknown[] = [];
    const onDropped = (message: unknown) => void dropped.push(message);
    CHANNELS.undecodable.subscribe(onDropped);
    // A port status that is too short; then an async message that is fine.
    const seen = new Promise((resolve) => session.on('echo_reply', resolve));
    peer.say('06 0c 000c 00000000 00000000  06 03 0008 00000000');
    await seen;
    expect(dropped).toHaveLength(1);
    CHANNELS.undecodable.unsubscribe(onDropped);
    const config = session.request({ kind: 'get_config_request' });
    await until(() => peer.types.includes(7));
    const xid = peer.messages
      .find((m) => m[1] === 7)
      ?.subarray(4, 8)
      .toString('hex');
    peer.say(`06 08 0009 ${xid} 00`);
    await expect(config).rejects.toMatchObject({ code: 'OF_DECODE' });
  });

  it('ends a session whose version changes', async () => {
    const [peer, session] = await good();
    peer.say('05 02 0008 00000001');
    expect(await session.closed).toMatchObject({ kind: 'protocol' });
  });

  it('ends a session whose peer asks without taking the answers', async () => {
    const [peer, session] = await good();
    peer.socket.pause();
    peer.socket.removeAllListeners('data');
    const question = Buffer.alloc(60_000);
    bytes('06 02 ea60 00001234').copy(question);
    const flood = () => {
      for (let i = 0; i < 20 && !peer.socket.destroyed; i++) peer.socket.write(question);
      if (!peer.socket.destroyed) setImmediate(flood);
    };
    flood();
    expect(await session.closed).toEqual({ kind: 'overflow' });
  });

  it('fails what waits when it is closed', async () => {
    const [, session] = await good();
    const waiting = session.barrier();
    session.close();
    await expect(waiting).rejects.toMatchObject({ code: 'OF_CLOSED' });
    await expect(session.send({ kind: 'barrier_request' })).rejects.toMatchObject({ code: 'OF_CLOSED' });
  });

  it('ends a wait by its signal', async () => {
    const [, session] = await good();
    const abort = new AbortController();
    const waiting = session.barrier({ signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });

  it('keeps a session when a listener of ours throws', async () => {
    const [peer, session] = await good();
    const seen = new Promise((resolve) => {
      session.on('echo_reply', () => {
        throw new Error('a bug');
      });
      session.on('echo_reply', resolve);
    });
    peer.say('06 03 0008 00000000');
    await seen;
  });
});

describe('dialling', () => {
  it('gives up a peer that accepts and says nothing', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const target = `tcp:127.0.0.1:${(silent.address() as AddressInfo).port}`;
    await expect(connectOpenFlow({ target, handshakeTimeoutMs: 100 })).rejects.toMatchObject({ code: 'OF_TIMEOUT' });
    silent.close();
  });

  it.each([
    ['nobody listens', 'unix:/nonexistent/heddle.sock', 'ENOENT'],
    ['the target cannot be read', 'tcp:nowhere', 'is not unix:PATH'],
    ['TLS has no keys', 'ssl:127.0.0.1:1', 'needs a key'],
  ])('fails where %s', async (_, target, message) => {
    await expect(connectOpenFlow({ target })).rejects.toThrow(message);
  });
});
