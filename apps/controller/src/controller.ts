import { formatEndpoint } from '@heddle/api';
import { type Application, createApplication } from './api/http/application.js';
import { Listeners } from './api/http/listeners.js';
import { observe } from './metrics/observe.js';
import { Runtime, type RuntimeOptions } from './runtime/runtime.js';

/** A whole controller: everything that `heddle-controller` runs. */
export class Controller {
  private constructor(
    readonly runtime: Runtime,
    private readonly application: Application,
    private readonly listeners: Listeners,
  ) {}

  /** Starts everything; when it resolves, switches and agents are served. @throws Error that says what to do */
  static async start(options: RuntimeOptions): Promise<Controller> {
    const { config, logger } = options;
    const runtime = await Runtime.create(options);
    let controller: Controller | undefined;
    try {
      const application = await createApplication(runtime);
      observe(runtime);
      controller = new Controller(runtime, application, new Listeners(application.handler, runtime.tls));
      // The API comes first: a source that is away for an hour must be seen to be, and is no reason to be killed by a probe.
      await controller.listeners.listen(config.apiListen);
      await runtime.start();
    } catch (e) {
      await (controller ?? runtime).stop();
      throw e;
    }
    logger.info({
      event: 'ready',
      api: config.apiListen.map(formatEndpoint),
      openflow: config.openflowListen.map(formatEndpoint),
      ovsdb: config.ovsdbListen.map(formatEndpoint),
      generation: runtime.engine.generation,
    });
    return controller;
  }

  /** Ports of the TCP listeners of the API. */
  get apiPorts(): number[] {
    return this.listeners.ports();
  }

  async stop(): Promise<void> {
    await this.listeners.close();
    await this.application.close();
    await this.runtime.stop();
  }
}
