import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A control socket as ovs-vswitchd has it, which answers what the specification says. */
export class FakeControl {
  readonly folder = mkdtempSync(join(tmpdir(), 'heddle-control-'));
  /** Everything that was asked, with its parameters. */
  readonly asked: string[] = [];

  private constructor(private readonly server: Server) {}

  /** @param answer the text for a question; one that is not told is answered by nothing */
  static async start(answer: (question: string) => string | undefined): Promise<FakeControl> {
    const server = createServer();
    const fake = new FakeControl(server);
    server.on('connection', (socket) =>
      socket.on('data', (data) => {
        const { id, method, params } = JSON.parse(data.toString()) as { id: number; method: string; params: string[] };
        const question = [method, ...params].join(' ');
        fake.asked.push(question);
        socket.write(JSON.stringify({ id, error: null, result: answer(question) ?? '' }));
      }),
    );
    await new Promise<void>((resolve) => server.listen(join(fake.folder, 'vswitchd.ctl'), resolve));
    return fake;
  }

  stop(): void {
    this.server.close();
    rmSync(this.folder, { recursive: true });
  }
}
