import { type Cidr, cidr, type Ip, ip } from '@heddle/compiler';
import { z } from 'zod';
import { isDnsLabel, isDnsSubdomain, isLabelKey, isLabelValue, isPortName } from '../names.js';

/** Fields that several kinds share, with Kubernetes' own limits. */

export const text = (what: string, check: (value: string) => boolean) =>
  z.string().refine(check, { error: (issue) => `"${String(issue.input)}" is not ${what}` });

export const Labels = z.record(
  text('a label key', isLabelKey),
  text(
    'a label value (at most 63 letters, digits, "-", "_", "."; begins and ends with a letter or digit)',
    isLabelValue,
  ),
);
export const Annotations = z.record(z.string(), z.string()).default({});
export const PortName = text('a port name (at most 15 lower case letters, digits and "-", with a letter)', isPortName);
export const PortNumber = z.number().int().min(1).max(65_535);
export const PortRef = z.union([PortNumber, PortName], {
  error: 'is neither a port number (1 to 65535) nor a port name',
});
export const Protocol = z.enum(['TCP', 'UDP', 'SCTP']).default('TCP');

export const IpText = z.string().transform((value, context): Ip => {
  try {
    return ip(value);
  } catch {
    context.addIssue(`"${value}" is not an IP address`);
    return z.NEVER;
  }
});
export const CidrText = z.string().transform((value, context): Cidr => {
  try {
    if (value.includes('/')) return cidr(value);
  } catch {
    // Falls through to the issue below.
  }
  context.addIssue(`"${value}" is not ADDRESS/PREFIX`);
  return z.NEVER;
});

export const metadata = (name: z.ZodType<string>) =>
  z.object({
    name,
    namespace: text('a namespace name', isDnsLabel).default('default'),
    labels: Labels.default({}),
  });
export const Metadata = metadata(text('a DNS subdomain name (lower case letters, digits, "-", ".")', isDnsSubdomain));

export const Selector = z.object({
  matchLabels: Labels.optional(),
  matchExpressions: z
    .array(
      z
        .object({
          key: text('a label key', isLabelKey),
          operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
          values: z.array(text('a label value', isLabelValue)).optional(),
        })
        .superRefine((e, context) => {
          const count = e.values?.length ?? 0;
          const wantsValues = e.operator === 'In' || e.operator === 'NotIn';
          if (wantsValues && count === 0)
            context.addIssue({ code: 'custom', path: ['values'], message: `operator ${e.operator} needs values` });
          if (!wantsValues && count > 0)
            context.addIssue({ code: 'custom', path: ['values'], message: `operator ${e.operator} takes no values` });
        }),
    )
    .optional(),
});
