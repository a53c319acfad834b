import type { ExitCode } from '../../base/failure.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import type { ErrorAnswer, ErrorCode, OrderName } from '../../protocol/control.ts';
import { controlPortName } from '../port-names.ts';
import { whyStill } from '../qemu/guest-trouble.ts';
import { type TracedMachine, whose } from '../traced-machine.ts';
import type { BadAnswer } from './answer-parser.ts';

/** An order that the guest's agent refuses, with the protocol's stable code. */
export class OrderRefused extends Failure {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, exit: ExitCode, message: string, remedy: string) {
    super(exit, message, remedy);
    this.name = 'OrderRefused';
    this.code = code;
  }
}

/** The remedy for each error code; docs/protocol.md explains the codes. */
function remedyFor(code: ErrorCode, whose: string): string {
  const remedies: { readonly [Code in ErrorCode]: string } = {
    'line-too-long': 'ask for less at once',
    'bad-json': 'check that trace-agent and trace-host have the same version',
    'not-an-object': 'check that trace-agent and trace-host have the same version',
    'bad-id': 'check that trace-agent and trace-host have the same version',
    'unknown-order': 'check that trace-agent and trace-host have the same version',
    'unknown-field': 'check that trace-agent and trace-host have the same version',
    'not-allowed': `${whose} trace-agent decides that with --allow`,
    'bad-trace': '',
    'unknown-event': `see available_events in ${whose} tracefs`,
    'bad-filter': `see the event's format in ${whose} tracefs for its fields`,
    'bad-trigger': "see the triggers of Documentation/trace/events.rst in the kernel's source",
    'unknown-option': `see options/ in ${whose} tracefs`,
    'unknown-tracer': `see available_tracers in ${whose} tracefs`,
    'unknown-function': `see available_filter_functions in ${whose} tracefs`,
    'unknown-clock': `see trace_clock in ${whose} tracefs`,
    'bad-value': 'ask for less',
    busy: 'try again later',
    superseded: 'nothing is lost: the latest order takes effect',
    failed: "see the agent's log",
  };
  return remedies[code];
}

export function failureOfRefusal(
  guest: TracedMachine,
  order: OrderName,
  error: ErrorAnswer['error'],
): OrderRefused {
  const exit = error.code === 'not-allowed' ? exitCode.notPermitted : exitCode.failed;
  const message = `${guest.label} refuses the order ${order}: ${error.message} (${error.code})`;
  return new OrderRefused(error.code, exit, message, remedyFor(error.code, whose(guest)));
}

/** The error for an answer that does not follow docs/protocol.md. */
export function failureOfNonsense(guest: TracedMachine, order: OrderName, cause: BadAnswer): Failure {
  return new Failure(
    exitCode.failed,
    `${guest.label} sent an invalid answer to the order ${order}: ${cause.message}`,
    'check which program answers there, and that its version is that of this trace-host',
    { cause },
  );
}

/** The error when no answer came in time: the guest's state if QEMU knows it, else what to check. */
export async function silence(guest: TracedMachine, timeoutMs: number): Promise<Failure> {
  if (guest.control !== undefined) return guest.control.silent(timeoutMs);
  const still = await whyStill(guest);
  if (still !== undefined) return still;
  const answers = guest.chardev === 'pipe' ? `${controlPortName}.out` : `${controlPortName}.socket`;
  return new Failure(
    exitCode.missing,
    `${guest.label} does not answer within ${timeoutMs / 1000} s`,
    `check that trace-agent runs there and its log says ready, that its console shows no panic, and that no other program uses ${guest.path}/${answers}; ` +
      'for an agent that never answers, such as that of the kernel tree, use start --bare and stop --bare',
  );
}
