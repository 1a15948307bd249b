/** The command line of node-proxy. */

// First, before anything can make a worker.
import './heap.ts';
import { Command } from 'commander';
import { MeshError } from '#base/errors.ts';
import { NodeClient } from '#cni';
import { startNodeProxy } from './app.ts';
import { readConfig } from './config.ts';

/** sysexits.h EX_CONFIG */
const EXIT_CONFIG = 78;
/** Enrolment waits for a certificate and for namerd. */
const COMMAND_TIMEOUT_MS = 60_000;
const DEFAULT_CONFIG = '/etc/nodemesh/node-proxy.yaml';

const program = new Command('node-proxy').description(
  'One proxy per node: capture, mutual TLS, policy for the pods of this node.',
);

program
  .command('run')
  .description('run the proxy')
  .requiredOption('--config <file>', 'configuration file', DEFAULT_CONFIG)
  .action(async ({ config }: { config: string }) => run(config));

program
  .command('validate')
  .description('check a configuration file and say every mistake')
  .requiredOption('--config <file>', 'configuration file', DEFAULT_CONFIG)
  .action(({ config }: { config: string }) => {
    readConfig(config);
    process.stdout.write(`${config}: ok\n`);
  });

program
  .command('enroll')
  .description('take a running pod into the mesh')
  .requiredOption('--netns <path>', 'its network namespace, for example /run/netns/pod-a')
  .requiredOption('--workload <namespace/name>', 'its Workload in the registry')
  .option('--config <file>', 'configuration file of the running proxy', DEFAULT_CONFIG)
  .option('--socket <path>', 'its unix socket, instead of the one in the configuration')
  .action(async ({ netns, workload, ...where }: { netns: string; workload: string } & Where) =>
    show(await proxyAt(where).ask('POST', '/v1/enroll', { netns, workload })),
  );

program
  .command('unenroll')
  .description('let a running pod leave the mesh')
  .requiredOption('--netns <path>', 'its network namespace')
  .option('--config <file>', 'configuration file of the running proxy', DEFAULT_CONFIG)
  .option('--socket <path>', 'its unix socket, instead of the one in the configuration')
  .action(async ({ netns, ...where }: { netns: string } & Where) =>
    show(await proxyAt(where).ask('POST', '/v1/unenroll', { netns })),
  );

program
  .command('status')
  .description('the running proxy: readiness, pods, certificates')
  .option('--config <file>', 'configuration file of the running proxy', DEFAULT_CONFIG)
  .option('--socket <path>', 'its unix socket, instead of the one in the configuration')
  .action(async (where: Where) => show(await proxyAt(where).ask('GET', '/v1/status')));

interface Where {
  config: string;
  socket?: string;
}

function proxyAt({ config, socket }: Where): NodeClient {
  return new NodeClient(socket ?? readConfig(config).socket, COMMAND_TIMEOUT_MS);
}

function show(answer: unknown): void {
  process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
}

async function run(file: string): Promise<void> {
  const proxy = await startNodeProxy(readConfig(file));
  const stop = (signal: string) => {
    proxy.log.info({ signal }, 'draining');
    proxy.drain().then(
      () => process.exit(0),
      error => {
        proxy.log.fatal({ err: error }, 'draining failed');
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

try {
  await program.parseAsync();
} catch (error) {
  const known = error instanceof MeshError;
  process.stderr.write(
    known
      ? `${error.message}\n${error.next === undefined ? '' : `${error.next}\n`}`
      : `${error instanceof Error ? error.stack : error}\n`,
  );
  process.exit(known && error.by === 'config' ? EXIT_CONFIG : 1);
}
