import { declarePointer, viewMemory } from '../libc.ts';

// struct group has the same first members in glibc and musl: char *name, char *password, gid_t
const libcGetgrnam = declarePointer('void *getgrnam(const char *name)');
const groupBytes = 20;
const gidIndex = 4;

/** Looks up a group's number as the system does (files, LDAP, …); undefined when there is no such group. Blocks. */
export function lookUpGroup(name: string): number | undefined {
  const pointer = libcGetgrnam(name);
  return pointer === null ? undefined : new Uint32Array(viewMemory(pointer, groupBytes))[gidIndex];
}
