import { formatEndpoint, type TlsSet } from '@heddle/api';
import { createCompiler, type NodeName, nodeName } from '@heddle/compiler';
import { OvsdbManager, SwitchManager } from '../southbound/index.js';
import { removeStaleSocket } from '../unix-socket.js';
import type { RuntimeOptions, Southbound, SouthboundNeeds } from './runtime.js';

/** The parts of a controller that serves real switches. */
export const production: Pick<RuntimeOptions, 'createCompiler' | 'createSouthbound'> = {
  createCompiler,
  createSouthbound,
};

function createSouthbound(needs: SouthboundNeeds): Southbound {
  const { config, origins, tls: files, logger, clock, compiler, allocations, inSync, changed, beforeCommit } = needs;
  const permits = origins && ((node: NodeName, remote: string) => origins.permits(node, remote));
  const switches = new SwitchManager({
    desired: {
      node: (name) => compiler.node(name),
      nodeOfDatapath: (id) => {
        const node = allocations.nodes.byDatapathId(id);
        return node && nodeName(node.name);
      },
    },
    logger,
    clock,
    encap: config.encap,
    inSync,
    beforeCommit,
    changed,
    permits,
  });
  const ovsdb = new OvsdbManager({ logger, changed, permits });
  origins?.onFirstSeen((node) => {
    switches.checkOrigin(nodeName(node));
    ovsdb.checkOrigin(nodeName(node));
  });
  return {
    switches,
    ovsdb,
    async start() {
      const tls = files?.current;
      for (const endpoint of [...config.openflowListen, ...config.ovsdbListen])
        if (endpoint.kind === 'unix') await removeStaleSocket(endpoint.path);
      await switches.start({ listen: config.openflowListen, tls });
      await ovsdb.start({ listen: config.ovsdbListen.map(formatEndpoint), tls });
      const renew = (renewed: TlsSet) => {
        switches.setTls(renewed);
        ovsdb.setTls(renewed);
      };
      // They may have been renewed while it started.
      if (files !== undefined && files.current !== tls) renew(files.current);
      files?.onRenewed(renew);
    },
    async stop() {
      await switches.stop();
      await ovsdb.stop();
    },
  };
}
