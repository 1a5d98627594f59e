import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asJson, asNumber } from './columns.js';

/** Rows as they lie in the database; the schema itself stands in `migrations/`. */

/** A counter that only grows. */
@Entity({ name: 'sequence' })
export class SequenceRecord {
  @PrimaryColumn({ type: 'text' }) name!: string;
  @Column({ type: 'bigint', transformer: asNumber }) last!: number;
}

@Entity({ name: 'setting' })
export class SettingRecord {
  @PrimaryColumn({ type: 'text' }) name!: string;
  @Column({ type: 'text' }) value!: string;
}

/** A number that was given to a key and is never given to another one. */
@Entity({ name: 'ledger_entry' })
export class LedgerRecord {
  @PrimaryColumn({ type: 'text' }) kind!: string;
  /** SHA-256 of `key`. */
  @PrimaryColumn({ type: 'text' }) digest!: string;
  @Column({ type: 'text' }) key!: string;
  @Column({ type: 'bigint', transformer: asNumber }) number!: number;
}

@Entity({ name: 'node' })
export class NodeRecord {
  @PrimaryColumn({ type: 'text' }) name!: string;
  @Column({ type: 'bigint', transformer: asNumber }) key!: number;
  /** 16 hex digits. */
  @Column({ name: 'datapath_id', type: 'text' }) datapathId!: string;
  @Column({ name: 'encap_ip', type: 'text' }) encapIp!: string;
  @Column({ type: 'text', transformer: asJson }) addresses!: string[];
  /** Bytes. */
  @Column({ name: 'underlay_mtu', type: 'integer' }) underlayMtu!: number;
  @Column({ name: 'datapath_type', type: 'text' }) datapathType!: 'system' | 'netdev';
  @Column({ name: 'gateway_mac', type: 'text' }) gatewayMac!: string;
  /** One of each family in use. */
  @Column({ name: 'gateway_ips', type: 'text', transformer: asJson }) gatewayIps!: string[];
  /** The pod ofport that was given last. */
  @Column({ name: 'last_ofport', type: 'integer' }) lastOfport!: number;
}

@Entity({ name: 'block' })
export class BlockRecord {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber }) vpc!: number;
  @PrimaryColumn({ type: 'text' }) cidr!: string;
  @Column({ type: 'integer' }) family!: 4 | 6;
  @Column({ type: 'text' }) node!: string;
  /** Orders a node's blocks: they fill in the order in which they were given. */
  @Column({ type: 'bigint', transformer: asNumber }) given!: number;
}

@Entity({ name: 'attachment' })
export class AttachmentRecord {
  @PrimaryColumn({ name: 'port_key', type: 'bigint', transformer: asNumber }) portKey!: number;
  @Column({ type: 'text' }) node!: string;
  @Column({ name: 'container_id', type: 'text' }) containerId!: string;
  @Column({ type: 'text' }) ifname!: string;
  @Column({ type: 'text' }) namespace!: string;
  @Column({ type: 'text' }) pod!: string;
  @Column({ name: 'pod_uid', type: 'text', nullable: true }) podUid!: string | null;
  @Column({ type: 'integer' }) ofport!: number;
  @Column({ type: 'text' }) mac!: string;
  @Column({ type: 'bigint', transformer: asNumber }) vpc!: number;
}

@Entity({ name: 'address' })
export class AddressRecord {
  @PrimaryColumn({ type: 'bigint', transformer: asNumber }) vpc!: number;
  @PrimaryColumn({ type: 'text' }) address!: string;
  @Column({ type: 'integer' }) family!: 4 | 6;
  /** CIDR of the block that the address lies in. */
  @Column({ type: 'text' }) block!: string;
  /** Null when released. */
  @Column({ name: 'port_key', type: 'bigint', nullable: true, transformer: asNumber }) portKey!: number | null;
  /** Position in the order of releases; null while leased. */
  @Column({ type: 'bigint', nullable: true, transformer: asNumber }) released!: number | null;
}

@Entity({ name: 'service_address' })
export class ServiceAddressRecord {
  @PrimaryColumn({ type: 'text' }) address!: string;
  @Column({ type: 'integer' }) family!: 4 | 6;
  @Column({ type: 'text' }) namespace!: string;
  @Column({ type: 'text' }) service!: string;
  @Column({ type: 'bigint', nullable: true, transformer: asNumber }) released!: number | null;
}

/** The last text of a manifest that was understood as a whole. */
@Entity({ name: 'source_file' })
export class SourceFileRecord {
  @PrimaryColumn({ type: 'text' }) path!: string;
  @Column({ type: 'text' }) text!: string;
}

/** An address that a name of a policy was seen to have. */
@Entity({ name: 'domain_address' })
export class DomainAddressRecord {
  @PrimaryColumn({ type: 'text' }) name!: string;
  @PrimaryColumn({ type: 'text' }) address!: string;
  /** Milliseconds since 1970. */
  @Column({ type: 'bigint', transformer: asNumber }) expires!: number;
}

/** What was counted under the recorded text of a rule, or of what isolation drops. */
@Entity({ name: 'policy_counter' })
export class PolicyCounterRecord {
  /** SHA-256 of `object`. */
  @PrimaryColumn({ type: 'text' }) digest!: string;
  @Column({ type: 'text' }) object!: string;
  @Column({ type: 'bigint', transformer: asNumber }) packets!: number;
  @Column({ type: 'bigint', transformer: asNumber }) bytes!: number;
  /** When counting began, milliseconds since 1970. */
  @Column({ type: 'bigint', transformer: asNumber }) since!: number;
}

/** Counters of a switch's flows as they are in the totals: what a switch counts above them is not yet. */
@Entity({ name: 'counted_switch' })
export class CountedSwitchRecord {
  @PrimaryColumn({ type: 'text' }) node!: string;
  @Column({ type: 'text' }) version!: string;
  /** By a digest of the flow's place: packets, bytes. */
  @Column({ type: 'text', transformer: asJson }) flows!: Record<string, [packets: number, bytes: number]>;
}

export const RECORDS = [
  SequenceRecord,
  SettingRecord,
  LedgerRecord,
  NodeRecord,
  BlockRecord,
  AttachmentRecord,
  AddressRecord,
  ServiceAddressRecord,
  SourceFileRecord,
  PolicyCounterRecord,
  CountedSwitchRecord,
  DomainAddressRecord,
];
