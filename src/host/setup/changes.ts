/** Setup's changes to a guest's directory: names of files, `.` for the directory itself. */
export interface Changes {
  readonly made: string[];
  readonly mended: string[];
  readonly removed: string[];
}

export function noChanges(): Changes {
  return { made: [], mended: [], removed: [] };
}
