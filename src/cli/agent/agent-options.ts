import { Command, CommanderError } from 'commander';
import { exitCode, Failure } from '../../base/failure.ts';
import { printable, quoted } from '../../base/quoted.ts';
import type { AgentOptions } from '../../supervisor/options.ts';
import type { AgentSettingName } from './agent-settings.ts';
import { agentSettingNames, agentSettings } from './agent-settings.ts';
import type { SettingTexts } from './config-file.ts';
import { readConfigFile } from './config-file.ts';
import type { Example } from '../options/help-text.ts';
import { examplesText } from '../options/help-text.ts';
import type { Setting, WithDefault } from '../options/setting.ts';
import { addNegation, addSetting, SettingOption, usageFailure } from '../options/setting.ts';
import { version } from '../../base/version.ts';

/** The action that a command line requests: tracing, a diagnosis, or a text on stdout (`--help`, `--version`). */
export type AgentCommand =
  | { readonly kind: 'run'; readonly options: AgentOptions }
  | { readonly kind: 'doctor'; readonly options: AgentOptions; readonly json: boolean }
  | { readonly kind: 'say'; readonly text: string };

const summary = "move a guest kernel's trace to its host over virtio-serial";
const description =
  "Moves this guest's kernel trace to its host: the raw ring buffer pages of each CPU through one " +
  'virtio-serial port per CPU, started and stopped by the host through a control port.';

export const agentExamples: readonly Example[] = [
  ['trace-agent', 'wait for orders from the host, trace all CPUs'],
  ['trace-agent --cpus 0-3,6 -s 1M', 'trace five CPUs, with larger pipes'],
  ['trace-agent --port-name trace-pipe-cpu%d', 'use the port names of trace-cmd'],
  ['trace-agent --instance host --start', 'use a separate tracefs instance, start at once'],
  [
    'trace-agent -o --framed > trace.framed',
    'write a file for trace-host convert, until Ctrl-C; needs no host',
  ],
  ['trace-agent -o --start --cpus 0 > cpu0.raw', 'write only the raw pages of one CPU'],
  ['trace-agent --allow start,stop,status', 'refuse all other orders from the host'],
  ['trace-agent doctor', 'check the setup; use the same options as for the agent'],
  ['trace-agent --config /etc/virtio-trace/agent.json', 'read options from a file'],
];

/** Help text about the configuration file; its second line is an example. */
export const configFileText = [
  'The configuration file may contain any option except --config, --json, --help and --version, named in camelCase:',
  '{ "cpus": "0-3", "pipeSize": "1M", "stopTimeout": "2s", "allow": ["start", "stop"] }',
  'The command line overrides the file; --no-stdout, --no-framed, --no-start and --standby override its flags.',
] as const;

const afterOptions = `${examplesText(agentExamples)}
${configFileText[0]}
  ${configFileText[1]}
${configFileText[2]}

Exit codes: 0 done, 1 failed, 2 usage error, 3 something needed is missing, 4 permission denied, 5 gave up on a CPU
or lost data; doctor: 1 if something is wrong`;

/** The only subcommand; without it, trace-agent traces. */
const doctorWord = 'doctor';

/**
 * Parses trace-agent's command line (without node and script) and reads the configuration file that it names, if any.
 * Prints nothing. Throws Failure (usage) that names the value and the remedy.
 */
export function parseAgentOptions(
  argv: readonly string[],
  stderrIsTerminal = process.stderr.isTTY,
): AgentCommand {
  let said = '';
  const command = agentCommand((text) => {
    said += text;
  });
  try {
    command.parse(argv, { from: 'user' });
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    if (cause.exitCode === 0) return { kind: 'say', text: said };
    throw usageFailure(cause, command, 'trace-agent');
  }
  const config = command.opts<{ readonly config?: string }>().config;
  const inFile: SettingTexts = config === undefined ? new Map() : readConfigFile(config);
  const options = readOptions(givenTexts(command), inFile, config ?? '', stderrIsTerminal);
  const json = command.opts<{ readonly json?: boolean }>().json === true;
  const [operand] = command.args;
  if (operand === doctorWord) return { kind: 'doctor', options, json };
  if (operand !== undefined)
    throw new Failure(exitCode.usage, `unexpected argument ${quoted(operand)}`, 'see trace-agent --help');
  if (json) throw new Failure(exitCode.usage, '--json only works with doctor', 'see trace-agent --help');
  return { kind: 'run', options };
}

/** The commander command; `say` receives the text of `--help` and `--version`. */
export function agentCommand(say: (text: string) => void): Command {
  const command = new Command('trace-agent')
    .summary(summary)
    .description(description)
    .usage('[doctor] [options]')
    .argument(
      `[${doctorWord}]`,
      'check everything from the ring buffers to the ports and report what is wrong',
    )
    .exitOverride()
    .configureOutput({ writeOut: say, writeErr: () => {} });
  for (const name of agentSettingNames) {
    addSetting(command, agentSettings[name]);
    addNegation(command, agentSettings[name]);
  }
  return command
    .addOption(new SettingOption('--config <FILE>', 'JSON file with any of these options', 'file'))
    .addOption(new SettingOption('--json', 'with doctor: print the results as JSON'))
    .helpOption('-h, --help', 'show this help')
    .version(version, '--version', 'show the version')
    .addHelpText('after', afterOptions);
}

function givenTexts(command: Command): SettingTexts {
  const texts = new Map<AgentSettingName, string>();
  for (const name of agentSettingNames) {
    if (command.getOptionValueSource(name) === 'cli') texts.set(name, String(command.getOptionValue(name)));
  }
  return texts;
}

function readOptions(
  onCommandLine: SettingTexts,
  inFile: SettingTexts,
  configPath: string,
  stderrIsTerminal: boolean,
): AgentOptions {
  function given<Value>(name: AgentSettingName, setting: Setting<Value>): Value | undefined {
    const typed = onCommandLine.get(name);
    if (typed !== undefined) return setting.parse(typed, `--${setting.long}`);
    const filed = inFile.get(name);
    return filed === undefined ? undefined : setting.parse(filed, `${name} in ${printable(configPath)}`);
  }
  function read<Value>(name: AgentSettingName, setting: WithDefault<Value>): Value {
    return given(name, setting) ?? setting.parse(setting.defaultText, name);
  }
  return {
    cpus: read('cpus', agentSettings.cpus),
    stdout: read('stdout', agentSettings.stdout),
    framed: read('framed', agentSettings.framed),
    pipeBytes: read('pipeSize', agentSettings.pipeSize),
    portsDir: read('portsDir', agentSettings.portsDir),
    portName: read('portName', agentSettings.portName),
    controlPort: read('controlPort', agentSettings.controlPort),
    controlPortGiven: onCommandLine.has('controlPort') || inFile.has('controlPort'),
    tracefs: given('tracefs', agentSettings.tracefs),
    instance: given('instance', agentSettings.instance),
    start: read('start', agentSettings.start),
    flushIntervalMs: read('flushInterval', agentSettings.flushInterval),
    stopTimeoutMs: read('stopTimeout', agentSettings.stopTimeout),
    maxRestarts: read('maxRestarts', agentSettings.maxRestarts),
    standby: read('standby', agentSettings.standby),
    user: read('user', agentSettings.user),
    allow: read('allow', agentSettings.allow),
    logLevel: read('logLevel', agentSettings.logLevel),
    logFormat: given('logFormat', agentSettings.logFormat) ?? (stderrIsTerminal ? 'pretty' : 'json'),
  };
}
