/** The versions this library speaks. Version is data: the tables say what a version changes. */
export const VERSIONS = { 'OF1.3': 4, 'OF1.4': 5, 'OF1.5': 6 } as const;
/** A protocol version by its name. */
export type Version = keyof typeof VERSIONS;
/** The version byte of the header: 4, 5 or 6. */
export type WireVersion = (typeof VERSIONS)[Version];

const NAMES: Readonly<Record<number, Version>> = { 4: 'OF1.3', 5: 'OF1.4', 6: 'OF1.5' };

/** `undefined` for a version byte that is not one of ours. */
export const versionOfWire = (wire: number): Version | undefined => NAMES[wire];
