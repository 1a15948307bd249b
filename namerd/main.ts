/** The command `namerd`: reads its configuration, runs until it is told to stop. */

import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { ConfigError } from '#base/config.ts';
import { MeshError, messageOf } from '#base/errors.ts';
import { createLog, LOG_LEVELS, type Logger, type LogLevel } from '#base/log.ts';
import { startNamerd } from './app.ts';
import { type NamerdConfig, readConfig } from './config.ts';
import { exposures } from './config-exposure.ts';

const BAD_CONFIG = 64;
const FAILED = 1;

interface Options {
  validate?: true;
  logLevel: LogLevel;
}

await new Command('namerd')
  .description('Names, policies and certificates of the mesh.')
  .argument('<config>', "the configuration file, YAML or JSON; '-' for standard input")
  .option('--validate', 'check the configuration and exit')
  .option('--log-level <level>', `one of ${LOG_LEVELS.join(', ')}`, readLevel, 'info' satisfies LogLevel)
  .action(async (file: string, { validate, logLevel }: Options) => {
    const config = load(file);
    if (config === undefined) process.exitCode = BAD_CONFIG;
    else if (validate) sayGood(config, file);
    else await run(config, createLog({ name: 'namerd', level: logLevel }));
  })
  .parseAsync();

function readLevel(text: string): LogLevel {
  if (LOG_LEVELS.includes(text as LogLevel)) return text as LogLevel;
  throw new InvalidArgumentError(`one of ${LOG_LEVELS.join(', ')} is expected`);
}

/** Undefined when the configuration is bad, which has been said. */
function load(file: string): NamerdConfig | undefined {
  try {
    return readConfig(readFileSync(file === '-' ? 0 : file, 'utf8'), file);
  } catch (error) {
    const text = error instanceof ConfigError ? error.message : `${file}: ${messageOf(error)}`;
    process.stderr.write(`${text}\n`);
    return undefined;
  }
}

function sayGood(config: NamerdConfig, file: string): void {
  for (const warning of exposures(config)) process.stderr.write(`${file}: warning: ${warning}\n`);
  process.stdout.write(`${file}: good\n`);
}

async function run(config: NamerdConfig, log: Logger): Promise<void> {
  const stop = new AbortController();
  // A second signal does not wait for what is under way.
  const onSignal = (signal: NodeJS.Signals) => {
    if (stop.signal.aborted) process.exit(FAILED);
    log.info({ signal }, 'stopping');
    stop.abort();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  try {
    const namerd = await startNamerd({ config, log, onShutdown: () => stop.abort() });
    log.info({ ports: namerd.ports }, 'namerd is running');
    await stopped(stop.signal);
    const timer = setTimeout(() => {
      log.warn('what was under way did not end in time');
      process.exit(FAILED);
    }, config.admin.shutdownGraceMs);
    await namerd.close();
    clearTimeout(timer);
    log.info('namerd has stopped');
  } catch (error) {
    log.fatal({ err: error }, 'namerd cannot start');
    const next = error instanceof MeshError && error.next !== undefined ? `${error.next}\n` : '';
    process.stderr.write(`namerd: ${messageOf(error)}\n${next}`);
    process.exitCode = FAILED;
  } finally {
    process.off('SIGTERM', onSignal);
    process.off('SIGINT', onSignal);
  }
}

function stopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  // Servers keep the process alive; this promise alone would not.
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }));
}
