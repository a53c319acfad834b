/** The first word of the command line of the process that writes sets; not a command for users. */
export const writeSetsWord = 'write-sets';
