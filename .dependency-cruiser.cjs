// Who may import whom. The order of the parts is libs/openflow, libs/ovsdb, libs/api < libs/compiler < apps; nobody imports upwards.
module.exports = {
  forbidden: [
    {
      name: 'compiler-imports-only-the-codec',
      severity: 'error',
      from: { path: '^libs/compiler/src', pathNot: '\\.spec\\.ts$' },
      to: { pathNot: ['^libs/compiler/src', '^libs/openflow/src/codec/'] },
    },
    {
      name: 'pure-code-reaches-no-io',
      severity: 'error',
      from: {
        path: '^libs/(compiler|openflow)/src/(codec/)?',
        pathNot: ['\\.spec\\.ts$', '^libs/openflow/src/(?!codec/)'],
      },
      to: {
        path: '^(node:)?(fs|net|http|https|child_process|dgram|tls|worker_threads|crypto|os)$|^node_modules/(typeorm|@nestjs|@kubernetes|pino)',
        reachable: true,
      },
    },
    { name: 'libs-not-apps', severity: 'error', from: { path: '^libs/' }, to: { path: '^(apps|migrations)/' } },
    {
      name: 'protocol-libs-stand-alone',
      severity: 'error',
      from: { path: '^libs/(openflow|ovsdb)/src', pathNot: '\\.spec\\.ts$' },
      to: { path: '^(libs/|node_modules/)', pathNot: ['^libs/(openflow|ovsdb)/src', '^node_modules/@types/node'] },
    },
    {
      name: 'apps-do-not-import-each-other',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/([^/]+)/', pathNot: '^apps/$1/' },
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'import', 'node', 'default'],
      extensions: ['.ts', '.js'],
    },
    exclude: { path: '(^|/)dist/' },
    builtInModules: {},
  },
};
