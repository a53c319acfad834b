/** The first word of a command line whose command ends in order when its parent ends; not a command for users. */
export const supervisedWord = 'supervised';
