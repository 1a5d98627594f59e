// A learning switch: run it, and point a bridge at it with `ovs-vsctl set-controller BRIDGE tcp:127.0.0.1:6653`.
import { type Action, createOpenFlowServer, flowMod, type OpenFlowServer, PORT } from 'openflow-ts';

const macAt = (packet: Uint8Array, offset: number): bigint =>
  packet.subarray(offset, offset + 6).reduce((mac, byte) => (mac << 8n) | BigInt(byte), 0n);

export function learningSwitch(listen: string): OpenFlowServer {
  return createOpenFlowServer({
    listen: [listen],
    onSession(session) {
      const portOf = new Map<bigint, number>();
      const report = (error: unknown) => console.error(session.remote, error);
      const apply = (...actions: Action[]) => [{ kind: 'apply_actions', actions }] as const;
      const ask = apply({ kind: 'output', port: PORT.CONTROLLER, maxLen: 0xffff });
      session.confirm(flowMod({ priority: 0, instructions: ask })).catch(report);
      session.on('packet_in', ({ match, data }) => {
        const inPort = match.in_port ?? PORT.ANY;
        const target = macAt(data, 0);
        portOf.set(macAt(data, 6), inPort);
        const known = portOf.get(target);
        const output: Action = { kind: 'output', port: known ?? PORT.FLOOD };
        if (known !== undefined)
          session
            .send(
              flowMod({
                priority: 1,
                idleTimeout: 60,
                match: { in_port: inPort, eth_dst: target },
                instructions: apply(output),
              }),
            )
            .catch(report);
        session.send({ kind: 'packet_out', bufferId: 0xffffffff, inPort, actions: [output], data }).catch(report);
      });
    },
  });
}

if (import.meta.main) await learningSwitch(process.argv[2] ?? 'tcp:127.0.0.1:6653').ready;
