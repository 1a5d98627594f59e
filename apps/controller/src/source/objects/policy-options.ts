import type { ExistingConnections, PolicyLogging, PolicyOptions } from '@heddle/compiler';

/** Annotations with which policies of every kind say what their kind has no field for. */
const PREFIX = 'heddle.dev/';
const EXISTING = `${PREFIX}existing-connections`;
const LOG = `${PREFIX}log`;

const EXISTING_VALUES = {
  keep: true,
  recheck: true,
  cut: true,
} as const satisfies Record<ExistingConnections, true>;
const LOG_VALUES = { none: true, drops: true, all: true } as const satisfies Record<PolicyLogging, true>;

type Annotations = Readonly<Record<string, string>>;

/** What the annotations ask for. What is the default, and what is wrong, is left out: the policy counts all the same. */
export function policyOptions(annotations: Annotations): PolicyOptions {
  const existing = annotations[EXISTING];
  const logging = annotations[LOG];
  return {
    ...(isOneOf(EXISTING_VALUES, existing) && existing !== 'recheck' ? { existing } : {}),
    ...(isOneOf(LOG_VALUES, logging) && logging !== 'none' ? { logging } : {}),
  };
}

/** What in the annotations is not taken, a sentence each. */
export function policyOptionWarnings(annotations: Annotations): readonly string[] {
  return Object.entries(annotations).flatMap(([key, value]) => {
    if (!key.startsWith(PREFIX)) return [];
    const place = `metadata.annotations["${key}"]`;
    if (key === EXISTING)
      return isOneOf(EXISTING_VALUES, value)
        ? []
        : [`${place}: "${value}" is not keep, recheck or cut; recheck counts`];
    if (key === LOG)
      return isOneOf(LOG_VALUES, value) ? [] : [`${place}: "${value}" is not none, drops or all; none counts`];
    return [`${place}: a policy has no such annotation of Heddle's (known are ${EXISTING} and ${LOG})`];
  });
}

function isOneOf<T extends string>(values: Readonly<Record<T, true>>, text: string | undefined): text is T {
  return text !== undefined && Object.hasOwn(values, text);
}
