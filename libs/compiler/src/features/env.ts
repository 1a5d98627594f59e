import type { Context } from '../engine/steps.js';
import type { Family } from '../model/brands.js';
import type { ConfigFact } from '../model/facts.js';
import type { Feature, IdSource, ObjectRef } from '../model/output.js';
import { type Origin, origin } from '../pipeline/flow.js';
import type { IdentityTable } from '../policy/identity.js';

/** What steps have beside facts: recorded numbers. A number never changes, so reading one is no input. */
export interface Env {
  readonly ids: IdSource;
  readonly identities: IdentityTable;
}

/** The one fact of kind config. Without it nothing is compiled. */
export const configOf = (cx: Context): ConfigFact | undefined => cx.fact('config', 'config');

export const hasFamily = (config: ConfigFact, family: Family): boolean => config.families.includes(family);

/** Origin of an object's flows. `object` is its canonical text, under which its number is recorded. */
export const originOf = (
  env: Env,
  feature: Feature,
  object: string,
  owners: readonly ObjectRef[],
  why: string,
): Origin => origin(feature, env.ids.number('object', object), owners, why);
