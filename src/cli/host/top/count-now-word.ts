/** The first word of the command line of the process that counts for `trace-host top`; not a command for users. */
export const countNowWord = 'count-now';
