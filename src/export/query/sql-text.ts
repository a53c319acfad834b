/** Quotes a name as an SQL identifier. The name may contain any characters, because it comes from the guest. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A table function that reads one Parquet file. Escapes glob characters in the path. */
export function parquet(path: string): string {
  const exact = path.replaceAll(/[*?[]/g, (character) => `[${character}]`);
  return `read_parquet(${literal(exact)}, file_row_number = true)`;
}
