import type { Action, FieldName, Subfield } from 'openflow-ts/codec';
import { PIPELINE, REGISTER_NAMES, type RegisterName, type TableName } from './tables.js';

/** A run of bits of a register, and the tables between which (both included) it means something. */
export interface RegisterField {
  readonly field: Extract<FieldName, `reg${number}` | `xxreg${number}`>;
  readonly lsb: number;
  readonly msb: number;
  readonly from: TableName;
  readonly until: TableName;
  readonly doc: string;
}

/** 32-bit registers that a field lies in, with its bits there. */
function pieces(f: RegisterField): { reg: number; lsb: number; msb: number }[] {
  const number = Number(f.field.replace(/\D+/, ''));
  if (!f.field.startsWith('xx')) return [{ reg: number, lsb: f.lsb, msb: f.msb }];
  return [0, 1, 2, 3].map((i) => ({ reg: number * 4 + i, lsb: 0, msb: 31 }));
}

/** @throws RangeError for bits outside the register, and for two fields that share a bit while both are alive. */
export function defineRegisters<const R extends Readonly<Record<string, RegisterField>>>(registers: R): R {
  const order: readonly string[] = PIPELINE.map((t) => t.name);
  const all = Object.entries(registers);
  for (const [i, [name, f]] of all.entries()) {
    const width = f.field.startsWith('xx') ? 128 : 32;
    if (f.lsb < 0 || f.msb >= width || f.lsb > f.msb)
      throw new RangeError(`${name}: ${f.field}[${f.lsb}..${f.msb}] is not inside 0..${width - 1}`);
    if (width === 128 && (f.lsb !== 0 || f.msb !== 127)) throw new RangeError(`${name}: ${f.field} is used as a whole`);
    const [from, until] = [order.indexOf(f.from), order.indexOf(f.until)];
    if (from > until) throw new RangeError(`${name} ends (${f.until}) before it begins (${f.from})`);
    for (const [other, g] of all.slice(0, i)) {
      const alive = from <= order.indexOf(g.until) && order.indexOf(g.from) <= until;
      const shared = pieces(f).some((a) => pieces(g).some((b) => a.reg === b.reg && a.lsb <= b.msb && b.lsb <= a.msb));
      if (alive && shared) throw new RangeError(`${name} overlaps ${other} while both are alive`);
    }
  }
  return registers;
}

export const REGISTERS = defineRegisters({
  sourceKind: {
    field: 'reg0',
    lsb: 0,
    msb: 3,
    from: 'Classify',
    until: 'Output',
    doc: '1 pod, 2 tunnel, 3 host (heddle0).',
  },
  hairpin: {
    field: 'reg0',
    lsb: 4,
    msb: 4,
    from: 'HairpinReply',
    until: 'Output',
    doc: 'The packet leaves where it came in.',
  },
  plainSender: {
    field: 'reg0',
    lsb: 25,
    msb: 25,
    from: 'Concern',
    until: 'Conntrack',
    doc: 'No policy and no service concerns the pod that sent the packet.',
  },
  plain: {
    field: 'reg0',
    lsb: 26,
    msb: 26,
    from: 'Conntrack',
    until: 'EgressNat',
    doc: 'Nor the pod that is to receive it: the packet passes in one go, and nobody judges it.',
  },
  established: {
    field: 'reg0',
    lsb: 5,
    msb: 5,
    from: 'Conntrack',
    until: 'EndpointDNAT',
    doc: 'An answer within a connection that policy let through.',
  },
  recheck: {
    field: 'reg0',
    lsb: 24,
    msb: 24,
    from: 'ConntrackState',
    until: 'Denied',
    doc: 'The connection is remembered already: policy judges the packet, and nothing is committed anew.',
  },
  serviceDnat: {
    field: 'reg0',
    lsb: 6,
    msb: 6,
    from: 'ServiceLB',
    until: 'EndpointDNAT',
    doc: 'A bucket wrote a backend into the destination.',
  },
  self: {
    field: 'reg0',
    lsb: 7,
    msb: 7,
    from: 'DestinationIdentity',
    until: 'EgressNat',
    doc: 'A pod talks to itself.',
  },
  vpc: {
    field: 'reg0',
    lsb: 8,
    msb: 23,
    from: 'Classify',
    until: 'Output',
    doc: 'VPC number, which is also the conntrack zone and the VNI.',
  },
  sourceIdentity: {
    field: 'reg1',
    lsb: 0,
    msb: 31,
    from: 'Classify',
    until: 'Output',
    doc: 'Identity of the sender; 0 if unknown.',
  },
  destinationIdentity: {
    field: 'reg2',
    lsb: 0,
    msb: 31,
    from: 'DestinationIdentity',
    until: 'IngressBaseline',
    doc: 'Identity of the receiver; 0 if unknown or not needed.',
  },
  outputOfport: {
    field: 'reg3',
    lsb: 0,
    msb: 31,
    from: 'Route',
    until: 'Output',
    doc: 'Port through which the packet leaves.',
  },
  egressRule: {
    field: 'reg4',
    lsb: 0,
    msb: 31,
    from: 'EgressAdmin',
    until: 'ConntrackCommit',
    doc: 'Object id of the egress rule that allowed the connection; 0 if none was needed.',
  },
  ingressRule: {
    field: 'reg5',
    lsb: 0,
    msb: 31,
    from: 'IngressAdmin',
    until: 'ConntrackCommit',
    doc: 'Object id of the ingress rule that allowed the connection; 0 if none was needed.',
  },
  egressStrict: {
    field: 'reg0',
    lsb: 27,
    msb: 27,
    from: 'EgressAdmin',
    until: 'ConntrackCommit',
    doc: 'The egress rule is of a policy that cuts.',
  },
  ingressStrict: {
    field: 'reg0',
    lsb: 28,
    msb: 28,
    from: 'IngressAdmin',
    until: 'ConntrackCommit',
    doc: 'The ingress rule is of a policy that cuts.',
  },
  deniedBy: {
    field: 'reg14',
    lsb: 0,
    msb: 31,
    from: 'EgressStanding',
    until: 'Denied',
    doc: 'Object id of the rule, or of the isolation, that denied the packet.',
  },
  tunnelPeer: {
    field: 'reg6',
    lsb: 0,
    msb: 31,
    from: 'Route',
    until: 'Output',
    doc: 'Object id of the node at the other end of the tunnel.',
  },
  hairpinZone: {
    field: 'reg7',
    lsb: 0,
    msb: 15,
    from: 'Classify',
    until: 'EgressNat',
    doc: "Conntrack zone that translates the source of a pod's packets to itself.",
  },
  originalDestination: {
    field: 'xxreg2',
    lsb: 0,
    msb: 127,
    from: 'ServiceLB',
    until: 'EndpointDNAT',
    doc: 'Service address that the sender wrote; IPv4 in reg8.',
  },
  originalPort: {
    field: 'reg12',
    lsb: 0,
    msb: 15,
    from: 'ServiceLB',
    until: 'EndpointDNAT',
    doc: 'Service port that the sender wrote.',
  },
  arpScratch: {
    field: 'reg13',
    lsb: 0,
    msb: 31,
    from: 'ArpNd',
    until: 'ArpNd',
    doc: 'Holds an address while ARP swaps target and sender.',
  },
} satisfies Record<RegisterName, RegisterField>);

