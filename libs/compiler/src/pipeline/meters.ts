/**
 * Meters that flows name; a switch must have them before it takes such flows. Numbers are ours by agreement: meters carry no
 * cookie. Packets a second, and how many may come at once.
 */
export const METERS = {
  policyLog: {
    id: 0x48,
    rate: 300,
    burst: 300,
    doc: 'Copies of packets that policies ask to be told of. What is above it goes its way untold, and costs no more than any other.',
  },
  dnsStream: {
    id: 0x35,
    rate: 200,
    burst: 400,
    doc: 'Copies of what name servers send by TCP to pods whose policies ask for names, acknowledgements of what pods send included. A connection of which one is missing is read no further.',
  },
} as const;
