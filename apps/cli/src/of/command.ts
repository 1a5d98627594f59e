import { Command } from 'commander';
import { applyCommand } from './apply.js';
import { decodeCommand } from './decode.js';
import { diffCommand } from './diff.js';
import { dumpCommand } from './dump.js';
import { encodeCommand } from './encode.js';
import { monitorCommand } from './monitor.js';
import { snoopCommand } from './snoop.js';

/** `heddle of`: OpenFlow messages and switches by hand. */
export function ofCommand(): Command {
  const of = new Command('of')
    .description('OpenFlow by hand: decode and encode messages, read, compare, watch and change switches')
    .showHelpAfterError('(--help shows how to use it)')
    .addHelpText(
      'after',
      `
Nothing here needs a controller. Examples:
  echo 0400000800000001 | heddle of decode
  echo 'table=0,ip,actions=output:1' | heddle of encode --version 1.5
  heddle of dump unix:/run/openvswitch/br-int.mgmt flows
  heddle of diff wanted.flows unix:/run/openvswitch/br-int.mgmt
  heddle of apply unix:/run/openvswitch/br-int.mgmt wanted.flows`,
    );
  for (const command of [
    decodeCommand(),
    encodeCommand(),
    dumpCommand(),
    diffCommand(),
    applyCommand(),
    monitorCommand(),
    snoopCommand(),
  ])
    of.addCommand(command);
  return of;
}
