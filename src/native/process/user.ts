import { declarePointer, viewMemory } from '../libc.ts';

// struct passwd has the same first members in glibc and musl: char *name, char *password, uid_t, gid_t
const libcGetpwnam = declarePointer('void *getpwnam(const char *name)');
const passwdBytes = 24;
const uidIndex = 4;
const gidIndex = 5;

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** Looks up a user as the system does (files, LDAP, …); undefined when there is no such user. Blocks. */
export function lookUpUser(name: string): Identity | undefined {
  const pointer = libcGetpwnam(name);
  if (pointer === null) return undefined;
  const words = new Uint32Array(viewMemory(pointer, passwdBytes));
  return { uid: words[uidIndex] ?? 0, gid: words[gidIndex] ?? 0 };
}
