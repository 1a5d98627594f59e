/** What --help says of the commands. */
export const COMMANDS_HELP = [
  'Commands, instead of running as a daemon:',
  '  health [--live]   exit 0 if ADD can be served (--live: if the agent answers at all)',
  '  install [--bin-dir /opt/cni/bin] [--runtime-dir /opt/heddle] [--plugin FILE]',
  '                    copies the CNI executable, its Node and, where they are missing, portmap and loopback',
  '  uninstall [--bin-dir ...] [--runtime-dir ...] [--force]',
  '                    removes the network configuration, br-int, the nft table and the files of this node',
];
