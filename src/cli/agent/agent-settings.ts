import { orderNames } from '../../protocol/control.ts';
import { logFormats, logLevels } from '../../supervisor/options.ts';
import { usualPortsDir } from '../../supervisor/ports/ports.ts';
import { parseChoice, parseChoices, parseCount } from '../options/choice.ts';
import { parseCpuList } from '../../base/cpu-list.ts';
import { parseDurationMs } from '../options/duration.ts';
import { parseFileName, parsePath, parsePortTemplate, parseUser } from '../options/names.ts';
import type { Setting } from '../options/setting.ts';
import { parseFlag } from '../options/setting.ts';
import { parsePipeBytes } from '../options/size.ts';

/** All options of trace-agent: command line, configuration file and help are derived from this list. */
export const agentSettings = {
  stdout: {
    short: 'o',
    long: 'stdout',
    description: 'write the raw pages of all CPUs to stdout instead of to the trace ports',
    defaultText: 'false',
    parse: parseFlag,
  },
  framed: {
    long: 'framed',
    description: 'with -o: add CPU numbers and metadata to the stream, for trace-host convert',
    defaultText: 'false',
    parse: parseFlag,
  },
  pipeSize: {
    short: 's',
    long: 'pipe-size',
    placeholder: 'SIZE',
    description: 'size of the pipe between ring buffer and port, 64K to 1M, rounded down to pages',
    defaultText: '512K',
    fileTypes: ['number'],
    parse: parsePipeBytes,
  },
  cpus: {
    long: 'cpus',
    placeholder: 'LIST',
    description: 'CPUs to trace, e.g. 0-3,6',
    values: { words: ['all'] },
    defaultText: 'all',
    fileTypes: ['number', 'array'],
    parse: (text: string, name: string): number[] | undefined =>
      text.trim() === 'all' ? undefined : parseCpuList(text, name),
  },
  portsDir: {
    long: 'ports-dir',
    placeholder: 'DIR',
    description: 'directory of the virtio-serial ports',
    values: 'directory',
    defaultText: usualPortsDir,
    parse: parsePath,
  },
  portName: {
    long: 'port-name',
    placeholder: 'TEMPLATE',
    description: 'name of the trace ports, with %d for the CPU number',
    defaultText: 'trace-path-cpu%d',
    parse: parsePortTemplate,
  },
  controlPort: {
    long: 'control-port',
    placeholder: 'NAME',
    description: "name of the port for the host's orders",
    defaultText: 'agent-ctl-path',
    parse: parseFileName,
  },
  tracefs: {
    long: 'tracefs',
    placeholder: 'DIR',
    description: 'where tracefs is mounted (default: /sys/kernel/tracing, else /sys/kernel/debug/tracing)',
    values: 'directory',
    parse: parsePath,
  },
  instance: {
    long: 'instance',
    placeholder: 'NAME',
    description: 'trace in this tracefs instance, created if missing (default: the top level)',
    parse: parseFileName,
  },
  start: {
    long: 'start',
    description: 'start at once instead of waiting for an order from the host',
    defaultText: 'false',
    parse: parseFlag,
  },
  flushInterval: {
    long: 'flush-interval',
    placeholder: 'MS',
    description: 'interval for sending partly filled pages while tracing; 0: only at a stop',
    defaultText: '0',
    fileTypes: ['number'],
    parse: parseDurationMs,
  },
  stopTimeout: {
    long: 'stop-timeout',
    placeholder: 'MS',
    description: 'how long a stop waits for a port that accepts no data; milliseconds, or e.g. 500ms, 10s',
    defaultText: '10s',
    fileTypes: ['number'],
    parse: parseDurationMs,
  },
  maxRestarts: {
    long: 'max-restarts',
    placeholder: 'N',
    description: 'give up on a CPU after this many restarts of its worker within 60 s',
    defaultText: '10',
    fileTypes: ['number'],
    parse: (text: string, name: string): number => parseCount(text, name, 1000),
  },
  standby: {
    long: 'standby',
    description: 'keep a spare worker ready to replace one that dies (default; --no-standby: none)',
    defaultText: 'true',
    parse: parseFlag,
  },
  user: {
    long: 'user',
    placeholder: 'NAME',
    description: 'user to run the workers as',
    values: 'user',
    defaultText: 'nobody',
    parse: parseUser,
  },
  allow: {
    long: 'allow',
    placeholder: 'LIST',
    description: `orders to accept from the host: ${orderNames.join(',')}`,
    values: { words: orderNames, list: true },
    defaultText: 'all',
    fileTypes: ['array'],
    parse: (text: string, name: string) => parseChoices(text, name, orderNames),
  },
  logLevel: {
    long: 'log-level',
    placeholder: 'LEVEL',
    description: `lowest level to log: ${logLevels.join(', ')}`,
    values: { words: logLevels },
    defaultText: 'info',
    parse: (text: string, name: string) => parseChoice(text, name, logLevels),
  },
  logFormat: {
    long: 'log-format',
    placeholder: 'FORMAT',
    description: `${logFormats.join(' or ')} (default: pretty if stderr is a terminal, else json)`,
    values: { words: logFormats },
    parse: (text: string, name: string) => parseChoice(text, name, logFormats),
  },
} as const satisfies Record<string, Setting<unknown>>;

export type AgentSettingName = keyof typeof agentSettings;

export function isAgentSettingName(name: string): name is AgentSettingName {
  return Object.hasOwn(agentSettings, name);
}

export const agentSettingNames: readonly AgentSettingName[] =
  Object.keys(agentSettings).filter(isAgentSettingName);