const width = (r: RegisterName): number => REGISTERS[r].msb - REGISTERS[r].lsb + 1;

/** The register field as the subfield that move, output_reg and ct(zone) take. */
export const subfield = (name: RegisterName): Subfield => SUBFIELDS[name];
const SUBFIELDS = Object.fromEntries(
  REGISTER_NAMES.map((n) => [n, { field: REGISTERS[n].field, offset: REGISTERS[n].lsb, bits: width(n) }]),
) as Readonly<Record<RegisterName, Subfield>>;

/** Where originalDestination keeps an IPv4 address: in the most significant of its four registers. */
export const ORIGINAL_IPV4 = { field: 'reg8', offset: 0, bits: 32 } as const satisfies Subfield;

/** Bits of the 32-bit register that a field covers. Not for originalDestination. */
export const registerMask = (name: RegisterName): number => {
  const { lsb } = REGISTERS[name];
  return (2 ** width(name) - 1) * 2 ** lsb;
};

function checked(name: RegisterName, value: number): number {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** width(name))
    throw new RangeError(`${name} ${value} does not fit into ${width(name)} bits`);
  return value * 2 ** REGISTERS[name].lsb;
}

/** Action that writes a constant. @throws RangeError if it does not fit. */
export function setRegister(name: RegisterName, value: number): Action {
  const { field } = REGISTERS[name];
  const shifted = checked(name, value);
  return width(name) === 32
    ? { kind: 'set_field', field, value: shifted }
    : { kind: 'set_field', field, value: shifted, mask: registerMask(name) };
}

/**
 * Action that writes several fields of one register at once, which is shorter than one action each.
 * @throws RangeError if a value does not fit; TypeError if they do not share a register
 */
export function setRegisters(values: Partial<Readonly<Record<RegisterName, number>>>): Action {
  let field: RegisterField['field'] | undefined;
  let value = 0;
  let mask = 0;
  for (const [name, v] of Object.entries(values) as [RegisterName, number][]) {
    if (field !== undefined && REGISTERS[name].field !== field) throw new TypeError(`${name} is not in ${field}`);
    field = REGISTERS[name].field;
    value += checked(name, v);
    mask += registerMask(name);
  }
  if (field === undefined) throw new TypeError('no register given');
  return { kind: 'set_field', field, value, mask };
}

/** Match on register fields, several fields of one register in one mask. @throws RangeError if a value does not fit. */
export function matchRegisters(
  values: Partial<Readonly<Record<RegisterName, number>>>,
): Readonly<Record<string, number | readonly [number, number]>> {
  const out: Record<string, number | readonly [number, number]> = {};
  for (const [name, v] of Object.entries(values) as [RegisterName, number][]) {
    const { field } = REGISTERS[name];
    const before = out[field];
    const [value, mask] = before === undefined ? [0, 0] : (before as readonly [number, number]);
    out[field] = [value + checked(name, v), mask + registerMask(name)];
  }
  for (const [field, m] of Object.entries(out))
    if ((m as readonly [number, number])[1] === 0xffff_ffff) out[field] = (m as readonly [number, number])[0];
  return out;
}

/** Fields of a packet by name, in the normal form (registers of 32 bits each). */
type PacketFields = Readonly<Record<string, unknown>>;

/** What a register field holds in a packet that a switch sent here; 0 if it was never written. Not for originalDestination. */
export function readRegister(fields: PacketFields, name: RegisterName): number {
  const { field, lsb } = REGISTERS[name];
  const given = fields[field];
  const value = typeof given === 'number' ? given : 0;
  return Math.floor(value / 2 ** lsb) % 2 ** width(name);
}
