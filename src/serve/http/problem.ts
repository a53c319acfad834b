import { Failure, exitCode } from '../../base/failure.ts';

/** The body of an answer that is an error, after RFC 9457. */
export interface ProblemBody {
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly remedy: string;
}

const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  507: 'Insufficient Storage',
};

/** A request that cannot be served: the status of its answer, what is wrong, and what to do. */
export class Problem extends Error {
  readonly status: number;
  readonly remedy: string;

  constructor(status: number, detail: string, remedy = '', options?: ErrorOptions) {
    super(detail, options);
    this.name = 'Problem';
    this.status = status;
    this.remedy = remedy;
  }

  get body(): ProblemBody {
    const { status, message, remedy } = this;
    return { title: titles[status] ?? 'Error', status, detail: message, remedy };
  }
}

const statusOfExit: Readonly<Record<number, number>> = {
  [exitCode.usage]: 400,
  [exitCode.missing]: 409,
  [exitCode.notPermitted]: 403,
};

/** The answer to anything that was thrown; undefined for a bug. */
export function problemOf(cause: unknown): Problem | undefined {
  if (cause instanceof Problem) return cause;
  if (cause instanceof Failure)
    return new Problem(statusOfExit[cause.exitCode] ?? 500, cause.message, cause.remedy, { cause });
  if (!(cause instanceof Error) || !('statusCode' in cause)) return undefined;
  const status = Number(cause.statusCode);
  // what the framework refuses: a malformed, oversized or invalid request
  return status >= 400 && status < 500
    ? new Problem(status, cause.message, remedies[status] ?? '')
    : undefined;
}

const remedies: Readonly<Record<number, string>> = {
  400: 'GET /api/openapi.json describes what each request takes',
  413: 'send at most 64 KiB',
  415: 'send application/json',
};
