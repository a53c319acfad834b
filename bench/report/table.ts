/** One benchmark's results on one machine. Cells are medians; undefined or NaN: not measured. */
export interface Table {
  /** The benchmark's name, and where it ran. */
  readonly name: string;
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

export type Row = Readonly<Record<string, string | number | undefined>>;

/** The table as text for a terminal. */
export function tableText({ name, title, columns, rows }: Table): string {
  const lines = [columns, ...rows.map((row) => columns.map((column) => cellText(row[column])))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  const text = lines.map((line) =>
    line
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0)))
      .join('  '),
  );
  return [`${name}: ${title}`, ...text.map((line) => `  ${line.trimEnd()}`), ''].join('\n');
}

function cellText(cell: string | number | undefined): string {
  if (typeof cell === 'string') return cell;
  if (cell === undefined || Number.isNaN(cell)) return '-';
  if (Number.isInteger(cell)) return String(cell);
  return Math.abs(cell) >= 100 ? cell.toFixed(0) : cell.toPrecision(3);
}
