const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Formats a size: 4096 bytes is `4.0 KiB`. */
export function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes / 1024;
  let unit = 0;
  // a value that would round to 1024.0 is shown as 1.0 of the next unit
  while (value >= 1023.95 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

/** Formats a duration: `1 h 2 min`, `3 min 4 s`, `5.6 s`. */
export function humanDuration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `1 CPU`, `2 CPUs`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

const nsPerSecond = 1_000_000_000n;

/** Nanoseconds as seconds with nine decimals, always with a sign. */
export function signedSeconds(ns: bigint): string {
  const size = ns < 0n ? -ns : ns;
  return `${ns < 0n ? '-' : '+'}${size / nsPerSecond}.${String(size % nsPerSecond).padStart(9, '0')} s`;
}

/** Formats a table with aligned columns; numbers are right-aligned. Ends with a newline. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const toTheRight = head.map((_, column) => rows.every((row) => /^([-+]?\d|-$)/.test(row[column] ?? '')));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) =>
          toTheRight[column] === true ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** CPU numbers in the kernel's list format: `0-3,6`. */
export function cpuRanges(cpus: readonly number[]): string {
  const ranges: { first: number; last: number }[] = [];
  for (const cpu of [...cpus].sort((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range?.last === cpu - 1) range.last = cpu;
    else ranges.push({ first: cpu, last: cpu });
  }
  return ranges.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`)).join(',');
}
