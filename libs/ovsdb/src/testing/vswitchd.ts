import type { Uuid } from '../notation/uuid.js';
import { type Atom } from '../notation/value.js';
import type { ServerCore } from './core.js';
import { columnDatum, type EngineRow } from './engine/row.js';

/** How the ovs-vswitchd that is played behaves. */
export interface VswitchdOptions {
  /** The error text of an interface that cannot be realized; undefined for one that can. */
  readonly failInterface?: (name: string, type: string) => string | undefined;
}

const DATABASE = 'Open_vSwitch';
const LOCAL_OFPORT = 65534;

function text(row: EngineRow, column: string): string {
  return String([...columnDatum(row, column).values()][0] ?? '');
}

function atoms(row: EngineRow, column: string): readonly Atom[] {
  return [...columnDatum(row, column).values()];
}

/**
 * Plays ovs-vswitchd: gives datapath ids to bridges, ofports to the interfaces of bridges, errors to those that fail, and raises cur_cfg to
 * next_cfg, all in one transaction as the real one does.
 */
export class FakeVswitchd {
  readonly #core: ServerCore;
  readonly #options: VswitchdOptions;
  #scheduled = false;
  #stopped = false;

  constructor(core: ServerCore, options: VswitchdOptions) {
    this.#core = core;
    this.#options = options;
  }

  /** Looks at the database soon. */
  poke(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (!this.#stopped) this.#reconfigure();
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  #rows(table: string): ReadonlyMap<Uuid, EngineRow> {
    return this.#core.database(DATABASE).engine.table(table)?.rows ?? new Map();
  }

  #reconfigure(): void {
    const operations: object[] = [];
    for (const bridge of this.#rows('Bridge').values()) operations.push(...this.#bridge(bridge));
    for (const root of this.#rows('Open_vSwitch').values()) {
      const [next] = atoms(root, 'next_cfg');
      if (atoms(root, 'cur_cfg')[0] !== next) {
        operations.push({
          op: 'update',
          table: 'Open_vSwitch',
          where: [['_uuid', '==', ['uuid', root.uuid]]],
          row: { cur_cfg: next },
        });
      }
    }
    if (operations.length > 0) this.#core.apply(DATABASE, operations);
  }

  #datapathId(bridge: EngineRow): object[] {
    const column = bridge.values.datapath_id;
    const config = bridge.values.other_config;
    if (column === undefined || [...column.values()].length > 0) return [];
    const wanted = config instanceof Map ? config.get('datapath-id') : undefined;
    const datapath_id = wanted ?? bridge.uuid.replaceAll('-', '').slice(0, 16);
    return [{ op: 'update', table: 'Bridge', where: [['_uuid', '==', ['uuid', bridge.uuid]]], row: { datapath_id } }];
  }

  #bridge(bridge: EngineRow): object[] {
    const interfaces = atoms(bridge, 'ports')
      .flatMap((uuid) => this.#rows('Port').get(uuid as Uuid) ?? [])
      .flatMap((port) => atoms(port, 'interfaces'))
      .flatMap((uuid) => this.#rows('Interface').get(uuid as Uuid) ?? []);
    const used = new Set(interfaces.map((row) => Number(atoms(row, 'ofport')[0] ?? 0)));
    const operations: object[] = this.#datapathId(bridge);
    for (const row of interfaces) {
      if (atoms(row, 'ofport').length > 0) continue;
      const error = this.#options.failInterface?.(text(row, 'name'), text(row, 'type'));
      const requested = Number(atoms(row, 'ofport_request')[0] ?? 0);
      let ofport = text(row, 'name') === text(bridge, 'name') ? LOCAL_OFPORT : requested;
      if (ofport === 0 || used.has(ofport)) for (ofport = 1; used.has(ofport); ofport++);
      used.add(ofport);
      operations.push({
        op: 'update',
        table: 'Interface',
        where: [['_uuid', '==', ['uuid', row.uuid]]],
        row: error === undefined ? { ofport, error: ['set', []] } : { ofport: -1, error },
      });
    }
    return operations;
  }
}
